import { ArgoError, toArgoError } from '../kit/errors.js';
import { COMMAND_TIMEOUT, HARD_STOP_TIMEOUT, READY_REPLY_SIZE } from '../kit/limits.js';
import { NETWORK_MARGIN, WORK_TIMEOUT } from '../kit/work-limits.js';
import type { Principal } from '../instances/principal.js';
import type { LoadedCommand } from '../plugins/host/command-table.js';
import { ReadyReplies, type Ready, type Source } from './ready-replies.js';
import { ClientGone, type LineEnd, type Reply } from './reply.js';
import { isOpen, mayUseBeforeLogin, mayUseSomewhere } from './command-rights.js';
import { logFault, Request, type Services } from './request.js';
import type { Session } from './session.js';
import { NO_OPTIONS, splitWords, takeOptions, type Options, type Word } from '../kit/words.js';

const NO_WORDS: readonly string[] = Object.freeze([]);
const NO_ARGUMENTS = { names: [], options: NO_OPTIONS };

/**
 * What of a command's words names instances: all, or all but the last where that is a word of its own, or just the first.
 * Undefined: they are wrong.
 */
function namesOf({ on, words }: LoadedCommand, typed: readonly Word[]): readonly Word[] | undefined {
  if (on === 'instance') return typed.slice(0, 1);
  if (on === 'instances-then') return typed.slice(0, -1);
  if (words.length === 0) return typed;
  return words.includes(typed.at(-1)?.text.toLowerCase() ?? '') ? typed.slice(0, -1) : undefined;
}

/**
 * From a line to its reply, without a socket: finds the command, checks right, options and instances
 * from its row, and runs it.
 */
export class Dispatcher {
  readonly #ready = new ReadyReplies();

  constructor(public parts: Services) {}

  /** The whole reply to a line, where it was made before and is still true. */
  ready(session: Session, line: string, eol: LineEnd): Ready | undefined {
    const ready = this.#ready.find(this.#principal(session), line, eol, this.#source);
    if (ready !== undefined) this.#count(ready.word);
    return ready;
  }

  /** Works on one line. Whatever happens, the reply is ended then. */
  dispatch(session: Session, line: string, reply: Reply): void | Promise<void> {
    let request: Request | undefined;
    try {
      const typed = splitWords(line);
      const named = this.#permitted(session, typed[0]!.text);
      this.#count(named.word);
      const verb = named.byVerb.size === 0 ? undefined : this.#verb(session, named, typed);
      const command = verb?.command ?? named;
      const { names, options } = this.#arguments(command, verb?.words ?? typed);
      const args = names.length === 0 ? NO_WORDS : names.map(({ text }) => text);
      request = new Request(this.parts, session, reply, command, args, options);
      if (command.on !== undefined && command.on !== 'provider') return this.#runOnInstances(session, command, request, names, reply);
      if (command.repeatable) return this.#runRepeatable(session, line, command, request, reply);
      const running = command.run(request);
      if (running === undefined) this.#done(request, reply);
      else return this.#finish(running, request, reply);
    } catch (thrown) {
      this.#fail(thrown, reply, request, session);
      if (request) Request.end(request);
    }
  }

