import { closeClass } from '../kit/closed.js';
import { ArgoError, causeOf, toArgoError } from '../kit/errors.js';
import { LONGEST_DEADLINE, PROVIDERS_TOLD } from '../kit/limits.js';
import type { Log } from '../kit/log.js';
import { UnderWay } from '../kit/under-way.js';
import type { Actor } from '../instances/actor.js';
import type { Choice } from '../instances/choice.js';
import { Gate } from '../instances/gate.js';
import type { TypedName } from '../instances/view.js';
import type { Listing } from '../instances/listing.js';
import type { ReadingName, Readings } from '../instances/operations.js';
import type { OperationName, PowerAction } from '../instances/operation-table.js';
import type { Call, Change, PowerOrder } from '../instances/order.js';
import type { PowerState } from '../drivers/driver.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { Body, Context, Options, Target, UsableRow } from '../plugins/host/contract.js';
import type { CommandTable, LoadedCommand } from '../plugins/host/command-table.js';
import { ClientGone, type Reply } from './reply.js';
import { isOpen, mayUseBeforeLogin, mayUseSomewhere, permissionOf } from './command-rights.js';
import { RequestBody } from './request-body.js';
import type { Session } from './session.js';
import { tellWaiting } from './waiting.js';

/** What a request works with, beside its own words. */
export interface Services {
  readonly authenticator: Authenticator;
  readonly gate: Gate;
  readonly table: CommandTable;
  readonly log: Log;
  /** counts requests by command word, where somebody wants to know */
  readonly requests?: Map<string, { value: number }>;
}

const NO_TARGETS: readonly Target[] = Object.freeze([]);

/** One request under way: all that a plugin gets to see. */
export class Request implements Context {
  readonly #services: Services;
  readonly #session: Session;
  readonly #reply: Reply;
  readonly #command: LoadedCommand;
  readonly #args: readonly string[];
  readonly #options: Options;
  #choice: Choice | undefined;
  /** the choice as a list, where the plugin asks for it */
  #targets: readonly Target[] | undefined;
  #controller: AbortController | undefined;
  #body: RequestBody | undefined;
  #actor: Actor | undefined;
  #ended = false;
  /** calls of {@link each}, {@link power} and {@link configure} */
  readonly #underWay = new UnderWay();
  #isFaultTold = false;

  constructor(services: Services, session: Session, reply: Reply, command: LoadedCommand, args: readonly string[], options: Options) {
    this.#services = services;
    this.#session = session;
    this.#reply = reply;
    this.#command = command;
    this.#args = args;
    this.#options = options;
  }

  /** Selects and authorises the targets. @throws ArgoError */
  static async select(request: Request, names: readonly TypedName[]): Promise<void> {
    const choice = await Gate.choose(request.actor, names);
    request.#choice = choice;
    if (choice.stale.length > 0) request.remark(`stale: ${choice.stale.join(', ')}`);
  }

  /** For the log. */
  static commandOf(request: Request): LoadedCommand {
    return request.#command;
  }

  /** Whether it is on one plain name. */
  static isSingle(request: Request): boolean {
    return request.#choice?.isSingle === true;
  }

  /** Whether it may do what has a deadline of its own: it is on instances, or on a provider. */
  static mayAct(request: Request): boolean {
    return (request.#choice?.size ?? 0) > 0 || request.#command.on === 'provider';
  }

  /**
   * Tells when nobody is left for whom it works: with its client, where it is only for that; else when its client has been gone
   * for as long as any action may take. What it writes meanwhile is read by nobody, and shows nobody that it gets on.
   * @returns ends that
   */
  static whenForNobody(request: Request, tell: () => void): () => void {
    let timer: NodeJS.Timeout | undefined;
    const forget = request.#session.onGone(() => {
      if (request.#goesOnAlone) timer = setTimeout(tell, LONGEST_DEADLINE).unref();
      else tell();
    });
    return () => {
      forget();
      clearTimeout(timer);
    };
  }

