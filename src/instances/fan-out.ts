import { BEGIN_SLICE, FAN_OUT, FAN_OUT_LEAST } from '../kit/limits.js';
import { Tally } from '../kit/tally.js';

/** One of many that has ended. */
export type Settled<T, Subject> =
  | { readonly subject: Subject; readonly value: T; readonly error?: undefined }
  | { readonly subject: Subject; readonly value?: undefined; readonly error: unknown };

/**
 * Does work for each of many at the same time and yields each as it ends. What is under way and what has
 * ended and was not taken are bounded together: who takes slowly has less begun.
 * @param subjects are taken one by one as the work for them is begun
 * @param most of both together; asked anew each time
 * @throws what the subjects throw, when what was begun has ended
 */
export async function* fanOut<Subject, T>(
  subjects: Iterable<Subject>,
  work: (subject: Subject) => Promise<T>,
  most: () => number,
): AsyncGenerator<Settled<T, Subject>> {
  const many = new FanOut(subjects, work, most);
  try {
    for (;;) {
      many.begin();
      while (!many.hasSettled) {
        if (many.isOver) return;
        await many.change();
      }
      yield many.take();
    }
  } finally {
    many.stop();
  }
}

class FanOut<Subject, T> {
  readonly #left: Iterator<Subject>;
  readonly #work: (subject: Subject) => Promise<T>;
  readonly #most: () => number;
  #settled: Settled<T, Subject>[] = [];
  #taken = 0;
  #underWay = 0;
  #areAllBegun = false;
  /** on the clock of performance.now(): until when work is begun in one go, so that others get their turns; undefined between two such slices */
  #sliceEnds: number | undefined;
  #broken: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(subjects: Iterable<Subject>, work: (subject: Subject) => Promise<T>, most: () => number) {
    this.#left = subjects[Symbol.iterator]();
    this.#work = work;
    this.#most = most;
  }

  get hasSettled(): boolean {
    return this.#settled.length > this.#taken;
  }

  /** Nothing is left. @throws what the subjects threw */
  get isOver(): boolean {
    if (!this.#areAllBegun || this.#underWay > 0) return false;
    if (this.#broken) throw this.#broken.reason;
    return true;
  }

  /** Begins what may be begun now. */
  begin(): void {
    while (!this.#areAllBegun && this.#underWay + this.#settled.length - this.#taken < this.#most()) {
      if (this.#sliceEnds === undefined) {
        this.#sliceEnds = performance.now() + BEGIN_SLICE;
        setImmediate(() => this.#beginSlice());
      } else if (performance.now() >= this.#sliceEnds) return;
      this.#beginNext();
    }
  }

  /** Nothing further is begun. */
  stop(): void {
    this.#areAllBegun = true;
  }

  /** Resolves when something has ended, or there is nothing left to begin. */
  change(): Promise<void> {
    return new Promise((resolve) => { this.#wake = resolve; });
  }

  take(): Settled<T, Subject> {
    const one = this.#settled[this.#taken]!;
    this.#taken += 1;
    if (!this.hasSettled) {
      this.#settled = [];
      this.#taken = 0;
    }
    return one;
  }

  #beginSlice(): void {
    this.#sliceEnds = undefined;
    this.begin();
    if (this.#areAllBegun) this.#wake?.();
  }

  #beginNext(): void {
    try {
      const next = this.#left.next();
      if (next.done === true) this.#areAllBegun = true;
      else this.#beginOne(next.value);
    } catch (reason) {
      this.#broken = { reason };
      this.#areAllBegun = true;
    }
  }

  #beginOne(subject: Subject): void {
    this.#underWay += 1;
    run(this.#work, subject).then((value) => this.#end({ subject, value }), (error: unknown) => this.#end({ subject, error: error ?? new Error(`${String(error)} was thrown`) }));
  }

  #end(one: Settled<T, Subject>): void {
    this.#underWay -= 1;
    this.#settled.push(one);
    this.#wake?.();
  }
}

/** How much of a request may be under way. */
export interface Share {
  readonly most: () => number;
  /** The request is over. */
  end(): void;
}

/** The share of a request that does not have to share. */
export const WHOLE_SHARE: Share = { most: () => FAN_OUT, end: () => undefined };

/** Divides what may be under way of one request among those of an account. */
export class Shares {
  readonly #running = new Tally();

  take(account: string): Share {
    this.#running.add(account);
    return {
      most: () => Math.max(FAN_OUT_LEAST, FAN_OUT / this.#running.of(account)),
      end: () => this.#running.take(account),
    };
  }
}

/** What is thrown or, by a plugin without types, given at once is an end like any other. */
function run<Subject, T>(work: (subject: Subject) => Promise<T>, subject: Subject): Promise<T> {
  try {
    return Promise.resolve(work(subject));
  } catch (thrown) {
    return Promise.reject(thrown as Error);
  }
}
