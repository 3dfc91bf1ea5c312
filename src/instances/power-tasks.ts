import { ArgoError, toArgoError } from '../kit/errors.js';
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
  readonly #listeners = new Map<string, Set<(task: OrderTask) => void>>();
  #loaded: Promise<void> | undefined;
  /** those that are being written down, by account */
  readonly #beginning: string[] = [];

  constructor(parts: PowerTasksParts) {
    this.#parts = parts;
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
    await this.#load();
    this.#enter(owner);
    try {
      const { created, task } = await this.#ask((store) => store.create({ owner, operation: order.action, subject, once }));
      if (created) return this.#run(task, mandate, on, order);
      const known = this.#tasks.get(task.id);
      return requireSame(known ? snapshot(known) : toldOf(task), kept, order);
    } finally {
      this.#beginning.splice(this.#beginning.indexOf(owner), 1);
    }
  }

  async list(mandate: Mandate): Promise<readonly OrderTask[]> {
    await this.#load();
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

  listen({ identity: { name } }: Mandate, listener: (task: OrderTask) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(name) === listeners) this.#listeners.delete(name);
    };
  }

  /** Resolves when how each ended is written down, or after so many milliseconds. */
  async settled(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = [...this.#tasks.values()].flatMap((task) => (task instanceof PowerTask ? [task.over] : []));
    await Promise.race([
      Promise.all(over).then(() => this.#parts.store?.settle()),
      new Promise((resolve) => { timer = setTimeout(resolve, ms); }),
    ]);
    clearTimeout(timer);
  }

  #run(record: TaskRecord, mandate: Mandate, on: readonly NamedRef[], order: PowerOrder): OrderTask {
    const { actor, log } = this.#parts;
    const task = new PowerTask({
      record, mandate, on, order, actor,
      save: async (change) => {
        try {
          await this.#ask((store) => store.change(record.id, change));
        } catch (error) {
          log('warn', 'how an order for many goes on cannot be written down', { task: record.id, reason: String((error as Error).cause ?? error) });
        }
      },
      tell: (told) => {
        for (const [name, listeners] of this.#listeners) if (isOwn(name, told.account)) listeners.forEach((listener) => listener(told));
      },
    });
    this.#keep(record.id, task);
    task.begin();
    return task.snapshot();
  }

  /** @throws ArgoError BUSY */
  #enter(owner: string): void {
    const running = [...this.#tasks.values()].filter((task) => task instanceof PowerTask && task.isRunning).map((task) => snapshot(task).account).concat(this.#beginning);
    if (running.length >= ORDER_TASKS_RUNNING || running.filter((one) => one === owner).length >= ORDER_TASKS_OF_ACCOUNT) {
      throw new ArgoError('BUSY', 'too many orders for many are under way');
    }
    this.#beginning.push(owner);
  }

  /** The last ones of earlier, also of an earlier process. @throws ArgoError AUDIT UNAVAILABLE */
  #load(): Promise<void> {
    return this.#loaded ??= this.#ask((store) => store.list()).then((records) => {
      for (const record of records) this.#remember(record);
    }).catch((error: unknown) => {
      this.#loaded = undefined;
      throw error;
    });
  }

  /** One that cannot be read takes none of the others with it. */
  #remember(record: TaskRecord): void {
    try {
      this.#keep(record.id, toldOf(record));
    } catch (error) {
      this.#parts.log('error', 'an order for many cannot be read', { task: record.id, reason: String(error) });
    }
  }

  #keep(id: string, task: PowerTask | OrderTask): void {
    this.#tasks.set(id, task);
    const endedOf = (one: PowerTask | OrderTask): string | undefined => (one === task || (one instanceof PowerTask && one.isRunning) ? undefined : snapshot(one).account);
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
    await this.#load();
    const task = this.#tasks.get(id);
    if (task === undefined || !mayKnow(mandate, snapshot(task))) throw new ArgoError('NO SUCH TASK', id);
    return task;
  }

  async #ask<T>(work: (store: TaskStore) => Promise<T>): Promise<T> {
    const { store } = this.#parts;
    if (store === undefined) throw new ArgoError('AUDIT UNAVAILABLE', 'orders for many cannot be written down');
    try {
      return await work(store);
    } catch (error) {
      throw new ArgoError('AUDIT UNAVAILABLE', 'orders for many cannot be written down', { cause: toArgoError(error).cause ?? error });
    }
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
  return targets.length > 0 && [...new Set(targets.map(({ instance }) => providerOf(instance)))].every((provider) => principal.allowsProvider(provider, TASKS_OF_ALL));
}
