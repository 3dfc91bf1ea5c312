import type { Settled } from './fan-out.js';
import type { InstanceInfo, InstanceRef } from './info.js';
import type { Listing } from './listing.js';
import type { ConsoleOrder } from './console-order.js';
import type { ConsoleHolder, OpenConsole } from './consoles.js';
import type { OperationName, OPERATIONS, Right } from './operation-table.js';
import type { ReadingName, Readings } from './operations.js';
import type { Tasks } from './tasks.js';
import type { Call, Change, ChangeOutcome, Outcome, PowerCall, PowerOrder, ReadCall, WorkRequest } from './order.js';
import type { EventFilter, Subscription, ToldEvent } from './subscription.js';
import type { Cursor } from './events.js';
import type { InstanceState, Overview } from './overview.js';
import type { Enrolment } from './enrolment.js';
import type { Fleet } from './fleet.js';
import type { Orders } from './orders.js';
import type { AuditPage, AuditWanted } from './audit-view.js';
import type { OwnWork } from './own-work.js';
import type { Plans } from './plans.js';
import type { Tags } from './tags.js';
import type { TypedName } from './view.js';
import type { VisibleGroup } from './visible-groups.js';
import type { WorkArgs, WorkName, WorkResult } from './work-table.js';

/** What a request selects. */
export interface Selected {
  readonly instances: readonly InstanceInfo[];
  /** one plain name was given: the reply then has no line a target */
  readonly isSingle: boolean;
  /** why patterns among the words may have missed some: `kvm1 (reason)` */
  readonly stale: readonly string[];
}

/** What a piece of work is done to: a provider by its name, or an instance. */
export type WorkSubject<Name extends WorkName> = (typeof OPERATIONS)[Name]['on'] extends 'provider' ? string : InstanceRef;

/**
 * An account at work: the only way to a machine, for commands and gateways alike. What it hands out is
 * plain data; every call is decided by what the account's grants are at that moment.
 */
