import type { Worker } from 'node:worker_threads';
import { STORE_ANSWER, STORE_BATCH, STORE_BATCH_SIZE, STORE_IDLE, STORE_PATIENCE, STORE_WAITING, STORE_WAITING_SIZE } from '../kit/limits.js';
import { ownModule } from '../kit/own-files.js';
import { notLonger } from '../kit/within.js';
import type { Value } from './sqlite.js';
import { CLOSE, type Answer, type Batch, type StoreName, type ThreadData } from './store-file.js';

/** How one operation is asked for. */
export interface Ask {
  readonly operation: string;
  readonly args: readonly Value[];
  /** on the disk before it is answered */
  readonly durable: boolean;
  /** whether it may wait a little for others, with which it then goes: STORE_PATIENCE */
  readonly isPatient?: boolean;
  /** told of the result where it comes after the asker was refused because it took too long */
  late?(result: unknown): void;
}

interface Waiting {
  readonly ask: Ask;
  /** characters */
  readonly size: number;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export interface StoreThreadOptions {
  readonly name: StoreName;
  readonly stateDir: string;
  /** the number that was given out last, asked whenever a thread begins */
  readonly last?: () => number;
  /** told once of each failure, however many asked */
  readonly onTrouble: (reason: string) => void;
  /** told when what is written goes into another file than before: somebody has taken that away */
  readonly onOtherFile?: () => void;
  /** milliseconds without work after which the thread ends; the next ask begins another */
  readonly idle?: number;
  /** the longest wait for the disk, milliseconds */
  readonly answer?: number;
  /** how long what is patient waits for others, milliseconds */
  readonly patience?: number;
}

/** Heap of a thread, MB: it holds one batch at a time. What V8 would take of itself costs memory for nothing. */
const HEAP = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 2 };

const CLOSED = 'it is closed';

const sizeOf = ({ args }: Ask): number => args.reduce<number>((sum, arg) => sum + (typeof arg === 'string' ? arg.length : 0), 0);

/**
 * An SQLite file behind a thread of its own, so that neither its locks nor its disk hold up the event
 * loop. What is asked for while one batch is written makes up the next: many share one transaction and
 * one wait for the disk; what nobody waits for may wait for them as well. One batch is under way at a
 * time, so what waits is here, where it is counted.
 *
 * A batch that fails takes with it what waits behind it, which would only wait as long again: so nobody
 * waits longer than for the lock of another process, or for an answer. The thread begins when first
 * needed and ends when it has long had nothing to do, for its memory's sake (about 10 MB).
 */
