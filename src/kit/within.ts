import { ArgoError } from './errors.js';

/** Work and the signals that end it early. */

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
  const ends = signals.map((signal) => onAbort(signal, abort));
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    ends.forEach((end) => end());
  }
}

/** Whether work ended because of {@link within}, by its limit or by the caller's signal. */
export const isAbort = (thrown: unknown): boolean => thrown instanceof Error && thrown.name === 'AbortError';

/**
 * Does work that any of the signals ends, with the reason of that one. Instead of AbortSignal.any, of
 * which a signal that lives long keeps something for each call on Node 20.
 */
export async function underAll<T>(signals: readonly AbortSignal[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const ends = signals.map((signal) => onAbort(signal, (reason) => controller.abort(reason)));
  try {
    return await work(controller.signal);
  } finally {
    ends.forEach((end) => end());
  }
}

/**
 * What work comes to, or the signal's reason as soon as it is aborted. The work goes on: it cannot be
 * stopped, or others wait for it too.
 * @param asError what is thrown instead of the reason
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, asError = (): Error => signal.reason as Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = onAbort(signal, () => reject(asError()));
    work.then(resolve, reject).finally(leave);
  });
}

/**
 * Waits for what somebody gives later, or refuses; not longer than until the signal is aborted.
 * @param wait begins to wait, and tells by its result how to end that; it gives nothing before it returns
 * @throws the signal's reason, and that of a refusal
 */
export function givenLater<T>(signal: AbortSignal, wait: (give: (value: T) => void, refuse: (reason: Error) => void) => () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = wait((value) => {
      forget();
      resolve(value);
    }, (reason) => {
      forget();
      reject(reason);
    });
    const forget = onAbort(signal, (reason) => {
      leave();
      reject(reason as Error);
    });
  });
}

/**
 * Does what comes before an order is sent, and may send it. Where its time is over before, nothing was
 * sent, which nobody but the driver knows.
 * @param work tells by `sending` that the order goes out now: what it throws from then on is thrown as it is
 * @throws ArgoError UNREACHABLE where the signal was aborted before that; else what the work throws
 */
export async function beforeSending<T>(signal: AbortSignal, work: (sending: () => void) => Promise<T>): Promise<T> {
  let isSending = false;
  try {
    return await work(() => { isSending = true; });
  } catch (error) {
    // why it was aborted may be an ArgoError itself, which says nothing of what was done
    if (isSending || !signal.aborted || (error instanceof ArgoError && error !== signal.reason)) throw error;
    throw new ArgoError('UNREACHABLE', 'its time was over before anything was sent', { cause: error });
  }
}

interface Group {
  readonly members: Set<(reason: unknown) => void>;
  readonly tell: () => void;
}

const groups = new WeakMap<AbortSignal, Group>();

/**
 * Lets thousands wait for one signal: it has one listener of ours, however many they are, since what
 * it costs to remove a listener grows with their number; and none when nobody waits any more.
 * @param cancel called once with the reason when the signal is aborted, at once if it is so already
 * @returns ends the watch
 */
export function onAbort(signal: AbortSignal, cancel: (reason: unknown) => void): () => void {
  if (signal.aborted) {
    cancel(signal.reason);
    return () => undefined;
  }
  const group = groups.get(signal) ?? startGroup(signal);
  group.members.add(cancel);
  return () => {
    if (!group.members.delete(cancel) || group.members.size > 0 || groups.get(signal) !== group) return;
    groups.delete(signal);
    signal.removeEventListener('abort', group.tell);
  };
}

function startGroup(signal: AbortSignal): Group {
  const members = new Set<(reason: unknown) => void>();
  const tell = (): void => {
    const all = [...members];
    members.clear();
    all.forEach((cancel) => cancel(signal.reason));
  };
  const group = { members, tell };
  groups.set(signal, group);
  signal.addEventListener('abort', tell, { once: true });
  return group;
}

/** Waits for work that never rejects, but not longer than so many milliseconds. */
export async function notLonger(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise<void>((resolve) => { timer = setTimeout(resolve, ms); })]);
  clearTimeout(timer);
}
