import { ArgoError, withoutCause } from '../kit/errors.js';
import { LinkedList } from '../kit/linked-list.js';
import { closeClass } from '../kit/closed.js';
import { Slices } from '../kit/slices.js';
import { isPattern, type TagTest } from '../kit/patterns.js';
import { isTagWord } from '../kit/tags.js';
import { UnderWay } from '../kit/under-way.js';
import { checkOperation, checkReading, checkSetting, checkWork, copyCall, copyChange, copyName, copyOrder, copyPowerCall, copyRef, copyWorkRequest, chosenBy, frozenCopy, frozenList } from './entrance.js';
import { fanOut, WHOLE_SHARE, type Settled, type Share } from './fan-out.js';
import type { InstanceInfo, InstanceRef } from './info.js';
import type { Instance } from './instance.js';
import { Listing } from './listing.js';
import { copyConsoleOrder, type ConsoleOrder } from './console-order.js';
import type { ConsoleHolder, HeldConsole, OpenConsole } from './consoles.js';
import { OPERATIONS, RIGHTS, type OperationName, type Right } from './operation-table.js';
import type { Operations, ReadingName, Readings } from './operations.js';
import { tasksOf, type Tasks } from './tasks.js';
import { mayKnowWhy, told, toldTo } from './told.js';
import type { Call, Change, ChangeOutcome, Outcome, PowerCall, PowerOrder, ReadCall, WorkRequest } from './order.js';
import { EventSubscription, type EventFilter, type Subscription, type ToldEvent } from './subscription.js';
import type { OwnWork } from './own-work.js';
import type { Cursor } from './events.js';
import { Choice } from './choice.js';
import { ActorEnrolment } from './enrolment-access.js';
import type { Enrolment } from './enrolment.js';
import { ActorFleet, type Fleet } from './fleet.js';
import { ActorTags } from './tag-access.js';
import type { Tags } from './tags.js';
import { overviewOf, statesOf, type InstanceState, type Overview } from './overview.js';
import { ActorOrders, type Orders } from './orders.js';
import type { AuditPage, AuditWanted } from './audit-view.js';
import { allows, allowsProvider, permissionOf } from './permits.js';
import { PinnedOwners } from './pinned-owners.js';
import { ActorPlans } from './plan-access.js';
import type { Plans } from './plans.js';
import { cancellable, lostWords, mayEverything, type Mandate } from './principal.js';
import type { Owner } from './owner.js';
import type { Asking } from './readings.js';
import type { Subject } from './subject.js';
import { View, type TypedName } from './view.js';
import { visibleGroups, type VisibleGroup } from './visible-groups.js';
import type { Actor, Selected, WorkSubject } from './actor.js';
import type { ActorParts } from './actor-parts.js';
import type { WorkArgs, WorkName, WorkResult } from './work-table.js';

const isOver = (): ArgoError => new ArgoError('NOT ALLOWED', 'the request is over');

/** The actor that {@link Gate} hands out. Each request that looks at a machine makes one, so what few need is made when they do. */
export class GateActor implements Actor {
  readonly #parts: ActorParts;
  readonly #operations: Operations;
  readonly #mandate: Mandate;
  #ended = false;
  #controller: AbortController | undefined;
  #forgetAccount: (() => void) | undefined;
  #forgetClient: (() => void) | undefined;
  readonly #pinned = new PinnedOwners();
  /** of the account's readings, when it does many at a time */
  #share: Share | undefined;
  /** readings under way */
  #open: LinkedList<Asking> | undefined;
  #consoles: Set<HeldConsole> | undefined;
  /** power actions and changes of settings */
  #changes: UnderWay | undefined;
  /** why no reading is begun any longer */
  #readingsEnded: Error | undefined;

  constructor(parts: ActorParts, operations: Operations, mandate: Mandate) {
    this.#parts = parts;
    this.#operations = operations;
    this.#mandate = mandate;
  }

