import { setMaxListeners } from 'node:events';
import { ArgoError, toArgoError } from '../kit/errors.js';
import { ORDER_SAVED_EVERY, ORDER_TOLD_EVERY, ORDER_TOLD_TARGETS } from '../kit/api-limits.js';
import type { TaskChange, TaskRecord } from '../store/tasks.js';
import type { NamedRef } from './entrance.js';
import type { InstanceRef } from './info.js';
import type { Outcome, PowerOrder } from './order.js';
import { progressOf } from './order-record.js';
import type { OrderTarget, OrderTargetState, OrderTask } from './order-task.js';
import type { Mandate } from './principal.js';
import { ENDINGS } from './turn.js';

/** What carries an order for many out: what of an actor it needs. */
export interface OrderActor {
  known(on: InstanceRef): unknown;
  power(on: InstanceRef, order: PowerOrder): Promise<Outcome>;
  each<One>(on: Iterable<One>, work: (one: One) => Promise<void>): AsyncIterable<unknown>;
}

export interface PowerTaskParts {
  readonly record: TaskRecord;
  /** of the request that began it */
  readonly mandate: Mandate;
  readonly on: readonly NamedRef[];
  readonly order: PowerOrder;
  actor(mandate: Mandate): OrderActor;
  /** Writes down how it goes on. Never rejects. */
  save(change: TaskChange): Promise<void>;
  tell(task: OrderTask): void;
}

/** One power action on many, from its beginning to its end. */
export class PowerTask {
  readonly #parts: PowerTaskParts;
  readonly #targets: OrderTarget[];
  readonly #cancelled = new AbortController();
  #ended: { readonly state: OrderTask['state']; readonly at: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #savedAt = performance.now();
  #saving: Promise<void> = Promise.resolve();
  #over: Promise<void> = Promise.resolve();

  constructor(parts: PowerTaskParts) {
    this.#parts = parts;
    this.#targets = parts.on.map(({ name }) => ({ instance: name, state: 'waiting', detail: '' }));
    // one for each order that is under way
    setMaxListeners(0, this.#cancelled.signal);
  }

  get targets(): readonly OrderTarget[] {
    return this.#targets;
  }

  get isRunning(): boolean {
    return this.#ended === undefined;
  }

  /** Resolves when it has ended, and that is written down. */
  get over(): Promise<void> {
    return this.#over;
  }

  begin(): void {
    this.#over = this.#run();
  }

  /** What is not sent yet is not sent, and waits end. @param why where it is not somebody who cancels it */
  cancel(why?: ArgoError): void {
    this.#cancelled.abort(why);
  }

  snapshot(): OrderTask {
    const { record: { id, owner, created }, order: { action, mode } } = this.#parts;
    return { id, account: owner, action, mode, state: this.#ended?.state ?? 'running', began: created, ended: this.#ended?.at, targets: [...this.#targets] };
  }

  async #run(): Promise<void> {
    const { mandate, on, save } = this.#parts;
    const forget = mandate.identity.onTakenAway(() => this.cancel(ENDINGS.forbidden().unsent));
    const actor = this.#parts.actor({ ...mandate, client: undefined, cancelled: this.#cancelled.signal });
    this.#pin(actor);
    void save({ state: 'running' });
    this.#changed();
    try {
      const ends = actor.each(on.keys(), (index) => this.#one(actor, index))[Symbol.asyncIterator]();
      while ((await ends.next()).done !== true);
    } finally {
      forget();
    }
    await this.#end();
  }

  /** What is meant is what the providers have now: a reload may put others in their places. */
  #pin(actor: OrderActor): void {
    const first = new Map(this.#parts.on.map((one) => [one.provider, one]));
    for (const one of first.values()) {
      try {
        actor.known(one);
      } catch {
        // it says so itself when it is its turn
      }
    }
  }

  /** One target. Never rejects. */
  async #one(actor: OrderActor, index: number): Promise<void> {
    const { on, order } = this.#parts;
    if (this.#cancelled.signal.aborted) {
      const why = this.#why;
      return why ? this.#set(index, 'failed', why.message) : this.#set(index, 'cancelled');
    }
    this.#set(index, 'sent');
    try {
      const { result } = await actor.power(on[index]!, order);
      this.#set(index, result);
    } catch (thrown) {
      const { phrase, message } = toArgoError(thrown);
      // only an order that found the cancelling before anything was sent says BUSY then
      const isNotSent = this.#cancelled.signal.aborted && this.#why === undefined && phrase === 'BUSY';
      this.#set(index, isNotSent ? 'cancelled' : phrase === 'UNCERTAIN' ? 'uncertain' : 'failed', message);
    }
  }

  /** Why it was ended, where nobody cancelled it. */
  get #why(): ArgoError | undefined {
    const reason: unknown = this.#cancelled.signal.reason;
    return reason instanceof ArgoError ? reason : undefined;
  }

  #set(index: number, state: OrderTargetState, detail = ''): void {
    this.#targets[index] = { instance: this.#targets[index]!.instance, state, detail };
    this.#changed();
  }

  /** Tells of it soon, with what comes until then; of many targets less often, since all are told. */
  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#parts.tell(this.snapshot());
      if (performance.now() - this.#savedAt < ORDER_SAVED_EVERY || !this.isRunning) return;
      this.#savedAt = performance.now();
      this.#saving = this.#parts.save({ progress: progressOf(this.#targets) });
    }, Math.max(ORDER_TOLD_EVERY, this.#targets.length / ORDER_TOLD_TARGETS));
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    const isCancelled = this.#targets.some(({ state }) => state === 'cancelled');
    const isBad = this.#targets.some(({ state }) => state === 'failed' || state === 'uncertain');
    const state = isCancelled ? 'cancelled' : isBad ? 'failed' : 'done';
    await this.#saving;
    await this.#parts.save({ state: state === 'cancelled' ? 'stopped' : state, progress: progressOf(this.#targets) });
    this.#ended = { state, at: Date.now() };
    this.#parts.tell(this.snapshot());
  }
}
