import { ArgoError } from '../kit/errors.js';
import { ORDER_TARGETS, ORDER_TARGETS_KEPT, ORDER_TASKS_KEPT, ORDER_TASKS_OF_ACCOUNT, ORDER_TASKS_RUNNING, ORDER_TEXT } from '../kit/api-limits.js';
import { oldestOfMost } from '../kit/forgetting.js';
import type { Log } from '../kit/log.js';
import type { TaskRecord, TaskStore } from '../store/tasks.js';
import type { NamedRef } from './entrance.js';
import { checkOnce } from './once.js';
import type { PowerOrder } from './order.js';
import type { OrderTask } from './order-task.js';
import { toldOf, type KeptOrder } from './order-record.js';
import { PowerTask, type OrderActor } from './power-task.js';
import { isOwn, providerOf, TASKS_OF_ALL, type Mandate } from './principal.js';
import { TaskLedger } from './task-ledger.js';
import { TaskListeners } from './task-listeners.js';

/** Orders for many, as an actor comes to them. */
export interface OrderDesk {
  begin(mandate: Mandate, on: readonly NamedRef[], order: PowerOrder, once: string): Promise<OrderTask>;
  list(mandate: Mandate): Promise<readonly OrderTask[]>;
  get(mandate: Mandate, id: string): Promise<OrderTask>;
  cancel(mandate: Mandate, id: string): Promise<OrderTask>;
  listen(mandate: Mandate, listener: (task: OrderTask) => void): () => void;
}

export interface PowerTasksParts {
  /** undefined: nothing can be written down, so nothing is begun */
  readonly store: TaskStore | undefined;
  /** An actor that does not end with the request. */
  actor(mandate: Mandate): OrderActor;
  readonly log: Log;
}

/** The power actions on many, of all accounts: those under way, and the last that have ended. */
export class PowerTasks implements OrderDesk {
  readonly #parts: PowerTasksParts;
  /** oldest first */
  readonly #tasks = new Map<string, PowerTask | OrderTask>();
  readonly #listeners = new TaskListeners<OrderTask>(mayKnow);
  readonly #ledger: TaskLedger;

