import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError, toArgoError } from '../kit/errors.js';
import { FAN_OUT, WAVE, WAVE_PAUSE } from '../kit/limits.js';
import type { PowerAction } from '../instances/actions.js';
import type { Operations, Readings } from '../instances/operations.js';
import type { Order } from '../instances/power-run.js';
import type { Permission } from '../instances/principal.js';
import type { Registry } from '../instances/registry.js';
import { View, type Entry } from '../instances/view.js';
import type { PowerState } from '../drivers/driver.js';
import type { Log } from '../kit/log.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { Body, Command, Context, Options, Target } from '../plugins/host/contract.js';
import type { CommandTable } from '../plugins/host/command-table.js';
import { ClientGone, type Reply } from './reply.js';
import type { Session } from './session.js';

/** What a request works with, beside its own words. */
export interface Services {
  readonly authenticator: Authenticator;
  readonly registry: Registry;
  readonly operations: Operations;
  readonly table: CommandTable;
  readonly log: Log;
}

/** One request under way: all that a plugin gets to see. */
export class Request implements Context {
  targets: readonly Target[] = [];
  /** one plain name was given: the body has no line a target */
  isSingle = true;
  #controller: AbortController | undefined;
  readonly #services: Services;
  readonly #session: Session;
  readonly #reply: Reply;
  readonly #command: Command;

  constructor(
    services: Services,
    session: Session,
    reply: Reply,
    command: Command,
    readonly args: readonly string[],
    readonly options: Options,
  ) {
    this.#services = services;
    this.#session = session;
    this.#reply = reply;
    this.#command = command;
  }

  get account(): string | undefined {
    return this.#session.account?.name;
  }

  get body(): Body {
    return this.#reply;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** Tells the plugin that its time is over. */
  abort(reason: Error): void {
    this.#controller?.abort(reason);
  }

  async each(work: (target: Target) => Promise<string | readonly string[] | void>): Promise<void> {
    const { targets } = this;
    const reply = this.#reply;
    const [first] = targets;
    if (this.isSingle && first) {
      asLines(await work(first)).forEach((line) => reply.line(line));
      return;
    }
    const view = this.#view();
    const queue = targets.values();
    let failed = 0;
    const worker = async (): Promise<void> => {
      for (const target of queue) {
        const lines = await this.#outcome(target, work);
        if (lines.failed) failed += 1;
        const name = view.display(target);
        await this.#tell(lines.texts.map((text) => `${name}: ${text}`));
      }
    };
    const workers: Promise<void>[] = [];
    for (let count = Math.min(FAN_OUT, targets.length); count > 0; count -= 1) {
      workers.push(worker());
      if (workers.length % WAVE === 0) await sleep(WAVE_PAUSE);
    }
    await Promise.all(workers);
    if (failed > 0) throw new ArgoError('FAILED', `${failed} of ${targets.length}`);
  }

  async power(target: Target, action: PowerAction): Promise<string | void> {
    const { force, timeout, wait, dryRun } = this.options;
    const order: Order = { instance: target, action, force, timeout, wait };
    const { operations } = this.#services;
    if (!dryRun) return operations.power(this.#session.caller, this.#permission, order);
    const plan = await operations.plan(this.#session.caller, this.#permission, order);
    return this.isSingle ? `${this.#view().display(target)}: ${plan}` : plan;
  }

  status(target: Target): Promise<PowerState> {
    return this.#services.operations.status(this.#session.caller, this.#permission, target, this.options.timeout);
  }

  read<Name extends keyof Readings>(target: Target, name: Name): Promise<Readings[Name]> {
    return this.#services.operations.read(this.#session.caller, this.#permission, target, name, this.options.timeout);
  }

  async dmesg(): Promise<string> {
    const [name] = this.args;
    const { registry, operations } = this.#services;
    const { principal } = this.#session;
    const allowed = registry.providers().filter((provider) => principal.allowsProvider(provider.name, this.#permission));
    const found = name === undefined ? allowed.filter((provider) => provider.supportsDmesg) : allowed.filter((provider) => provider.name === name);
    const [provider, second] = found;
    if (second) throw new ArgoError('AMBIGUOUS', found.map((one) => one.name).join(', '));
    if (provider) return operations.dmesg(this.#session.caller, this.#permission, provider, this.options.timeout);
    if (name !== undefined && principal.allowsProvider(name, this.#permission)) throw new ArgoError('NO SUCH PROVIDER', name);
    if (name === undefined && allowed.length > 0) throw new ArgoError('NOT SUPPORTED', 'no provider has a hypervisor log to show');
    throw new ArgoError('NOT ALLOWED');
  }

  visible(): Iterable<Entry> {
    return this.#view().entries();
  }

  *commands(): Generator<Command> {
    for (const command of this.#services.table.all()) if (this.#mayUse(command)) yield command;
  }

  remark(text: string): void {
    this.#reply.remark(text);
  }

  staleness(): readonly string[] {
    return this.#view().staleness();
  }

  async login(account: string, password: string): Promise<void> {
    const session = this.#session;
    const { authenticator, log } = this.#services;
    session.account = undefined;
    session.account = await authenticator.login(account, password, session.address, this.signal);
    if (session.account) {
      log('info', 'login', { account, from: session.from });
    } else {
      // what was typed as a name may be a password: only names of accounts are told
      log('warn', 'login refused', { account: authenticator.knows(account) ? account : undefined, from: session.from });
      throw new ArgoError('NOT AUTHENTICATED');
    }
  }

  close(): void {
    this.#session.closing = true;
  }

  usage(): never {
    throw new ArgoError('USAGE', this.#command.usage);
  }

  /** The command as grants see it; only `read` and `power` commands ever ask. */
  get #permission(): Permission {
    return permissionOf(this.#command);
  }

  #view(): View {
    return new View(this.#services.registry, this.#session.principal);
  }

  /** A client that goes away does not undo what it started: the targets that are left have their turn. */
  async #tell(lines: readonly string[]): Promise<void> {
    try {
      await this.#reply.lines(lines);
    } catch (error) {
      if (!(error instanceof ClientGone)) throw error;
    }
  }

  #mayUse(command: Command): boolean {
    if (!this.#session.account) return mayUseBeforeLogin(command, this.#services.authenticator);
    if (command.right === 'anyone' || command.right === 'listing') return true;
    const permission = permissionOf(command);
    if (command.on !== 'provider') return this.#session.account.allowsSomewhere(permission);
    return this.#services.registry.providers().some(({ name }) => this.#session.principal.allowsProvider(name, permission));
  }

  async #outcome(
    target: Target, work: (target: Target) => Promise<string | readonly string[] | void>,
  ): Promise<{ failed: boolean; texts: readonly string[] }> {
    try {
      const result = await work(target);
      return { failed: false, texts: result === undefined ? ['done'] : nothingAsDash(asLines(result)) };
    } catch (thrown) {
      return { failed: true, texts: [toArgoError(thrown).message] };
    }
  }
}

export function permissionOf({ word, right }: Command): Permission {
  return { word, right: right === 'power' ? 'power' : 'read' };
}

export function mayUseBeforeLogin({ right }: Command, authenticator: Authenticator): boolean {
  return right === 'anyone' || (right === 'listing' && authenticator.anonymous.sees());
}

/** Every target has its line, also where there is nothing to tell. */
const nothingAsDash = (lines: readonly string[]): readonly string[] => (lines.length > 0 ? lines : ['-']);

function asLines(lines: string | readonly string[] | void): readonly string[] {
  if (lines === undefined) return [];
  return typeof lines === 'string' ? [lines] : lines;
}