export interface Actor {
  /** the account's name, for the audit; empty before login */
  readonly name: string;
  /** aborted when a reload takes the account away */
  readonly signal: AbortSignal;
  /** The visible instances. */
  visible(): Listing;
  /** The providers in figures: which answer, and how many visible instances are in which state. */
  overview(): Promise<Overview>;
  /** The visible instances in figures, at less cost than {@link visible}. */
  states(): Iterable<InstanceState>;
  /** The groups of which it sees something. */
  groups(): Promise<readonly VisibleGroup[]>;
  /** Why some of what is visible may be out of date: `kvm1 (reason)`; empty while all is current. */
  staleness(): readonly string[];
  /**
   * The instances that names, globs, ranges and groups select, each once. What it may not see is not there.
   * @throws ArgoError NO MATCH, NO SUCH INSTANCE, AMBIGUOUS, NOT ALLOWED, BAD REQUEST
   */
  select(words: readonly (string | TypedName)[]): Promise<Selected>;
  /** The name by which an instance is shown: the short one where that is unique among what is visible. */
  display(on: InstanceRef): string;
  /** What is known of an instance now; the machine is not asked. @throws ArgoError */
  known(on: InstanceRef): InstanceInfo;
  /** What its grants hold somewhere: on some machine, provider or plan. For what is offered to a person at all. */
  rights(): readonly Right[];
  /** Whether its grants hold every right on everything that there is and will be, as those do of whoever administers the server itself. */
  mayAll(): boolean;
  /** Whether an operation would be allowed now. */
  may(operation: OperationName, on: InstanceRef): boolean;
  /** Checks that the command by which the actor is at work may be used on all of them. @throws ArgoError NOT ALLOWED */
  require(on: readonly InstanceRef[]): void;
  /** A power action: authorised, in its turn, verified, recorded. @throws ArgoError */
  power(on: InstanceRef, order: PowerOrder, call?: PowerCall): Promise<Outcome>;
  /** What a power action would do, in words. Nothing is sent. @throws ArgoError as the action would */
  plan(on: InstanceRef, order: PowerOrder, call?: Call): Promise<string>;
  /** What each boot of a machine changes, for who may reboot it, also over a restart of the server; undefined where it has no such mark. @throws ArgoError */
  bootMark(on: InstanceRef, call?: Call): Promise<string | undefined>;
  /** A change of a machine's settings: authorised, in its turn, read back, recorded. @throws ArgoError */
  configure(on: InstanceRef, change: Change, call?: Call): Promise<ChangeOutcome>;
  /** How a setting of a machine is now, for who may change it; undefined where it is neither on nor off. @throws ArgoError */
  setting(on: InstanceRef, name: Change['operation'], call?: Call): Promise<boolean | undefined>;
  /** What a change would do, in words. Nothing is sent. @throws ArgoError as the change would */
  planChange(on: InstanceRef, change: Change, call?: Call): Promise<string>;
  /** A console, until its stream is destroyed, the grant is gone, or what the actor was made for is over. @throws ArgoError */
  console(on: InstanceRef, order: ConsoleOrder, call?: Call): Promise<OpenConsole>;
  /** Who has a console of it open. @throws ArgoError */
  consoleHolders(on: InstanceRef): readonly ConsoleHolder[];
  /** One reading of a machine. @throws ArgoError */
  read<Name extends ReadingName>(on: InstanceRef, name: Name, call?: ReadCall): Promise<Readings[Name]>;
  /**
   * A piece of work beyond power: authorised, checked, in its turn, recorded. One that only reads ends with the caller's signal
   * and request; one that changes something goes on. The signal ends the wait for a task alone.
   * @throws ArgoError; SettingsFault by the names of the arguments
   */
  work<Name extends WorkName>(
    name: Name,
    on: WorkSubject<Name>,
    args: WorkArgs<Name>,
    call?: WorkRequest,
  ): Promise<WorkResult<Name>>;
  /** What a piece of work would do, in words, and what stands against it where that is seen at little cost. Nothing is changed. @throws ArgoError as the work would, as far as that can be known */
  planWork<Name extends WorkName>(name: Name, on: WorkSubject<Name>, args: WorkArgs<Name>, call?: Call): Promise<string>;
  /** What can be done with it and the actor may do. @throws ArgoError */
  works(on: string | InstanceRef): readonly WorkName[];
  /** The log of the hypervisor behind a provider, or behind the only one that has one. @throws ArgoError */
  dmesg(provider: string | undefined, call?: Call): Promise<string>;
  readonly tasks: Tasks;
  readonly orders: Orders;
  readonly plans: Plans;
  readonly tags: Tags;
  readonly enrolment: Enrolment;
  readonly fleet: Fleet;
  /** Names of the providers as a whole on which an operation is allowed. */
  providers(operation: OperationName): readonly string[];
  /**
   * Follows what happens to what it may read.
   * @param after an event that is known; left out: from now on
   * @throws ArgoError CURSOR EXPIRED, USAGE; what `select` says of a plain name that is not there
   */
  watch(filter: EventFilter, after?: Cursor): Promise<Subscription>;
  /** The last events that are remembered and may be known, oldest first. @throws as `watch` */
  lastEvents(filter: EventFilter, most: number): Promise<readonly ToldEvent[]>;
  /** What the audit holds of what it may read, newest first. @throws ArgoError AUDIT UNAVAILABLE */
  audit(wanted: AuditWanted): Promise<AuditPage>;
  /**
   * Does work that no machine and no provider knows of, such as on files of the server's own host, with a record in the audit:
   * before it is begun, and of how it ended. It decides and allows nothing: whoever calls it has done that.
   * @param wordsOf how the audit says why it failed, where what was thrown is no ArgoError and was meant for people
   * @throws ArgoError AUDIT UNAVAILABLE, BAD REQUEST, NOT ALLOWED before login: the work was not begun; else what the work throws
   */
  record<T>(own: OwnWork, work: () => Promise<T>, wordsOf?: (thrown: unknown) => string | undefined): Promise<T>;
  /**
   * Does work for each of many, so many at a time; yields each as it ends. The work may reject: that is
   * one of the ends. What is worked on is taken one by one as its work begins.
   */
  each<One, T>(on: Iterable<One>, work: (one: One) => Promise<T>): AsyncIterable<Settled<T, One>>;
}
