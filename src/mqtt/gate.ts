import { COMMANDS_LINE, readCommands } from '../client/commands.js';
import type { Failure } from '../client/outcome.js';
import { bodyOf, isEnd, splitReason } from '../client/replies.js';
import { type Request, requestFromLine } from '../client/request.js';
import { Session } from '../client/session.js';
import type { Settings } from '../client/settings.js';
import { ArgoError } from '../kit/errors.js';
import { MQTT_IDLE, MQTT_RIGHTS_SECONDS, MQTT_RIGHTS_SILENCE } from '../kit/mqtt-limits.js';
import type { Machine, Order } from './machine.js';
import { ORDERS } from './orders-table.js';
import { powerOf } from './states.js';

/** The end of a reply, and what came before it. */
interface Answer {
  readonly lines: readonly string[];
  readonly note: string;
  readonly error: Failure | undefined;
}

export interface Listed {
  /** full names, each with its id */
  readonly names: readonly { readonly name: string; readonly id: string }[];
  /** what the server says of providers that do not answer */
  readonly note: string;
}

export interface GateHooks {
  password(account: string): Promise<string | undefined>;
  warn(message: string): void;
}

/** What a server refuses to somebody, or what a machine cannot do: it is not offered. */
const IMPOSSIBLE = new Set(['NOT ALLOWED', 'NOT SUPPORTED', 'UNKNOWN COMMAND', 'NO SUCH INSTANCE']);

/** What says nothing of whether it can be: it may be asked again. */
const OPEN = new Set(['TIMEOUT', 'UNREACHABLE', 'BUSY', 'SHUTTING DOWN']);

/** A machine that the server is asked about. */
export type Asked = Pick<Machine, 'provider' | 'id' | 'fullName' | 'name'>;

/** `provider/#id`, which selects a machine whatever its name. The id is as `list --ids` writes it. */
export const selectorOf = ({ provider, id }: Pick<Machine, 'provider' | 'id'>): string => `${provider}/#${id}`;

/**
 * What the lines of a reply say of machines. The server writes a name without its provider where it is unique, and a name may
 * hold `: ` itself: so the longest that a line begins with, of those that can be meant, is the name.
 */
function toldOf(lines: readonly string[], machines: readonly Asked[]): { readonly machine: Asked; readonly text: string }[] {
  const byName = new Map(
    [({ name }: Asked) => name, ({ fullName }: Asked) => fullName, selectorOf].flatMap((nameOf) =>
      machines.map((machine) => [nameOf(machine), machine] as const),
    ),
  );
  return lines.flatMap((line) => {
    for (let at = line.lastIndexOf(': '); at > 0; at = line.lastIndexOf(': ', at - 1)) {
      const machine = byName.get(line.slice(0, at));
      if (machine !== undefined) return [{ machine, text: line.slice(at + 2) }];
    }
    return [];
  });
}

/** The questions and orders for a server, on a few connections: each is used by one at a time. */
export class Gate {
  readonly #settings: Settings;
  readonly #hooks: GateHooks;
  /** connected, and those that are when they are needed */
  readonly #free: Session[] = [];
  readonly #resting: Session[] = [];
  /** grows each time that the server is lost */
  #life = 0;
  readonly #all = new Set<Session>();

  constructor(settings: Settings, hooks: GateHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
  }