export class StoreThread {
  readonly #options: StoreThreadOptions;
  readonly #idleMs: number;
  readonly #answerMs: number;
  readonly #patienceMs: number;
  #waiting: Waiting[] = [];
  /** characters of all that waits */
  #waitingSize = 0;
  /** what the thread works on */
  #underWay: Waiting[] | undefined;
  /** whether those who wait for what is under way were refused already */
  #overdue = false;
  #worker: Worker | undefined;
  #scheduled = false;
  /** something of what waits is not to wait for others any longer */
  #isUrgent = false;
  /** when that will be so, where it is not yet */
  #patience: NodeJS.Timeout | undefined;
  #closed = false;
  /** of the file into which was written last; it outlives the thread */
  #place: string | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(options: StoreThreadOptions) {
    this.#options = options;
    this.#idleMs = options.idle ?? STORE_IDLE;
    this.#answerMs = options.answer ?? STORE_ANSWER;
    this.#patienceMs = options.patience ?? STORE_PATIENCE;
  }

  /**
   * Has one operation carried out.
   * @returns its result, once it is written
   * @throws Error where it was not written, with the reason as its message
   */
  ask(ask: Ask): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(new Error(CLOSED));
      else if (this.#overdue) reject(new Error('the disk does not answer'));
      else if (this.#waiting.length >= STORE_WAITING || this.#waitingSize >= STORE_WAITING_SIZE) reject(new Error('too much waits to be written'));
      else {
        const size = sizeOf(ask);
        clearTimeout(this.#idleTimer);
        this.#waitingSize += size;
        this.#waiting.push({ ask, size, resolve, reject });
        if (ask.isPatient !== true || this.#waiting.length >= STORE_BATCH) this.#hurry();
        else this.#patience ??= setTimeout(() => this.#hurry(), this.#patienceMs);
      }
    });
  }

  /** Resolves when nothing waits and nothing is under way, or after so many milliseconds. */
  flush(ms: number): Promise<void> {
    return notLonger(ms, this.#idle());
  }

  /** Takes no more, and ends the thread when all is written, or after so many milliseconds. */
  async close(ms: number): Promise<void> {
    this.#closed = true;
    await notLonger(ms, this.#idle().then(() => this.#endThread()));
    this.#refuse(this.#takeAll(), CLOSED);
    const worker = this.#worker;
    this.#worker = undefined;
    // one that is held up by the disk ends when that lets go; nobody waits for it
    void worker?.terminate();
  }

  #idle(): Promise<void> {
    if (this.#underWay === undefined && this.#waiting.length === 0) return Promise.resolve();
    this.#hurry();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Nothing waits for others any longer: what comes in during this turn of the event loop goes out together. */
  #hurry(): void {
    this.#isUrgent = true;
    if (this.#scheduled || this.#underWay !== undefined) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#underWay !== undefined || this.#waiting.length === 0) return;
    clearTimeout(this.#idleTimer);
    const asks = this.#takeBatch();
    this.#underWay = asks;
    const batch: Batch = {
      durable: asks.some(({ ask }) => ask.durable),
      orders: asks.map(({ ask: { operation, args } }) => [operation, args]),
    };
    this.#deadline = setTimeout(() => this.#giveUp(), this.#answerMs);
    try {
      const worker = this.#worker ??= this.#begin();
      worker.ref();
      worker.postMessage(batch);
    } catch (error) {
      this.#fail((error as Error).message);
    }
  }

  #takeBatch(): Waiting[] {
    let count = 0;
    let size = 0;
    do size += this.#waiting[count++]!.size;
    while (count < Math.min(STORE_BATCH, this.#waiting.length) && size < STORE_BATCH_SIZE);
    this.#waitingSize -= size;
    const batch = this.#waiting.splice(0, count);
    if (this.#waiting.length === 0) this.#calm();
    return batch;
  }

  /** Nothing waits. */
  #calm(): void {
    this.#isUrgent = false;
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  #begin(): Worker {
    const { name, stateDir, last } = this.#options;
    const data: ThreadData = { name, stateDir, last: last?.() ?? 0 };
    // only now: every start would wait for what is loaded for that
    const { Worker: Thread } = process.getBuiltinModule('node:worker_threads');
    const worker = new Thread(ownModule('store/thread-main.js'), { workerData: data, execArgv: [], resourceLimits: HEAP });
    let reason = 'its thread has ended';
    worker.on('message', (answer: Answer) => this.#answered(answer));
    worker.on('error', (error) => {
      reason = error.message;
    });
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      if (this.#underWay !== undefined) this.#fail(reason);
    });
    return worker;
  }

  #answered(answer: Answer): void {
    if ('failure' in answer) {
      this.#fail(answer.failure);
      return;
    }
    const before = this.#place;
    this.#place = answer.place ?? before;
    if (answer.isOther || (this.#place !== before && before !== undefined)) this.#options.onOtherFile?.();
    const asks = this.#done();
    if (this.#overdue) asks.forEach(({ ask }, index) => ask.late?.(answer.results[index]));
    else asks.forEach(({ resolve }, index) => resolve(answer.results[index]));
    this.#goOn();
  }

  /** Nothing of what is under way was written. */
  #fail(reason: string): void {
    if (!this.#overdue) {
      this.#options.onTrouble(reason);
      this.#refuse(this.#takeAll(), reason);
    }
    this.#done();
    this.#goOn();
  }

  /** It may yet be written, but nobody waits for it any longer. */
  #giveUp(): void {
    const reason = `no answer from the disk in ${this.#answerMs / 1000} s`;
    this.#options.onTrouble(reason);
    this.#refuse(this.#takeAll(), reason);
    this.#overdue = true;
  }

  #takeAll(): Waiting[] {
    const all = [...this.#overdue ? [] : this.#underWay ?? [], ...this.#waiting];
    this.#waiting = [];
    this.#waitingSize = 0;
    this.#calm();
    return all;
  }

  #refuse(asks: readonly Waiting[], reason: string): void {
    asks.forEach(({ reject }) => reject(new Error(reason)));
  }

  /** @returns what was under way */
  #done(): Waiting[] {
    clearTimeout(this.#deadline);
    this.#worker?.unref();
    const asks = this.#underWay ?? [];
    this.#underWay = undefined;
    return asks;
  }

  #goOn(): void {
    this.#overdue = false;
    if (this.#waiting.length > 0) {
      if (this.#isUrgent) this.#send();
      return;
    }
    this.#whenIdle.splice(0).forEach((tell) => tell());
    this.#idleTimer = setTimeout(() => void this.#endThread(), this.#idleMs);
    this.#idleTimer.unref();
  }

  /** Resolves when the file is closed and the thread has ended. */
  async #endThread(): Promise<void> {
    clearTimeout(this.#idleTimer);
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    worker.ref();
    const ended = new Promise<void>((resolve) => {
      worker.once('exit', () => resolve());
    });
    worker.postMessage(CLOSE);
    await ended;
  }
}
