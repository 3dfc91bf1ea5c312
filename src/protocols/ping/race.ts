import { onAbort } from './on-abort.js';
import { CannotTell, type PingResult } from './outcome.js';

/** One way to find out whether a host is up. */
export type Way = (signal: AbortSignal) => Promise<PingResult>;

/**
 * Tries several ways, each a little later than the one before, or at once when that one was in vain.
 * The first sign of life ends the others.
 * @param stagger milliseconds
 * @returns alive where any is; else the first that says that the host is not
 * @throws the first CannotTell where none says anything, or the signal's reason
 */
export async function firstAlive(ways: readonly Way[], stagger: number, signal: AbortSignal): Promise<PingResult> {
  const [only] = ways;
  if (ways.length === 1 && only) return only(signal);
  const rest = new AbortController();
  signal.throwIfAborted();
  const unwatch = onAbort(signal, (reason) => rest.abort(reason));
  try {
    return await race(ways, stagger, rest.signal);
  } finally {
    unwatch();
    rest.abort();
  }
}

function race(ways: readonly Way[], stagger: number, signal: AbortSignal): Promise<PingResult> {
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
        const said = results.find((one) => !(one instanceof CannotTell));
        if (said) resolve(said as PingResult);
        else reject(results[0] as CannotTell);
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
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    }, { once: true });
  });
}
