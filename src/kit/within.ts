/**
 * Does work under a deadline of its own besides the caller's. Written out because Node 20 collects an
 * AbortSignal.timeout that only an AbortSignal.any knows as garbage, after which it never fires.
 * @param limit milliseconds
 * @param signals any of these ends the work early
 */
export async function within<T>(limit: number, signals: readonly AbortSignal[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, limit);
  for (const signal of signals) {
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  }
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', abort);
  }
}

/** Whether work ended because of {@link within}, by its limit or by the caller's signal. */
export const isAbort = (thrown: unknown): boolean => thrown instanceof Error && thrown.name === 'AbortError';