  constructor(parts: PowerTasksParts) {
    this.#parts = parts;
    this.#ledger = new TaskLedger({
      store: parts.store, log: parts.log, words: ['an order for many', 'orders for many'], most: { running: ORDER_TASKS_RUNNING, ofAccount: ORDER_TASKS_OF_ACCOUNT },
      running: () => [...this.#tasks.values()].filter((task) => task instanceof PowerTask && task.isRunning).map((task) => snapshot(task).account),
      remember: (record) => this.#keep(record.id, toldOf(record)),
    });
  }

  async begin(mandate: Mandate, on: readonly NamedRef[], order: PowerOrder, once: string): Promise<OrderTask> {
    const { name: owner } = mandate.identity;
    checkOnce(once);
    if (on.length === 0) throw new ArgoError('BAD REQUEST', 'no targets are given');
    if (on.length > ORDER_TARGETS) throw new ArgoError('BAD REQUEST', `${on.length} targets are given; ${ORDER_TARGETS} can be`);
    if (owner === '') throw new ArgoError('NOT AUTHENTICATED');
    const kept: KeptOrder = { mode: order.mode, targets: on.map(({ name }) => name) };
    const subject = JSON.stringify(kept);
    if (subject.length > ORDER_TEXT) throw new ArgoError('BAD REQUEST', `the names of the targets are ${subject.length} characters long together; ${ORDER_TEXT} can be`);
    return this.#ledger.begin({ owner, operation: order.action, subject, once }, (task, isNew) => {
      if (isNew) return this.#run(task, mandate, on, order);
      const known = this.#tasks.get(task.id);
      return requireSame(known ? snapshot(known) : toldOf(task), kept, order);
    });
  }

  async list(mandate: Mandate): Promise<readonly OrderTask[]> {
    await this.#ledger.load();
    return [...this.#tasks.values()].map(snapshot).filter((task) => mayKnow(mandate, task)).reverse();
  }

  async get(mandate: Mandate, id: string): Promise<OrderTask> {
    return snapshot(await this.#find(mandate, id));
  }

  async cancel(mandate: Mandate, id: string): Promise<OrderTask> {
    const task = await this.#find(mandate, id);
    if (!(task instanceof PowerTask) || !task.isRunning) throw new ArgoError('WRONG STATE', 'it has ended');
    task.cancel();
    return task.snapshot();
  }

  listen(mandate: Mandate, listener: (task: OrderTask) => void): () => void {
    return this.#listeners.listen(mandate, listener);
  }

  /** Resolves when how each ended is written down, or after so many milliseconds. */
  async settled(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = [...this.#tasks.values()].flatMap((task) => (task instanceof PowerTask ? [task.over] : []));
    await Promise.race([
      Promise.all(over).then(() => this.#ledger.settle()),
      new Promise((resolve) => { timer = setTimeout(resolve, ms); }),
    ]);
    clearTimeout(timer);
  }

  #run(record: TaskRecord, mandate: Mandate, on: readonly NamedRef[], order: PowerOrder): OrderTask {
    const { actor } = this.#parts;
    const task = new PowerTask({
      record, mandate, on, order, actor,
      save: (change) => this.#ledger.save(record.id, change),
      tell: (told) => this.#listeners.tell(told),
    });
    this.#keep(record.id, task);
    task.begin();
    return task.snapshot();
  }

  #keep(id: string, task: PowerTask | OrderTask): void {
    this.#tasks.set(id, task);
    const endedOf = (one: PowerTask | OrderTask): string | undefined =>
      one === task || (one instanceof PowerTask && one.isRunning) ? undefined : snapshot(one).account;
    let targets = [...this.#tasks.values()].reduce((sum, one) => sum + one.targets.length, 0);
    while (this.#tasks.size > ORDER_TASKS_KEPT || targets > ORDER_TARGETS_KEPT) {
      const isTooMany = this.#tasks.size > ORDER_TASKS_KEPT;
      const forgotten = oldestOfMost(this.#tasks, endedOf, isTooMany ? undefined : (one) => one.targets.length);
      if (forgotten === undefined) return;
      targets -= this.#tasks.get(forgotten)!.targets.length;
      this.#tasks.delete(forgotten);
    }
  }

  async #find(mandate: Mandate, id: string): Promise<PowerTask | OrderTask> {
    await this.#ledger.load();
    const task = this.#tasks.get(id);
    if (task === undefined || !mayKnow(mandate, snapshot(task))) throw new ArgoError('NO SUCH TASK', id);
    return task;
  }
}

/**
 * What was begun with a key answers for what is asked for now only where that is part of it: else it would be told as
 * begun, or done, and is not.
 * @throws ArgoError BAD REQUEST
 */
function requireSame(task: OrderTask, { mode, targets }: KeptOrder, { action }: PowerOrder): OrderTask {
  const begun = new Set(task.targets.map(({ instance }) => instance));
  const isSame = task.action === action && JSON.stringify(task.mode) === JSON.stringify(mode) && targets.every((name) => begun.has(name));
  if (!isSame) throw new ArgoError('BAD REQUEST', `once: this key has begun another order, task ${task.id}`);
  return task;
}

const snapshot = (task: PowerTask | OrderTask): OrderTask => (task instanceof PowerTask ? task.snapshot() : task);

function mayKnow({ identity: { name, principal } }: Mandate, { account, targets }: OrderTask): boolean {
  if (isOwn(name, account)) return true;
  return (
    targets.length > 0
    && [...new Set(targets.map(({ instance }) => providerOf(instance)))].every((provider) =>
      principal.allowsProvider(provider, TASKS_OF_ALL),
    )
  );
}