  /** A connection that its user has to itself, such as one that follows. */
  session(): Session {
    const session = new Session(this.#settings, this.#hooks);
    this.#all.add(session);
    return session;
  }

  /** Lets go of all of them. What runs at the server goes on there. */
  close(): void {
    for (const session of this.#all) session.detach();
  }

  /** The server was lost: that connections to it have to be made again is no news then, of each of them. */
  forget(): void {
    this.#life += 1;
    for (const session of this.#free.splice(0)) this.#rest(session);
  }

  #rest(session: Session): void {
    session.detach();
    this.#resting.push(session);
  }

  /** @throws ArgoError */
  async list(signal: AbortSignal): Promise<Listed> {
    const { lines, note } = await this.#must('list --ids --full', signal);
    return {
      note,
      // whatever a name holds, the id is what follows the last blank
      names: lines.map((line) => ({ name: line.slice(0, line.lastIndexOf(' ')), id: line.slice(line.lastIndexOf(' ') + 1) })),
    };
  }

  /** The orders that the account may give to any machine at all. @throws ArgoError */
  async orders(signal: AbortSignal): Promise<readonly Order[]> {
    const { lines } = await this.#must(COMMANDS_LINE, signal);
    const commands = readCommands(lines);
    return [...ORDERS.values()].filter(({ command }) => commands.has(command)).map(({ order }) => order);
  }

  /**
   * Which of some machines one order can be given to, and whether that is sure: where nobody says that it cannot be, it can.
   * The server is asked what it would do; it does nothing.
   * @param machines as many as {@link MQTT_NAMES} @throws ArgoError
   */
  async canBeGiven(order: Order, machines: readonly Asked[], signal: AbortSignal): Promise<ReadonlyMap<Asked, boolean>> {
    const { command, options } = [...ORDERS.values()].find((row) => row.order === order)!;
    const words = [command, ...machines.map(selectorOf), ...options, '--dry-run', `--timeout=${MQTT_RIGHTS_SECONDS}`];
    const { lines, error } = await this.ask(words.join(' '), signal, MQTT_RIGHTS_SILENCE);
    const [first] = machines;
    const able = new Map<Asked, boolean>();
    const told = (machine: Asked, phrase = ''): void => { if (!IMPOSSIBLE.has(phrase)) able.set(machine, !OPEN.has(phrase)); };
    if (machines.length === 1) {
      told(first!, error?.phrase);
      return able;
    }
    if (error !== undefined && lines.length === 0) {
      // one of them may have gone meanwhile: the others have nothing to do with that
      for (const one of machines) for (const answer of await this.canBeGiven(order, [one], signal)) able.set(...answer);
      return able;
    }
    for (const { machine, text } of toldOf(lines, machines)) told(machine, splitReason(text).phrase);
    return able;
  }

  /** Whether one of some machines at least tells its state when it is asked. @param machines as many as {@link MQTT_NAMES} @throws ArgoError */
  async areSeen(machines: readonly Asked[], signal: AbortSignal): Promise<boolean> {
    const { lines } = await this.ask(['status', ...machines.map(selectorOf), `--timeout=${MQTT_RIGHTS_SECONDS}`].join(' '), signal, MQTT_RIGHTS_SILENCE);
    const states = machines.length === 1 ? lines : toldOf(lines, machines).map(({ text }) => text);
    return states.some((state) => powerOf(state) !== 'None');
  }

  /** Asks, and gives the answer whatever it is. @param silence milliseconds that are borne @throws ArgoError · SettingsError · the signal's reason */
  async ask(line: string, signal: AbortSignal, silence?: number): Promise<Answer> {
    const request: Request = requestFromLine(line);
    const session = this.#free.pop() ?? this.#resting.pop() ?? this.session();
    const life = this.#life;
    const lines: string[] = [];
    try {
      for await (const batch of session.run(request, signal, silence)) {
        for (const line of bodyOf(batch)) lines.push(line);
        const end = batch.at(-1);
        if (end === undefined || !isEnd(end)) continue;
        return { lines, note: end.kind === 'done' ? end.note : '', error: end.kind === 'error' ? { phrase: end.phrase, detail: end.detail } : undefined };
      }
      throw new ArgoError('UNCERTAIN', 'the reply has no end');
    } finally {
      if (life !== this.#life || this.#free.length >= MQTT_IDLE) this.#rest(session);
      else this.#free.push(session);
    }
  }

  async #must(line: string, signal: AbortSignal): Promise<Answer> {
    const answer = await this.ask(line, signal);
    if (answer.error !== undefined) throw new ArgoError('FAILED', `${line}: ${answer.error.phrase}${answer.error.detail && `: ${answer.error.detail}`}`);
    return answer;
  }
}
