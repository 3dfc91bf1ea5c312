import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { isAbort, within } from '../../src/kit/within.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Work that ends with its signal alone, which nobody but the work knows. */
const untilAborted = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => {
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
});

void t.test('the limit ends the work, whatever is collected as garbage meanwhile', async (t) => {
  const { signal } = new AbortController();
  const ended = within(200, [signal], untilAborted).then(() => undefined, (error: unknown) => error);
  // Collected where the event loop is idle, as the daemon's is while it waits.
  const collecting = setInterval(collectGarbage, 20);
  t.ok(isAbort(await ended));
  clearInterval(collecting);
  t.equal(getEventListeners(signal, 'abort').length, 0, 'it lets go of the signal');
});

void t.test('each of the signals ends the work, also one that was aborted before', async (t) => {
  const stop = new AbortController();
  const ended = within(60_000, [new AbortController().signal, stop.signal], untilAborted);
  stop.abort();
  await t.rejects(ended, { name: 'AbortError' });
  await t.rejects(within(60_000, [AbortSignal.abort()], (signal) => Promise.resolve().then(() => signal.throwIfAborted())), { name: 'AbortError' });
  t.equal(await within(60_000, [], () => Promise.resolve('done')), 'done');
});
