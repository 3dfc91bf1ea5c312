import t from 'tap';
import { Lockout } from '../../src/kit/lockout.js';

class Refused extends Error {
  override readonly name = 'Refused';
}

/** A guard that holds for the given times, and how often a login was tried. */
function setUp(holds: { first: number; longest: number; known: number }) {
  const guard = new Lockout((error, hint) => (error instanceof Refused ? new Refused(hint, { cause: error }) : undefined), holds);
  let tried = 0;
  const log = (password: string, outcome: () => Promise<unknown>) => guard.guard(['argo', password], () => {
    tried += 1;
    return outcome();
  });
  return { log, tries: () => tried };
}

const HOUR = 3_600_000;
const isIn = () => Promise.resolve('in');
const isRefused = () => Promise.reject(new Refused('wrong'));

void t.test('what was refused is held back, and nothing else', async (t) => {
  const { log, tries } = setUp({ first: HOUR, longest: HOUR, known: HOUR });
  const broken = new Error('no route');
  await t.rejects(log('one', () => Promise.reject(broken)), broken);
  await t.rejects(log('one', isRefused), { message: /^not tried again before \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, unless/, cause: { message: 'wrong' } });
  await t.rejects(log('one', isIn), { name: 'Refused' });
  t.equal(tries(), 2);
  t.equal(await log('two', isIn), 'in', 'others are tried at once');
  await t.rejects(log('two', isRefused), { name: 'Refused' });
  await t.rejects(log('two', isIn), { name: 'Refused' }, 'also where they were good before');
  t.equal(tries(), 4);
});

void t.test('when the time is over it is tried again', async (t) => {
  const { log, tries } = setUp({ first: 0, longest: 0, known: HOUR });
  await t.rejects(log('one', isRefused), { name: 'Refused' });
  t.equal(await log('one', isIn), 'in');
  await t.rejects(log('one', isRefused), { name: 'Refused' });
  await t.rejects(log('one', isIn), { name: 'Refused' }, 'what was good before has a time of its own');
  t.equal(tries(), 3);
});

void t.test('those who name the same realm try a login once between them', async (t) => {
  const holds = { first: HOUR, longest: HOUR, known: HOUR };
  const refusal = (error: unknown, hint: string) => (error instanceof Refused ? new Refused(hint) : undefined);
  const guards = Array.from({ length: 12 }, () => new Lockout(refusal, holds, 'peer one.example'));
  let tried = 0;
  const logIn = (guard: Lockout, password: string, signal?: AbortSignal) => guard.guard(['argo', password], async () => {
    tried += 1;
    await new Promise(setImmediate);
    if (password !== 'right') throw new Refused('wrong');
    return 'in';
  }, signal);
  const results = await Promise.allSettled(guards.map((guard) => logIn(guard, 'wrong')));
  t.ok(results.every(({ status }) => status === 'rejected'));
  t.equal(tried, 1);
  t.same(await Promise.all(guards.map((guard) => logIn(guard, 'right'))), guards.map(() => 'in'), 'others are tried at once');
  await t.rejects(logIn(guards[5]!, 'wrong'), { name: 'Refused' });
  t.equal(tried, 13, 'and do not let the wrong ones go again');
  await t.rejects(logIn(new Lockout(refusal, holds, 'peer two.example'), 'wrong'), { name: 'Refused' });
  t.equal(tried, 14, 'another server has other accounts');
});

function pending(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => { resolve = settle; });
  return { promise, resolve };
}

void t.test('whoever waits for a trial of the same credentials is let go by its signal', async (t) => {
  const [one, two] = [1, 2].map(() => new Lockout(() => undefined, undefined, 'peer three.example')) as [Lockout, Lockout];
  const { promise, resolve } = pending();
  const first = one.guard(['argo', 'x'], () => promise);
  const abort = new AbortController();
  const second = two.guard(['argo', 'x'], isIn, abort.signal);
  abort.abort(new Error('enough'));
  await t.rejects(second, { message: 'enough' });
  resolve();
  await first;
  t.equal(await two.guard(['argo', 'x'], isIn), 'in');
});
