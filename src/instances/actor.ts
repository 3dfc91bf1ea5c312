import { ArgoError } from '../kit/errors.js';
import type { Groups } from '../kit/patterns.js';
import { FAN_OUT } from '../kit/limits.js';
import { fanOut, type Settled } from './fan-out.js';
import { infoOf, type InstanceInfo, type InstanceRef } from './info.js';
import type { Instance } from './instance.js';
import { Listing } from './listing.js';
import type { OperationName } from './operation-table.js';
import type { Operations, ReadingName, Readings, TaskInfo } from './operations.js';
import type { Call, Outcome, PowerOrder, ReadCall } from './order.js';
import type { Mandate } from './principal.js';
import type { Provider } from './provider.js';
import type { Asking } from './readings.js';
import type { Registry } from './registry.js';
import { View, type TypedName } from './view.js';

/** What a request selects. */
export interface Selected {
  readonly instances: readonly InstanceInfo[];
  /** one plain name was given: the reply then has no line a target */
  readonly isSingle: boolean;
}

/** The power actions under way: own ones; all of a provider for an account that may do everything there. */
export interface Tasks {
  list(): readonly TaskInfo[];
  get(id: string): TaskInfo | undefined;
  /** Ends the waiting for one. What was sent stays sent. @throws ArgoError NO SUCH TASK */
  cancel(id: string): void;
}

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
  /** Whether an operation would be allowed now. */
  may(operation: OperationName, on: InstanceRef): boolean;
  /** Checks that the command by which the actor is at work may be used on all of them. @throws ArgoError NOT ALLOWED */
  require(on: readonly InstanceRef[]): void;
  /** A power action: authorised, in its turn, verified, recorded. @throws ArgoError */
  power(on: InstanceRef, order: PowerOrder, call?: Call): Promise<Outcome>;
  /** What a power action would do, in words. Nothing is sent. @throws ArgoError as the action would */
  plan(on: InstanceRef, order: PowerOrder, call?: Call): Promise<string>;
  /** One reading of a machine. @throws ArgoError */
  read<Name extends ReadingName>(on: InstanceRef, name: Name, call?: ReadCall): Promise<Readings[Name]>;
  /** The log of the hypervisor behind a provider, or behind the only one that has one. @throws ArgoError */
  dmesg(provider: string | undefined, call?: Call): Promise<string>;
  readonly tasks: Tasks;
  /** Names of the providers as a whole on which an operation is allowed. */
  providers(operation: OperationName): readonly string[];
  /** Does work for each of many, so many at a time; yields each as it ends. The work may reject: that is one of the ends. */
  each<T>(on: readonly InstanceInfo[], work: (one: InstanceInfo) => Promise<T>): AsyncIterable<Settled<T, InstanceInfo>>;
}

/** What an actor is made of, which nobody outside gets to see. */
export interface ActorParts {
  readonly registry: Registry;
  readonly operations: Operations;
  readonly mandate: Mandate;
  groups(): Groups;
}

/** The actor that {@link Gate} hands out. */
export class GateActor implements Actor {
  readonly #parts: ActorParts;
  #ended = false;
  /** made when somebody asks for the signal: nearly nobody does */
  #controller: AbortController | undefined;
  #stopListening = (): void => undefined;
  /** readings under way */
  readonly #open = new Set<Asking>();
  /** why no reading is begun any longer */
  #readingsEnded: Error | undefined;

  constructor(parts: ActorParts) {
    this.#parts = parts;
  }

  /** Ends what may be done through an actor of a request that is over: who kept it has nothing. What was begun goes on. */
  static end(actor: GateActor): void {
    actor.#ended = true;
    GateActor.endReadings(actor, new ArgoError('NOT ALLOWED', 'the request is over'));
    actor.#stopListening();
  }

  /** Ends the readings under way and to come: nobody is left to be told. Power actions go on. */
  static endReadings(actor: GateActor, reason: Error): void {
    actor.#readingsEnded ??= reason;
    [...actor.#open].forEach((one) => one.end(reason));
  }

  get name(): string {
    return this.#parts.mandate.identity.name;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = this.#controller = new AbortController();
      this.#stopListening = this.#parts.mandate.identity.onTakenAway(() => controller.abort(new ArgoError('NOT ALLOWED', 'the account was taken away')));
    }
    return this.#controller.signal;
  }

