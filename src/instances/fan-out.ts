import { setTimeout as sleep } from 'node:timers/promises';
import { WAVE, WAVE_PAUSE } from '../kit/limits.js';

/** One of many that has ended. */
export type Settled<T, Subject> =
  | { readonly subject: Subject; readonly value: T; readonly error?: undefined }
  | { readonly subject: Subject; readonly value?: undefined; readonly error: unknown };

/**
 * Does work for each of many at the same time and yields each as it ends. What is under way and what has
 * ended and was not taken are bounded together: who takes slowly has less begun.
 * @param most of both together
 */
export async function* fanOut<Subject, T>(subjects: readonly Subject[], work: (subject: Subject) => Promise<T>, most: number): AsyncGenerator<Settled<T, Subject>> {
  const waiting = subjects.values();
  const settled: Settled<T, Subject>[] = [];
  let underWay = 0;
  let isBeginning = false;
  let wake = (): void => undefined;
  const end = (one: Settled<T, Subject>): void => {
    underWay -= 1;
    settled.push(one);
    wake();
  };
  const begin = async (): Promise<void> => {
    if (isBeginning) return;
    isBeginning = true;
    for (let begun = 1; underWay + settled.length < most; begun += 1) {
      const { done, value: subject } = waiting.next();
      if (done === true) break;
      underWay += 1;
      run(work, subject).then((value) => end({ subject, value }), (error: unknown) => end({ subject, error }));
      if (begun % WAVE === 0) await sleep(WAVE_PAUSE);
    }
    isBeginning = false;
  };
  for (let left = subjects.length; left > 0; left -= 1) {
    void begin();
    while (settled.length === 0) await new Promise<void>((resolve) => { wake = resolve; });
    yield settled.shift()!;
  }
}

/** What is thrown at once is an end like any other. */
const run = async <Subject, T>(work: (subject: Subject) => Promise<T>, subject: Subject): Promise<T> => work(subject);
