import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { beforeSending, isAbort, onAbort, underAll, unlessAborted, within } from '../../src/kit/within.js';

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

void t.test('any of several signals ends the work with its own reason, and keeps nothing of it', async (t) => {
  const [one, other] = [new AbortController(), new AbortController()];
  const reason = new Error('enough');
  const ended = underAll([one.signal, other.signal], untilAborted);
  other.abort(reason);
  await t.rejects(ended, reason);
  t.equal(getEventListeners(one.signal, 'abort').length, 0);
  await t.rejects(underAll([one.signal, other.signal], (signal) => Promise.resolve().then(() => signal.throwIfAborted())), reason, 'also one that was aborted before');
  t.equal(await underAll([one.signal], () => Promise.resolve('done')), 'done');
  t.equal(getEventListeners(one.signal, 'abort').length, 0);
});

void t.test('whoever no longer waits lets the work go on', async (t) => {
  const stop = new AbortController();
  let finish: (value: string) => void = () => undefined;
  const work = new Promise<string>((resolve) => { finish = resolve; });
  const patient = unlessAborted(work, new AbortController().signal);
  const hasty = unlessAborted(work, stop.signal);
  const told = unlessAborted(work, stop.signal, () => new RangeError('it takes too long'));
  const reason = new Error('enough');
  stop.abort(reason);
  await t.rejects(hasty, reason);
  await t.rejects(told, RangeError);
  await t.rejects(unlessAborted(work, stop.signal), reason);
  finish('done');
  t.equal(await patient, 'done');
});

void t.test('thousands wait for a signal with one listener, and with none when they have gone', (t) => {
  const stop = new AbortController();
  const listeners = (): number => getEventListeners(stop.signal, 'abort').length;
  let told = 0;
  const ends = Array.from({ length: 1000 }, () => onAbort(stop.signal, () => { told += 1; }));
  t.equal(listeners(), 1);
  ends.forEach((end) => end());
  t.equal(listeners(), 0);
  const end = onAbort(stop.signal, () => { told += 1; });
  ends.forEach((earlier) => earlier());
  onAbort(stop.signal, () => { told += 1; });
  stop.abort();
  end();
  t.equal(told, 2);
  onAbort(stop.signal, () => { told += 1; });
  t.equal(told, 3, 'one that is aborted already');
  t.end();
});

const over = AbortSignal.abort();
const lost = new Error('lost');

void t.test('where the time is over before anything was sent, that is said', async (t) => {
  await t.rejects(beforeSending(over, () => Promise.reject(lost)), { phrase: 'UNREACHABLE', cause: lost });
});

void t.test('what was sent, or is told already, or fails in time, is left as it is', async (t) => {
  await t.rejects(beforeSending(over, (sending) => {
    sending();
    return Promise.reject(lost);
  }), lost);
  const told = new ArgoError('BUSY');
  await t.rejects(beforeSending(over, () => Promise.reject(told)), told);
  const ended = AbortSignal.abort(new ArgoError('BUSY'));
  await t.rejects(beforeSending(ended, () => Promise.reject(ended.reason as Error)), { phrase: 'UNREACHABLE', cause: ended.reason });
  await t.rejects(beforeSending(new AbortController().signal, () => Promise.reject(lost)), lost);
  t.equal(await beforeSending(over, () => Promise.resolve('done')), 'done');
});

await t.test('many that work within one signal leave it one listener, and none behind', async (t) => {
  const controller = new AbortController();
  const { signal } = controller;
  const ends: (() => void)[] = [];
  const all = Array.from({ length: 50 }, () => within(60_000, [signal], () => new Promise<void>((resolve) => { ends.push(resolve); })));
  t.equal(getEventListeners(signal, 'abort').length, 1);
  ends.forEach((end) => end());
  await Promise.all(all);
  t.equal(getEventListeners(signal, 'abort').length, 0);
});