  visible(): Listing {
    return Listing.of(this.#view());
  }

  staleness(): readonly string[] {
    return this.#view().staleness();
  }

  async select(words: readonly (string | TypedName)[]): Promise<Selected> {
    const names = words.map((word) => (typeof word === 'string' ? { text: word, quoted: false } : word));
    const { instances, isSingle } = await this.#view().select(names, this.#parts.groups());
    return { instances: instances.map(infoOf), isSingle };
  }

  display(on: InstanceRef): string {
    return this.#view().display(this.#find(on));
  }

  known(on: InstanceRef): InstanceInfo {
    return infoOf(this.#find(on));
  }

  may(operation: OperationName, on: InstanceRef): boolean {
    const { registry, operations, mandate } = this.#parts;
    const instance = registry.byId(on.provider, on.id);
    return !this.#ended && instance !== undefined && operations.allows(mandate, operation, instance);
  }

  require(on: readonly InstanceRef[]): void {
    const { identity: { principal }, through } = this.#parts.mandate;
    if (through === undefined || on.some((one) => !principal.allows(this.#find(one), through))) throw new ArgoError('NOT ALLOWED');
  }

  async power(on: InstanceRef, order: PowerOrder, call: Call = {}): Promise<Outcome> {
    const instance = this.#find(on);
    return this.#parts.operations.power(this.#parts.mandate, instance, order, call);
  }

  async plan(on: InstanceRef, order: PowerOrder, call: Call = {}): Promise<string> {
    const instance = this.#find(on);
    return this.#parts.operations.plan(this.#parts.mandate, instance, order, call);
  }

  async read<Name extends ReadingName>(on: InstanceRef, name: Name, call: ReadCall = {}): Promise<Readings[Name]> {
    const instance = this.#find(on);
    if (this.#readingsEnded) throw this.#readingsEnded;
    return this.#parts.operations.read(this.#parts.mandate, instance, name, call, this.#open);
  }

  async dmesg(name: string | undefined, call: Call = {}): Promise<string> {
    const { registry, operations, mandate } = this.#parts;
    const allowed = registry.providers().filter((one) => this.#mayOn('dmesg', one.name));
    const found = name === undefined ? allowed.filter((one) => one.supportsDmesg) : allowed.filter((one) => one.name === name);
    const [provider, second] = found;
    if (second) throw new ArgoError('AMBIGUOUS', found.map((one) => one.name).join(', '));
    if (provider) return operations.dmesg(mandate, provider, call, this.#open);
    if (name !== undefined && this.#mayOn('dmesg', name)) throw new ArgoError('NO SUCH PROVIDER', name);
    if (name === undefined && allowed.length > 0) throw new ArgoError('NOT SUPPORTED', 'no provider has a hypervisor log to show');
    throw new ArgoError('NOT ALLOWED');
  }

  get tasks(): Tasks {
    const { operations, mandate } = this.#parts;
    const list = (): readonly TaskInfo[] => (this.#ended ? [] : operations.tasks(mandate));
    return {
      list,
      get: (id) => list().find((task) => task.id === id),
      cancel: (id) => {
        if (this.#ended) throw new ArgoError('NOT ALLOWED', 'the request is over');
        operations.cancel(mandate, id);
      },
    };
  }

  providers(operation: OperationName): readonly string[] {
    return this.#parts.registry.providers().map(({ name }: Provider) => name).filter((name) => this.#mayOn(operation, name));
  }

  each<T>(on: readonly InstanceInfo[], work: (one: InstanceInfo) => Promise<T>): AsyncIterable<Settled<T, InstanceInfo>> {
    return fanOut(on, work, FAN_OUT);
  }

  #mayOn(operation: OperationName, provider: string): boolean {
    return !this.#ended && this.#parts.operations.allowsProvider(this.#parts.mandate, operation, provider);
  }

  #view(): View {
    return new View(this.#parts.registry, this.#parts.mandate.identity.principal);
  }

  /**
   * The instance that is meant. One that may not be seen, and one that is not there, are told apart only
   * to those who may know.
   */
  #find(on: InstanceRef): Instance {
    if (this.#ended) throw new ArgoError('NOT ALLOWED', 'the request is over');
    const { registry, mandate: { identity: { principal } } } = this.#parts;
    const instance = registry.byId(on.provider, on.id);
    if (instance && principal.sees(instance)) return instance;
    const name = (on as Partial<InstanceInfo>).fullName ?? `${on.provider}/#${on.id}`;
    throw instance === undefined && principal.coversName(name) ? new ArgoError('NO SUCH INSTANCE', name) : new ArgoError('NOT ALLOWED');
  }
}

// Commands of plugins get actors of many accounts: none of them may put something else in the place of a method.
Object.freeze(GateActor.prototype);
