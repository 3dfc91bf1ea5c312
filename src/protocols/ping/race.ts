import { onAbort } from '../../kit/within.js';
import { CannotTell, type DoubtKind, type PingResult } from './outcome.js';

/** One way to find out whether a host is up. */
export type Way = (signal: AbortSignal) => Promise<PingResult>;

/** What is said where no way shows a sign of life. */
export type Verdict = (results: readonly (PingResult | CannotTell)[]) => PingResult | CannotTell;

/** Of an address at which we cannot ask at all, another one makes up for it. */
const NOT_ASKED: readonly DoubtKind[] = ['not sent', 'no right'];

const isDoubt = (result: PingResult | CannotTell): result is CannotTell => result instanceof CannotTell;
const isAnswer = (result: PingResult | CannotTell): result is PingResult => !isDoubt(result);

/** For ways to several addresses of one host: what one of them says counts where another cannot be asked at all. */
export const firstCertain: Verdict = (results) =>
  results.find((one) => isDoubt(one) && !NOT_ASKED.includes(one.kind)) ?? results.find(isAnswer) ?? results[0]!;

/**
 * For several ways to ask at one address: it is silent only where each is, or where somebody who must know says
 * so. One that failed leaves the host in doubt, and so does one by which we may not ask: what is left
 * may be silent because of a filter.
 */
export const allSilent: Verdict = (results) => {
  const silent = results.filter(isAnswer);
  const doubts = results.filter(isDoubt);
  const told = silent.find((one) => !one.alive && one.isTold);
  const [first = results[0]!] = silent;
  const [barred] = doubts;
  const failed = doubts.find(({ kind }) => kind !== 'no right');
  if (told !== undefined || failed !== undefined) return told ?? failed!;
  if (barred === undefined || isDoubt(first) || first.alive) return barred ?? first;
  return new CannotTell('silent', `${first.reason}, and ${barred.message}`, { cause: barred });
};

/**
 * Tries several ways, each a little later than the one before, or at once when that one was in vain.
 * The first sign of life ends the others.
 * @param stagger milliseconds
 * @param verdict on the results of all ways where none is alive
 * @returns alive where any is; else the verdict
 * @throws the verdict where it is a CannotTell, or the signal's reason
 */
export async function firstAlive(ways: readonly Way[], stagger: number, signal: AbortSignal, verdict: Verdict = firstCertain): Promise<PingResult> {
  const [only] = ways;
  if (ways.length === 1 && only) return only(signal);
  const rest = new AbortController();
  signal.throwIfAborted();
  const unwatch = onAbort(signal, (reason) => rest.abort(reason));
  try {
    return await race(ways, stagger, rest.signal, verdict);
  } finally {
    unwatch();
    rest.abort();
  }
}

function race(ways: readonly Way[], stagger: number, signal: AbortSignal, verdict: Verdict): Promise<PingResult> {
  return new Promise((resolve, reject) => {
    const results: (PingResult | CannotTell | undefined)[] = ways.map(() => undefined);
    let begun = 0;
    let timer: NodeJS.Timeout | undefined;
    const ended = (index: number, result: PingResult | CannotTell): void => {
      results[index] = result;
      if (!(result instanceof CannotTell) && result.alive) {
        clearTimeout(timer);
        resolve(result);
      } else if (results.every((one) => one !== undefined)) {
        const said = verdict(results as (PingResult | CannotTell)[]);
        if (said instanceof CannotTell) reject(said);
        else resolve(said);
      } else if (begun <= index + 1) begin();
    };
    const begin = (): void => {
      clearTimeout(timer);
      const index = begun;
      const way = ways[index];
      if (!way || signal.aborted) return;
      begun += 1;
      way(signal).then((result) => ended(index, result), (error: unknown) => {
        if (error instanceof CannotTell) ended(index, error);
        else reject(error as Error);
      });
      timer = setTimeout(begin, stagger);
    };
    begin();
    onAbort(signal, (reason) => {
      clearTimeout(timer);
      reject(reason as Error);
    });
  });
}
