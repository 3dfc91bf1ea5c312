import t from 'tap';
import { Lockout } from '../../src/kit/lockout.js';

class Refused extends Error {
  override readonly name = 'Refused';
}

/** A guard that holds for the given times, and how often a login was tried. */
function setUp(holds: { first: number; longest: number; known: number }) {
  const guard = new Lockout((error, hint) => (error instanceof Refused ? new Refused(hint, { cause: error }) : undefined), { holds });
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
  const guards = Array.from({ length: 12 }, () => new Lockout(refusal, { holds, realm: 'peer one.example' }));
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
  await t.rejects(logIn(new Lockout(refusal, { holds, realm: 'peer two.example' }), 'wrong'), { name: 'Refused' });
  t.equal(tried, 14, 'another server has other accounts');
});

function pending(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => { resolve = settle; });
  return { promise, resolve };
}

void t.test('whoever waits for a trial of the same credentials is let go by its signal', async (t) => {
  const [one, two] = [1, 2].map(() => new Lockout(() => undefined, { realm: 'peer three.example' })) as [Lockout, Lockout];
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

const MINUTE = 60_000;

/** Guards of several providers with accounts of one realm, a clock of their own, and what was tried and told. */
function setUpMany(realm: string | undefined, count: number, hasManyDoors = true) {
  const clock = { now: 0 };
  const tried: string[] = [];
  const told: string[] = [];
  const guards = Array.from({ length: count }, () => new Lockout(
    (error, hint) => (error instanceof Refused ? new Refused(hint) : undefined),
    {
      ...(realm !== undefined && { realm }), hasManyDoors, now: () => clock.now,
      isAdmission: (error) => error instanceof RangeError, onRefusal: (_error, until) => told.push(until),
    },
  ));
  const run = (index: number, password: string, outcome: () => Promise<unknown> = password === 'wrong' ? isRefused : isIn) => guards[index]!.guardCall({
    credentials: () => ['argo', password],
    work: async () => {
      tried.push(password);
      await new Promise(setImmediate);
      return outcome();
    },
  }, new AbortController().signal).catch((error: unknown) => (error as Error).name);
  return { clock, run, tried, told };
}

void t.test('a refused login is held back longer each time, and each refusal that counts is told', async (t) => {
  const { clock, run, tried, told } = setUpMany(undefined, 1);
  t.equal(await run(0, 'wrong'), 'Refused');
  for (const [minutes, more] of [[4.9, 0], [5.1, 1], [14.9, 0], [15.2, 1], [35.1, 0], [35.3, 1], [65.2, 0], [65.4, 1], [95.5, 1]] as const) {
    const before = tried.length;
    clock.now = minutes * MINUTE;
    for (let call = 0; call < 20; call += 1) t.equal(await run(0, 'wrong'), 'Refused');
    t.equal(tried.length - before, more, `after ${minutes} min`);
  }
  t.equal(told.length, tried.length);
  t.match(told[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

void t.test('of calls under way together that are refused, one counts', async (t) => {
  const { clock, run, tried } = setUpMany(undefined, 1);
  t.equal(await run(0, 'a'), 'in');
  await Promise.all(Array.from({ length: 5 }, () => run(0, 'a', isRefused)));
  for (const [seconds, more] of [[9, 0], [11, 1], [310, 0], [312, 1], [911, 0], [913, 1]] as const) {
    const before = tried.length;
    clock.now = seconds * 1000;
    await run(0, 'a', isRefused);
    t.equal(tried.length - before, more, `what was good before is tried again soon, once: after ${seconds} s`);
  }
});

void t.test('whoever comes with another error has been let in, or not, as the protocol says', async (t) => {
  const { run, tried } = setUpMany('peer four.example', 2);
  t.equal(await run(0, 'a', () => Promise.reject(new RangeError('no such thing'))), 'RangeError');
  t.equal(await run(1, 'a', isRefused), 'Refused', 'others were let in: it is a matter of this one');
  t.equal(await run(0, 'a'), 'in');
  t.equal(tried.length, 3);
});

void t.test('one machine that lets nobody in does not hold back the others of its domain; a password that was changed does', async (t) => {
  const { run, tried, clock } = setUpMany('domain one', 12);
  for (let index = 0; index < 11; index += 1) t.equal(await run(index, 'a'), 'in');
  t.equal(await run(11, 'a', isRefused), 'Refused');
  t.equal(await run(11, 'a'), 'Refused');
  for (let index = 0; index < 11; index += 1) t.equal(await run(index, 'a'), 'in');
  t.equal(tried.length, 23);
  clock.now = 2 * MINUTE;
  const before = tried.length;
  await Promise.all(Array.from({ length: 11 }, (_, index) => run(index, 'a', isRefused)));
  t.equal(tried.length, before + 1);
  const one = setUpMany('machine one', 2, false);
  t.equal(await one.run(0, 'a'), 'in');
  t.equal(await one.run(1, 'a', isRefused), 'Refused');
  one.clock.now = 5000;
  t.equal(await one.run(1, 'a'), 'Refused');
  t.equal(one.tried.length, 2, 'where there is but one machine, it is held back for all');
});

void t.test('who has to wait for another looks first whether anybody is there', async (t) => {
  const guard = new Lockout(() => undefined, { realm: 'peer five.example' });
  const { promise, resolve } = pending();
  const looks: boolean[] = [];
  const logIn = (isThere: boolean, work: () => Promise<unknown>) => guard.guardAttempt({
    credentials: () => ['argo', 'x'], work,
    approach: (mustWait) => {
      looks.push(mustWait);
      return isThere ? Promise.resolve() : Promise.reject(new Error('nobody there'));
    },
  });
  const first = logIn(true, () => promise);
  await new Promise(setImmediate);
  await t.rejects(logIn(false, isIn), { message: 'nobody there' }, 'without waiting');
  resolve();
  await first;
  t.equal(await logIn(true, isIn), 'in');
  t.same(looks, [false, true, false]);
});