  #principal({ account }: Session): Principal {
    return account ?? this.parts.authenticator.anonymous.principal;
  }

  get #source(): Source {
    return { table: this.parts.table, version: this.parts.gate.version };
  }

  #count(word: string): void {
    const { requests } = this.parts;
    const counter = requests?.get(word);
    if (counter) counter.value += 1;
    else requests?.set(word, { value: 1 });
  }

  /** The command that a word stands for, if this session may use it at all. @throws ArgoError */
  #permitted(session: Session, word: string): LoadedCommand {
    const command = this.parts.table.find(word);
    const { account } = session;
    if (!account) {
      if (command && mayUseBeforeLogin(command, this.parts.authenticator)) return command;
      throw new ArgoError('NOT AUTHENTICATED');
    }
    if (!command) throw new ArgoError('UNKNOWN COMMAND', 'help lists the commands');
    if (isOpen(command)) return command;
    const isUsable = (one: LoadedCommand): boolean => mayUseSomewhere(account, one, this.parts.table);
    if (command.byVerb.size === 0 ? !isUsable(command) : ![...command.byVerb.values()].some(isUsable)) throw new ArgoError('NOT ALLOWED');
    return command;
  }

  /** The verb that stands behind a command's word, and the words without it. @throws ArgoError */
  #verb(session: Session, command: LoadedCommand, typed: readonly Word[]): { command: LoadedCommand; words: readonly Word[] } {
    const at = typed.findIndex(({ text, quoted }, index) => index > 0 && (quoted || !text.startsWith('--')));
    const verb = command.byVerb.get(typed[at]?.text.toLowerCase() ?? '');
    if (verb === undefined) throw new ArgoError('USAGE', command.usage);
    if (!session.account || !mayUseSomewhere(session.account, verb, this.parts.table)) throw new ArgoError('NOT ALLOWED');
    return { command: verb, words: typed.filter((_, index) => index !== at) };
  }

  /** The words after the command, options taken out. @throws ArgoError USAGE */
  #arguments(command: LoadedCommand, words: readonly Word[]): { names: readonly Word[]; options: Options } {
    if (words.length === 1) return NO_ARGUMENTS;
    const rest = words.slice(1);
    const taken = command.rawWords ? { names: rest, options: NO_OPTIONS } : takeOptions(rest, command.options);
    if (!taken) throw new ArgoError('USAGE', command.usage);
    return taken;
  }

  /** Runs a command whose reply is kept where it is ready at once. */
  #runRepeatable(session: Session, line: string, command: LoadedCommand, request: Request, reply: Reply): void | Promise<void> {
    const source = this.#source;
    reply.record(READY_REPLY_SIZE);
    const running = command.run(request);
    if (running !== undefined) return this.#finish(running, request, reply);
    this.#done(request, reply);
    const text = reply.recorded;
    if (text !== undefined && line.length <= READY_REPLY_SIZE)
      this.#ready.keep(this.#principal(session), line, reply.eol, source, { word: command.word, text });
  }

  /** Resolves and authorises the instances, says 200, and runs. */
  async #runOnInstances(session: Session, command: LoadedCommand, request: Request, names: readonly Word[], reply: Reply): Promise<void> {
    try {
      const chosen = namesOf(command, names);
      if (chosen === undefined || chosen.length === 0) request.usage();
      await Request.select(request, chosen);
      if (command.on !== 'instance') reply.accept();
      else if (!Request.isSingle(request)) request.usage();
      await this.#finish(command.run(request), request, reply);
    } catch (thrown) {
      this.#fail(thrown, reply, request, session);
      Request.end(request);
    }
  }

  /** Ends the reply when the command has ended, or when it has not got on for too long. */
  async #finish(running: void | Promise<void>, request: Request, reply: Reply): Promise<void> {
    try {
      await unlessStuck(request, Promise.resolve(running), reply, this.#timeLimit(request));
      Request.requireFinished(request);
      reply.done();
    } catch (thrown) {
      Request.abort(request, toArgoError(thrown));
      this.#fail(thrown, reply, request);
    } finally {
      Request.end(request);
    }
  }

  /** Milliseconds without progress after which a command is given up: well past its own deadlines. */
  #timeLimit(request: Request): number {
    if (!Request.mayAct(request)) return COMMAND_TIMEOUT;
    const { wait, timeout = 0, rollback = 0 } = request.options;
    const longest = Math.max(this.parts.gate.longestActionTimeout, timeout, WORK_TIMEOUT, rollback + NETWORK_MARGIN);
    return COMMAND_TIMEOUT + HARD_STOP_TIMEOUT + longest + (typeof wait === 'number' ? wait : 0);
  }

  #done(request: Request, reply: Reply): void {
    Request.requireFinished(request);
    reply.done();
    Request.end(request);
  }

  #fail(thrown: unknown, reply: Reply, request: Request | undefined, session?: Session): void {
    const error = toArgoError(thrown);
    if (error.phrase === 'NOT ALLOWED' && session) this.parts.log('info', 'refused', { account: session.account?.name, from: session.from });
    if (!(thrown instanceof ClientGone)) logFault(this.parts.log, error, request && Request.commandOf(request));
    reply.fail(error);
  }
}

/** Ends with the command; with TIMEOUT when its reply has not got on for so many milliseconds; or when nobody is left for whom it is. */
function unlessStuck(request: Request, running: Promise<void>, reply: Reply, limit: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let timer: NodeJS.Timeout;
    const watch = (before: number): void => {
      timer = setTimeout(() => {
        if (reply.progress > before || reply.isHandedOver) watch(reply.progress);
        else end(() => reject(new ArgoError('TIMEOUT', 'the command did not end')));
      }, limit);
    };
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      forget();
      settle();
    };
    watch(reply.progress);
    const forget = Request.whenForNobody(request, () => {
      clearTimeout(timer);
      reject(new ClientGone());
    });
    running.then(() => end(resolve), (thrown: unknown) => end(() => reject(thrown as Error)));
  });
}
