import { closeClass } from '../kit/closed.js';
import { ArgoError, withoutCause } from '../kit/errors.js';
import { checkText, copyOrder, copyRef, type NamedRef } from './entrance.js';
import type { InstanceRef } from './info.js';
import type { PowerOrder } from './order.js';
import type { OrderTask } from './order-task.js';
import type { OrderDesk } from './power-tasks.js';
import { requireMeant, type Mandate } from './principal.js';

/** Power actions on many. One knows of one's own; of all for an account that may do everything on the providers that they are about. */
export interface Orders {
  /**
   * Begins one; on the disk when it resolves. Each target is decided when it is its turn: one that may not be switched fails alone.
   * One that is named twice is switched once.
   * @param once a key of the account's own: what is asked for again with the same one is begun once, also after a restart
   * @throws ArgoError BAD REQUEST, also where the key has begun an order that this one is no part of; BUSY where too many are under way, AUDIT UNAVAILABLE where it cannot be written down
   */
  begin(on: readonly InstanceRef[], order: PowerOrder, once: string): Promise<OrderTask>;
  /** Those that are remembered, newest first. @throws ArgoError AUDIT UNAVAILABLE */
  list(): Promise<readonly OrderTask[]>;
  /** @throws ArgoError NO SUCH TASK, AUDIT UNAVAILABLE */
  get(id: string): Promise<OrderTask>;
  /** What is not sent yet is not sent; waits end. What was sent stays sent. @throws as `get`; WRONG STATE where it has ended */
  cancel(id: string): Promise<OrderTask>;
  /** Calls back when one of those that it may know of has begun, gone on or ended, a few times a second at most. @returns ends that */
  onChange(listener: (task: OrderTask) => void): () => void;
}

/** Orders for many through an actor: until its request is over. */
export class ActorOrders implements Orders {
  readonly #desk: OrderDesk;
  readonly #mandate: Mandate;
  readonly #isOver: () => boolean;
  readonly #nameOf: (on: InstanceRef) => string;

  /** @param nameOf the full name of what may be seen, whatever the asker calls it; throws of what may not */
  constructor(desk: OrderDesk, mandate: Mandate, { isOver, nameOf }: { isOver(): boolean; nameOf(on: InstanceRef): string }) {
    this.#desk = desk;
    this.#mandate = mandate;
    this.#isOver = isOver;
    this.#nameOf = nameOf;
  }

  async begin(on: readonly InstanceRef[], order: PowerOrder, once: string): Promise<OrderTask> {
    const refs = new Map(Array.from(on, copyRef).map((ref): [string, NamedRef] => [`${ref.provider}/#${ref.id}`, { ...ref, name: this.#nameOf(ref) }]));
    requireMeant(this.#mandate);
    return this.#told((mandate) => this.#desk.begin(mandate, [...refs.values()], copyOrder(order), checkText(once, 'once')));
  }

  async list(): Promise<readonly OrderTask[]> {
    return this.#told((mandate) => this.#desk.list(mandate));
  }

  async get(id: string): Promise<OrderTask> {
    return this.#told((mandate) => this.#desk.get(mandate, checkText(id, 'a task\'s id')));
  }

  async cancel(id: string): Promise<OrderTask> {
    return this.#told((mandate) => this.#desk.cancel(mandate, checkText(id, 'a task\'s id')));
  }

  onChange(listener: (task: OrderTask) => void): () => void {
    return this.#desk.listen(this.#mandate, (task) => { if (!this.#isOver()) listener(task); });
  }

  async #told<T>(work: (mandate: Mandate) => Promise<T>): Promise<T> {
    if (this.#isOver()) throw new ArgoError('NOT ALLOWED', 'the request is over');
    try {
      return await work(this.#mandate);
    } catch (thrown) {
      throw withoutCause(thrown);
    }
  }
}

closeClass(ActorOrders);