  /** Ends what may be done through an actor of a request that is over: who kept it has nothing. What was begun goes on. */
  static end(actor: GateActor): void {
    actor.#ended = true;
    if (actor.#open && actor.#open.size > 0) GateActor.endReadings(actor, isOver());
    for (const one of actor.#consoles ?? []) one.end(isOver());
    actor.#share?.end();
    actor.#forgetAccount?.();
    actor.#forgetClient?.();
  }

  /** Whether power actions or changes of settings have not ended. */
  static isChanging(actor: GateActor): boolean {
    return actor.#changes?.isNone === false;
  }

  /** Ends the readings under way and to come: nobody is left to be told. Power actions go on. */
  static endReadings(actor: GateActor, reason: Error): void {
    actor.#readingsEnded ??= reason;
    for (const one of actor.#open ?? []) one.end(reason);
  }

  /**
   * What a command's words select, where the account may use it on all of that. What is known of each is made when it is its turn: of
   * many thousands it would be a large part of the memory. @throws ArgoError as `select` and `require`
   */
  static async choose(actor: GateActor, words: readonly TypedName[]): Promise<Choice> {
    const view = actor.#view();
    const { identity, through } = actor.#mandate;
    const select = through?.right === 'read' ? 'select' : 'selectClearly';
    const { instances, isSingle, stale } = await view[select](words, actor.#parts.groups(), await actor.#tagTest(words));
    const slices = new Slices();
    for (const instance of instances) {
      if (slices.isOver()) await slices.pause();
      if (through === undefined || !identity.principal.allows(instance, through)) throw new ArgoError('NOT ALLOWED');
    }
    actor.#pinned.pin(instances);
    return new Choice(instances, isSingle, stale, view);
  }

  get name(): string {
    return this.#mandate.identity.name;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = this.#controller = new AbortController();
      if (!this.#ended) this.#forgetAccount = this.#mandate.identity.onTakenAway(() => controller.abort(new ArgoError('NOT ALLOWED', lostWords(this.#mandate.identity))));
    }
    return this.#controller.signal;
  }

  visible(): Listing {
    return Listing.of(this.#view(), () => this.#requireOpen());
  }

  async overview(): Promise<Overview> {
    return this.#ended ? { providers: [], isWhole: false } : overviewOf(this.#parts.registry, this.#mandate.identity.principal);
  }

  states(): Iterable<InstanceState> {
    return this.#ended ? [] : statesOf(this.#parts.registry, this.#mandate.identity.principal);
  }

  async groups(): Promise<readonly VisibleGroup[]> {
    return visibleGroups(this.#view(), this.#parts.groups());
  }

  staleness(): readonly string[] {
    return this.#view().staleness();
  }

  async select(words: readonly (string | TypedName)[]): Promise<Selected> {
    const names = Array.from(words, copyName);
    const view = this.#view();
    const { instances, isSingle, stale } = await view.select(names, this.#parts.groups(), await this.#tagTest(names));
    this.#pinned.pin(instances);
    return { instances: Object.freeze(instances.map((instance) => view.info(instance))), isSingle, stale };
  }

  display(on: InstanceRef): string {
    return this.#view().display(this.#find(on));
  }

  known(on: InstanceRef): InstanceInfo {
    return this.#view().info(this.#find(on));
  }

  rights(): readonly Right[] {
    const { principal } = this.#mandate.identity;
    const permissions = (Object.keys(OPERATIONS) as OperationName[]).map(permissionOf);
    const isHeld = (right: Right): boolean =>
      [{ word: right, right }, ...permissions.filter((one) => one.right === right)].some((one) => principal.allowsSomewhere(one));
    return this.#ended ? [] : RIGHTS.filter(isHeld);
  }

  mayAll(): boolean {
    return !this.#ended && this.#mandate.through === undefined && mayEverything(this.#mandate.identity.principal);
  }

  may(operation: OperationName, on: InstanceRef): boolean {
    const { provider, id } = copyRef(on);
    const instance = this.#parts.registry.byId(provider, id);
    return !this.#ended && instance !== undefined && allows(this.#mandate, checkOperation(operation), instance);
  }

  require(on: readonly InstanceRef[]): void {
    const { identity: { principal }, through } = this.#mandate;
    if (through === undefined || on.some((one) => !principal.allows(this.#find(one), through))) throw new ArgoError('NOT ALLOWED');
  }

  async power(on: InstanceRef, order: PowerOrder, call: PowerCall = {}): Promise<Outcome> {
    const instance = this.#find(on);
    const { cancel, ...asked } = copyPowerCall(call);
    return this.#changing(instance, this.#operations.power(cancellable(this.#mandate, cancel), instance, copyOrder(order), asked));
  }

  async plan(on: InstanceRef, order: PowerOrder, call: Call = {}): Promise<string> {
    const instance = this.#find(on);
    return told(this.#operations.plan(this.#mandate, instance, copyOrder(order), copyCall(call), this.#beginReading()), this.#knows(instance));
  }

  async bootMark(on: InstanceRef, call: Call = {}): Promise<string | undefined> {
    return told(this.#operations.bootMark(this.#mandate, this.#find(on), copyCall(call), this.#beginReading()), false);
  }

  async configure(on: InstanceRef, change: Change, call: Call = {}): Promise<ChangeOutcome> {
    const instance = this.#find(on);
    return this.#changing(instance, this.#operations.configure(this.#mandate, instance, copyChange(change), copyCall(call)));
  }

  async setting(on: InstanceRef, name: Change['operation'], call: Call = {}): Promise<boolean | undefined> {
    const instance = this.#find(on);
    return told(this.#operations.setting(this.#mandate, instance, checkSetting(name), copyCall(call), this.#beginReading()), this.#knows(instance));
  }

  async planChange(on: InstanceRef, change: Change, call: Call = {}): Promise<string> {
    const instance = this.#find(on);
    return told(this.#operations.planChange(this.#mandate, instance, copyChange(change), copyCall(call), this.#beginReading()), this.#knows(instance));
  }

  async console(on: InstanceRef, order: ConsoleOrder, call: Call = {}): Promise<OpenConsole> {
    const [instance, consoles] = [this.#find(on), this.#consoles ??= new Set()];
    return told(this.#operations.openConsole(this.#mandate, instance, copyConsoleOrder(order), copyCall(call), (one) => {
      consoles.add(one);
      return () => consoles.delete(one);
    }), this.#knows(instance));
  }

  consoleHolders(on: InstanceRef): readonly ConsoleHolder[] {
    return this.#operations.consoleHolders(this.#mandate, this.#find(on));
  }

  async read<Name extends ReadingName>(on: InstanceRef, name: Name, call: ReadCall = {}): Promise<Readings[Name]> {
    const instance = this.#find(on);
    const asked = copyCall(call);
    const work = this.#operations.read(this.#mandate, instance, checkReading(name), asked, this.#beginReading());
    return frozenCopy(await toldTo(asked, work, this.#knows(instance)));
  }

  async work<Name extends WorkName>(name: Name, on: WorkSubject<Name>, args: WorkArgs<Name>, call: WorkRequest = {}): Promise<WorkResult<Name>> {
    const subject = this.#subject(name, on);
    const asked = copyWorkRequest(call);
    const work = this.#operations.works.carryOut(this.#mandate, name, subject, args, asked, () => this.#beginReading());
    return frozenList(await toldTo(asked, work, this.#knows(subject)));
  }

  async planWork<Name extends WorkName>(name: Name, on: WorkSubject<Name>, args: WorkArgs<Name>, call: Call = {}): Promise<string> {
    const subject = this.#subject(name, on);
    const asked = copyCall(call);
    return toldTo(asked, this.#operations.works.plan(this.#mandate, name, subject, args, asked, () => this.#beginReading()), this.#knows(subject));
  }

  works(on: string | InstanceRef): readonly WorkName[] {
    this.#requireOpen();
    const { works } = this.#operations;
    return Object.freeze(typeof on === 'string' ? works.offeredBy(this.#mandate, on) : works.offered(this.#mandate, this.#find(on)));
  }

  async dmesg(name: string | undefined, call: Call = {}): Promise<string> {
    return told(this.#dmesg(name, copyCall(call)), true); // it takes a grant that covers all of the provider
  }

  async #dmesg(name: string | undefined, call: Call): Promise<string> {
    const { registry } = this.#parts;
    const allowed = registry.providers().filter((one) => this.#mayOn('dmesg', one.name));
    const found = name === undefined ? allowed.filter((one) => one.supportsDmesg) : allowed.filter((one) => one.name === name);
    const [provider, second] = found;
    if (second) throw new ArgoError('AMBIGUOUS', found.map((one) => one.name).join(', '));
    if (provider) return this.#operations.dmesg(this.#mandate, provider, call, this.#beginReading());
    if (name !== undefined && this.#mayOn('dmesg', name)) throw new ArgoError('NO SUCH PROVIDER', name);
    if (name === undefined && allowed.length > 0) throw new ArgoError('NOT SUPPORTED', 'no provider has a hypervisor log to show');
    throw new ArgoError('NOT ALLOWED');
  }

  get tasks(): Tasks {
    return tasksOf(this.#operations, this.#mandate, () => this.#ended);
  }

  get orders(): Orders {
    return new ActorOrders(this.#parts.orders, this.#mandate, { isOver: () => this.#ended, nameOf: (on) => this.#find(on).fullName });
  }

  get plans(): Plans {
    return new ActorPlans(this.#parts.plans?.(), this.#mandate, () => this.#ended);
  }

  get tags(): Tags {
    return new ActorTags({
      desk: this.#parts.tagDesk,
      mandate: this.#mandate,
      requireOpen: () => this.#requireOpen(),
      find: (on) => this.#find(on),
      groups: () => this.groups(),
    });
  }

  get enrolment(): Enrolment {
    return new ActorEnrolment(this.#parts.enrolment?.(), this.#mandate, () => this.#requireOpen());
  }

  get fleet(): Fleet {
    return new ActorFleet(this.#parts.fleet?.(), this.#parts.registry, this.#mandate.identity.principal, () => this.#requireOpen());
  }

  providers(operation: OperationName): readonly string[] {
    return this.#parts.registry.providers().map(({ name }: Owner) => name).filter((name) => this.#mayOn(operation, name));
  }

  async watch(filter: EventFilter, after?: Cursor): Promise<Subscription> {
    return this.#subscribe(filter, after);
  }

  async lastEvents(filter: EventFilter, most: number): Promise<readonly ToldEvent[]> {
    return (await this.#subscribe(filter, undefined)).last(most);
  }

  async audit(wanted: AuditWanted): Promise<AuditPage> {
    this.#requireOpen();
    return told(this.#parts.audited.page(this.#mandate, wanted));
  }

  async record<T>(own: OwnWork, work: () => Promise<T>, wordsOf: (thrown: unknown) => string | undefined = () => undefined): Promise<T> {
    this.#requireOpen();
    return this.#parts.ownWorks.record(this.#mandate, own, work, wordsOf);
  }

  async #subscribe({ names, types, listed }: EventFilter, after: Cursor | undefined): Promise<EventSubscription> {
    const { registry: { events }, maxWatchersPerAccount = () => 0, groups } = this.#parts;
    const { identity, origin } = this.#mandate;
    const mayKnow = async (plan: string): Promise<boolean> => await this.#parts.plans?.()?.mayKnow({ identity, origin }, plan) ?? false;
    if (events === undefined || this.#ended) throw new ArgoError('NOT SUPPORTED', 'there are no events');
    for (const name of names ?? []) if (!isPattern(name) && !name.startsWith('@')) await this.#view().select([{ text: name, quoted: true }], groups());
    const tags = names && await this.#tagTest(names.map((text) => ({ text, quoted: false })));
    return new EventSubscription({ events, identity, patterns: names && chosenBy(names, groups, tags), chosen: tags === undefined ? names?.join('\n') : undefined, types, listed, after, mostOfAccount: maxWatchersPerAccount(), mayKnow, isOver: () => this.#ended });
  }

  each<One, T>(on: Iterable<One>, work: (one: One) => Promise<T>): AsyncIterable<Settled<T, One>> {
    const { identity, through } = this.#mandate;
    this.#share ??= through?.right === 'read' && !this.#ended ? this.#operations.readingShares.take(identity.name) : WHOLE_SHARE;
    return fanOut(on, work, this.#share.most);
  }

  /** What says who has a tag, where a name is one of a tag: nobody else waits for the tags to be read. @throws ArgoError FAILED */
  async #tagTest(names: readonly TypedName[]): Promise<TagTest | undefined> {
    return names.some(({ text, quoted }) => !quoted && isTagWord(text)) ? told(this.#parts.tagDesk.test()) : undefined;
  }

  #mayOn(operation: OperationName, provider: string): boolean {
    return !this.#ended && allowsProvider(this.#mandate, checkOperation(operation), provider);
  }

  /** Where the readings under way are held, so that they end with the client who waits for them. */
  #beginReading(): LinkedList<Asking> {
    if (this.#readingsEnded) throw withoutCause(this.#readingsEnded);
    this.#open ??= new LinkedList();
    this.#forgetClient ??= this.#mandate.client?.onGone(() => GateActor.endReadings(this, new ArgoError('UNREACHABLE', 'nobody is left to be told')));
    return this.#open;
  }

  /** What a piece of work is done to. @throws ArgoError */
  #subject<Name extends WorkName>(name: Name, on: WorkSubject<Name>): Subject {
    this.#requireOpen();
    if (typeof on === 'string') return this.#operations.works.provider(this.#mandate, checkWork(name, 'provider'), on);
    checkWork(name, 'instance');
    return this.#find(on as InstanceRef);
  }

  async #changing<T>(instance: Instance, change: Promise<T>): Promise<T> {
    return Object.freeze(await told((this.#changes ??= new UnderWay()).count(change), this.#knows(instance)));
  }

  #knows(subject: Subject): boolean {
    return mayKnowWhy(this.#mandate, subject);
  }

  #requireOpen(): void {
    if (this.#ended) throw isOver();
  }

  #view(): View {
    this.#requireOpen();
    return new View(this.#parts.registry, this.#mandate.identity.principal);
  }

  /**
   * The instance that is meant. One that may not be seen is told as one that is not there would be: the
   * name may be a lie, so it must not bring out which of the two it is.
   */
  #find(on: InstanceRef): Instance {
    this.#requireOpen();
    const { principal } = this.#mandate.identity;
    const { provider, id, name } = copyRef(on);
    if (this.#pinned.isReplaced(provider, this.#parts.registry.providerNamed(provider))) {
      throw principal.reaches(provider) || principal.coversName(name) ? new ArgoError('UNREACHABLE', `${provider} has been configured anew meanwhile`) : new ArgoError('NOT ALLOWED');
    }
    const instance = this.#parts.registry.byId(provider, id);
    if (instance && principal.sees(instance)) {
      this.#pinned.pin([instance]);
      return instance;
    }
    throw principal.coversName(name) ? new ArgoError('NO SUCH INSTANCE', name) : new ArgoError('NOT ALLOWED');
  }
}

closeClass(GateActor);