  /** Tells the plugin that its time is over. */
  static abort(request: Request, reason: Error): void {
    request.#controller?.abort(reason);
    if (request.#actor) Gate.endReadings(request.#actor, reason);
  }

  /** @throws Error where a command has ended before what it began: nobody knows what would come of that, so it must not be told as done */
  static requireFinished(request: Request): void {
    const isChanging = request.#actor !== undefined && Gate.isChanging(request.#actor);
    if (isChanging || !request.#underWay.isNone) throw new Error('the command ended before what it had begun: await each, power and configure, or return their promise');
  }

  /** The reply has ended: a plugin that keeps the request can do nothing with it. */
  static end(request: Request): void {
    request.#ended = true;
    if (request.#actor) Gate.end(request.#actor);
  }

  get args(): readonly string[] {
    return this.#args;
  }

  get options(): Options {
    return this.#options;
  }

  get targets(): readonly Target[] {
    this.#targets ??= this.#choice === undefined ? NO_TARGETS : Object.freeze([...this.#choice]);
    return this.#targets;
  }

  get account(): string | undefined {
    // by then it may be somebody else's connection
    return this.#ended ? undefined : this.#session.account?.name;
  }

  get body(): Body {
    this.#body ??= new RequestBody(this.#reply, this.#command.word);
    return this.#body;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  get interrupted(): AbortSignal {
    return this.#ended ? AbortSignal.abort() : this.#session.interrupted;
  }

  get actor(): Actor {
    if (this.#actor === undefined) {
      const { gate } = this.#services;
      const session = this.#session;
      const through = permissionOf(this.#command);
      const client = this.#goesOnAlone ? undefined : session;
      this.#actor = gate.actor({ identity: session.identity, through, origin: session.from, address: session.address, client, isDryRun: this.#options.dryRun });
      if (this.#ended) Gate.end(this.#actor);
    }
    return this.#actor;
  }

  each(work: (target: Target) => Promise<string | readonly string[] | void>): Promise<void> {
    return this.#underWay.count(this.#each(work));
  }

  async #each(work: (target: Target) => Promise<string | readonly string[] | void>): Promise<void> {
    const { actor } = this;
    const reply = this.#reply;
    const targets = this.#choice;
    if (targets === undefined) throw new Error('each is for a command on instances: its row lacks on');
    if (targets.isSingle) {
      for (const target of targets) asLines(await work(target)).forEach((line) => reply.line(line));
      return;
    }
    let failed = 0;
    for await (const { subject: { name }, value, error } of actor.each(named(actor, targets), ({ target }) => work(target))) {
      if (error !== undefined) failed += 1;
      const texts = error === undefined ? asOutcome(value) : [this.#wordsOf(error)];
      await this.#tell(texts.map((text) => `${name}: ${text}`));
    }
    if (failed > 0) throw new ArgoError('FAILED', `${failed} of ${targets.size}`);
  }

  power(target: Target, action: PowerAction): Promise<string | void> {
    return this.#underWay.count(this.#power(target, action));
  }

  async #power(target: Target, action: PowerAction): Promise<string | void> {
    const { actor, options: { force, timeout, wait, dryRun } } = this;
    const softFor = force && action === 'stop' ? timeout : undefined;
    const order: PowerOrder = { action, mode: softFor === undefined ? (force ? 'hard' : 'soft') : { softFor }, wait };
    const call = { deadline: softFor === undefined ? timeout : undefined };
    if (dryRun) return this.#planned(target, await actor.plan(target, order, call));
    return this.#tellingWaits(target, action, actor.power(target, order, call));
  }

  configure(target: Target, change: Change): Promise<string | void> {
    return this.#underWay.count(this.#configure(target, change));
  }

  async #configure(target: Target, change: Change): Promise<string | void> {
    const { actor, options: { dryRun } } = this;
    if (dryRun) return this.#planned(target, await actor.planChange(target, change, this.#call));
    return this.#tellingWaits(target, change.operation, actor.configure(target, change, this.#call));
  }

  async console(target: Target, kind: 'text' | 'shell'): Promise<void> {
    this.#requireOpen();
    const reply = this.#reply;
    reply.requireHandOver();
    const { stream, others, resize } = await this.actor.console(target, { kind, force: this.#options.force }, { signal: this.signal });
    const same = others.filter((one) => one.kind === kind).map(({ account, since }) => `${account} has it open since ${since.toISOString()}`);
    await reply.handOver({ stream, resize, notice: same.length === 0 ? undefined : same.join(', ') });
  }

  status(target: Target): Promise<PowerState> {
    return this.read(target, 'status');
  }

  read<Name extends ReadingName>(target: Target, name: Name): Promise<Readings[Name]> {
    return this.actor.read(target, name, this.#call);
  }

  dmesg(): Promise<string> {
    return this.actor.dmesg(this.args[0], this.#call);
  }

  visible(): Listing {
    return this.actor.visible();
  }

  *commands(): Generator<UsableRow> {
    for (const command of this.#services.table.all()) {
      this.#requireOpen();
      const { row, byVerb } = command;
      if (byVerb.size === 0) {
        const reach = this.#reachOf(command);
        if (reach) yield Object.freeze({ ...row, ...reach });
        continue;
      }
      const verbs = row.verbs.flatMap((verb) => {
        const reach = this.#reachOf(byVerb.get(verb.word)!);
        return reach ? [Object.freeze({ ...verb, ...reach })] : [];
      });
      if (verbs.length > 0) yield Object.freeze({ ...row, verbs: Object.freeze(verbs) });
    }
  }

  remark(text: string): void {
    this.#requireOpen();
    this.#reply.remark(text);
  }

  staleness(): readonly string[] {
    return this.actor.staleness();
  }

  async login(account: string, password: string): Promise<void> {
    this.#requireOpen();
    const session = this.#session;
    const { authenticator, log } = this.#services;
    session.logOut();
    const { signal } = this;
    const forget = session.onGone(() => this.#controller?.abort(new ClientGone()));
    const found = await authenticator.login(account, password, session.address, signal).finally(forget);
    this.#requireOpen();
    if (found) {
      session.logIn(found);
      log('info', 'login', { account, from: session.from });
    } else {
      // what was typed as a name may be a password: only names of accounts are told
      log('warn', 'login refused', { account: authenticator.knows(account) ? account : undefined, from: session.from });
      throw new ArgoError('NOT AUTHENTICATED');
    }
  }

  close(): void {
    this.#requireOpen();
    this.#session.closing = true;
  }

  usage(): never {
    throw new ArgoError('USAGE', this.#command.usage);
  }

  /** What acts does so without its client, too, and so do its readings: each has a deadline. */
  get #goesOnAlone(): boolean {
    return this.#command.right !== 'read' && !isOpen(this.#command) && !this.#options.dryRun;
  }

  /** How one of many failed, in words for the client; the log has the first cause of what was not meant for people. */
  #wordsOf(thrown: unknown): string {
    const error = toArgoError(thrown);
    if (!this.#isFaultTold) logFault(this.#services.log, error, this.#command);
    this.#isFaultTold ||= error.phrase === 'INTERNAL ERROR';
    return error.message;
  }

  /** Whoever named one machine is told what its action waits for. */
  async #tellingWaits(target: Target, operation: OperationName, work: Promise<unknown>): Promise<void> {
    const end = this.#choice?.isSingle === true ? tellWaiting(this.actor, { operation, target }, (words) => this.#reply.line(words)) : undefined;
    await work.finally(end);
  }

  #planned(target: Target, plan: string): string {
    return this.#choice?.isSingle === true ? `${this.actor.display(target)}: ${plan}` : plan;
  }

  get #call(): Call {
    return { deadline: this.options.timeout };
  }

  /** What is at the other end belongs to the next request by then, and maybe to another account. */
  #requireOpen(): void {
    if (this.#ended) throw new ArgoError('NOT ALLOWED', 'the request is over');
  }

  /**
   * A client that goes away does not undo what it started: the targets that are left have their turn.
   * @throws ClientGone where it is only read for the client
   */
  async #tell(lines: readonly string[]): Promise<void> {
    try {
      await this.#reply.lines(lines);
    } catch (error) {
      if (!(error instanceof ClientGone && this.#goesOnAlone)) throw error;
    }
  }

  /** Where a command or verb may be used, as {@link UsableRow} says it; undefined: nowhere. */
  #reachOf(command: LoadedCommand): { readonly providers?: readonly string[] } | undefined {
    const { account } = this.#session;
    const { gate, authenticator, table } = this.#services;
    if (!account) return mayUseBeforeLogin(command, authenticator) && !command.unlisted ? {} : undefined;
    if (isOpen(command)) return {};
    if (command.on !== 'provider') return mayUseSomewhere(account, command, table) ? {} : undefined;
    const permission = permissionOf(command);
    const providers = [];
    for (const name of gate.providersFor(account, permission)) if (providers.push(name) === PROVIDERS_TOLD) break;
    return providers.length > 0 ? { providers: Object.freeze(providers) } : undefined;
  }
}

closeClass(Request);

/** What went wrong by a fault of the server or of a plugin goes to the log alone, with the command's name: what a plugin throws may say nothing. */
export function logFault(log: Log, error: ArgoError, command: LoadedCommand | undefined): void {
  if (error.phrase === 'INTERNAL ERROR') log('error', 'command failed', { command: command && permissionOf(command).word, cause: causeOf(error) });
}

/** Targets with the names by which they are shown when their turn comes: whatever becomes of them, these stay. */
function* named(actor: Actor, targets: Iterable<Target>): Generator<{ readonly target: Target; readonly name: string }> {
  for (const target of targets) yield { target, name: displayed(actor, target) };
}

/** An instance that has gone meanwhile is told by its short name. */
function displayed(actor: Actor, target: Target): string {
  try {
    return actor.display(target);
  } catch {
    return target.name;
  }
}

/** Every target has its line, also where there is nothing to tell. */
function asOutcome(value: string | readonly string[] | void): readonly string[] {
  if (value === undefined) return ['done'];
  const lines = asLines(value);
  return lines.length > 0 ? lines : ['-'];
}

/** A plugin may have been written without types: what is no list is one line. */
function asLines(lines: string | readonly string[] | void): readonly string[] {
  if (lines === undefined) return [];
  return Array.isArray(lines) ? Array.from(lines as readonly unknown[], String) : [String(lines as unknown)];
}
