import { ArgoError } from '../../../kit/errors.js';
import { Link, LinkedList } from '../../../kit/linked-list.js';
import { Slices } from '../../../kit/slices.js';
import { formatDuration } from '../../../kit/text.js';

/** Something that is to be read. */
interface Job {
  /** on the clock of performance.now() */
  readonly since: number;
  /** its place among those that wait */
  link: Link<Job> | undefined;
  begin(): Promise<void>;
  refuse(reason: Error): void;
}

interface Lane {
  readonly waiting: LinkedList<Job>;
  active: number;
  /** on the clock of performance.now(): when something was last answered there */
  answered: number;
}

/**
 * Reads of many providers, so many of each at a time: one that hangs holds up no other. What waits for one that hangs is
 * given up when its time is over; for one that is merely slow it waits on. All are begun in slices, in turns.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #most: number;
  readonly #patience: number;
  #isPumping = false;
  /** whether something may have become free, or has come, since it was looked last */
  #isWanted = false;

  /**
   * @param most of a lane at a time
   * @param patience milliseconds without any answer after which a lane counts as one that hangs
   */
  constructor(most: number, patience: number) {
    this.#most = most;
    this.#patience = patience;
  }

  /**
   * Work in its turn.
   * @throws what it throws; ArgoError TIMEOUT where its lane hangs
   */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    let lane = this.#lanes.get(name);
    if (lane === undefined) this.#lanes.set(name, lane = { waiting: new LinkedList(), active: 0, answered: performance.now() });
    const mine = lane;
    if (mine.active === 0 && mine.waiting.size === 0) mine.answered = performance.now();
    return new Promise<T>((resolve, reject) => {
      const end = (answered: boolean): void => {
        mine.active -= 1;
        if (answered) mine.answered = performance.now();
        if (mine.active === 0 && mine.waiting.size === 0) this.#lanes.delete(name);
        void this.#pump();
      };
      const job: Job = {
        since: performance.now(),
        link: undefined,
        begin: () =>
          begun(work).then(
            (value) => {
              end(true);
              resolve(value);
            },
            (error: Error) => {
              end(!isTimeout(error));
              reject(error);
            },
          ),
        refuse: reject,
      };
      mine.waiting.append(job.link = new Link(job));
      void this.#pump();
    });
  }

  /** Begins what may be begun, in turns. Never rejects. */
  async #pump(): Promise<void> {
    this.#isWanted = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    const slices = new Slices();
    while (this.#isWanted) {
      this.#isWanted = false;
      for (const lane of this.#lanes.values()) {
        if (!this.#advance(lane)) continue;
        this.#isWanted = true;
        if (slices.isOverNow()) await slices.pause();
      }
      // what is answered from memory ends meanwhile
      await Promise.resolve();
    }
    this.#isPumping = false;
  }

  /** @returns whether anything was done */
  #advance(lane: Lane): boolean {
    const { first } = lane.waiting;
    if (first === undefined) return false;
    const now = performance.now();
    const hangs = now - lane.answered > this.#patience && now - first.since > this.#patience;
    if (!hangs && lane.active >= this.#most) return false;
    first.link?.leave();
    if (hangs) {
      first.refuse(new ArgoError('TIMEOUT', `its provider has answered nothing in ${formatDuration(this.#patience)}`));
    } else {
      lane.active += 1;
      void first.begin();
    }
    return true;
  }
}

const isTimeout = (error: unknown): boolean => error instanceof ArgoError && error.phrase === 'TIMEOUT';

/** What is thrown at once is an end like any other. */
async function begun<T>(work: () => Promise<T>): Promise<T> {
  return work();
}
