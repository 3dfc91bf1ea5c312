import { BEGIN_SLICE } from '../kit/limits.js';

/** One of many that has ended. */
export type Settled<T, Subject> =
  | { readonly subject: Subject; readonly value: T; readonly error?: undefined }
  | { readonly subject: Subject; readonly value?: undefined; readonly error: unknown };

/**
 * Does work for each of many at the same time and yields each as it ends. What is under way and what has
 * ended and was not taken are bounded together: who takes slowly has less begun. Work is begun for a
 * moment at a time, so that others get their turns.
 * @param most of both together
 */
export async function* fanOut<Subject, T>(subjects: readonly Subject[], work: (subject: Subject) => Promise<T>, most: number): AsyncGenerator<Settled<T, Subject>> {
  let next = 0;
  let settled: Settled<T, Subject>[] = [];
  let taken = 0;
  let underWay = 0;
  let isBeginning = false;
  let isOver = false;
  let wake: (() => void) | undefined;
  const end = (one: Settled<T, Subject>): void => {
    underWay -= 1;
    settled.push(one);
    wake?.();
  };
  const begin = (): void => {
    isBeginning = false;
    const until = performance.now() + BEGIN_SLICE;
    while (!isOver && next < subjects.length && underWay + settled.length - taken < most) {
      const subject = subjects[next]!;
      next += 1;
      underWay += 1;
      run(work, subject).then((value) => end({ subject, value }), (error: unknown) => end({ subject, error }));
      if (performance.now() < until) continue;
      isBeginning = true;
      setImmediate(begin);
      return;
    }
  };
  try {
    for (let left = subjects.length; left > 0; left -= 1) {
      if (!isBeginning) begin();
      while (settled.length === taken) await new Promise<void>((resolve) => { wake = resolve; });
      const one = settled[taken]!;
      taken += 1;
      if (taken === settled.length) {
        settled = [];
        taken = 0;
      }
      yield one;
    }
  } finally {
    isOver = true;
  }
}

/** What is thrown at once is an end like any other. */
function run<Subject, T>(work: (subject: Subject) => Promise<T>, subject: Subject): Promise<T> {
  try {
    return work(subject);
  } catch (thrown) {
    return Promise.reject(thrown as Error);
  }
}
