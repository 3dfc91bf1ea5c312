import t from 'tap';
import { SIGNAL_USES, SIGNALS_KEPT } from '../../src/kit/limits.js';
import { Deadline } from '../../src/kit/deadline.js';
import { Signals } from '../../src/kit/signals.js';

void t.test('a signal that was not needed is given to the next', (t) => {
  const signals = new Signals();
  const first = signals.take();
  t.not(signals.take(), first, 'one that is out is nobody else\'s');
  signals.putBack(first);
  t.equal(signals.take(), first);
  t.not(signals.take(), first);
  t.end();
});

void t.test('one that was aborted, or that somebody listens to, is not', (t) => {
  const signals = new Signals();
  const isKept = (use: (signal: AbortSignal) => void): boolean => {
    const loan = signals.take();
    use(loan.signal);
    signals.putBack(loan);
    return signals.take() === loan;
  };
  const listener = (): void => undefined;
  t.equal(isKept((signal) => signal.addEventListener('abort', listener)), false);
  t.equal(isKept((signal) => { signal.onabort = listener; }), false);
  t.equal(isKept((signal) => {
    signal.addEventListener('abort', listener);
    signal.removeEventListener('abort', listener);
  }), true);
  const aborted = signals.take();
  aborted.abort(new Error('over'));
  signals.putBack(aborted);
  t.equal(signals.take().signal.aborted, false);
  t.end();
});

void t.test('each has an end, and so has their number: what AbortSignal.any makes of one stays with it', (t) => {
  const signals = new Signals();
  const first = signals.take();
  let uses = 1;
  for (signals.putBack(first); ; uses += 1) {
    const next = signals.take();
    if (next !== first) break;
    signals.putBack(next);
  }
  t.equal(uses, SIGNAL_USES);
  const many = Array.from({ length: SIGNALS_KEPT + 10 }, () => signals.take());
  many.forEach((one) => signals.putBack(one));
  const again = new Set(Array.from({ length: many.length }, () => signals.take()));
  t.equal(many.filter((one) => again.has(one)).length, SIGNALS_KEPT);
  t.end();
});

void t.test('a deadline leaves its signal when it is cleared in time', async (t) => {
  const signals = new Signals();
  const inTime = new Deadline(60_000, signals);
  const { signal } = inTime;
  inTime.clear();
  const next = new Deadline(1, signals);
  t.equal(next.signal, signal);
  await new Promise<void>((resolve) => { next.signal.addEventListener('abort', () => resolve(), { once: true }); });
  next.clear();
  t.not(new Deadline(1, signals).signal, signal, 'not one that has passed');
});
