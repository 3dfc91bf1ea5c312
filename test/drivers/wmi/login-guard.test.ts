import t from 'tap';
import { LoginGuard, type Attempt } from '../../../src/drivers/wmi/login-guard.js';
import { WmiAccessError, WmiFault, WmiLoginRefusedError } from '../../../src/protocols/wmi/errors.js';
import { FakeWmi, fakeLink } from './fake-wmi.js';
import { outcome, soon } from '../driving.js';

const MINUTE = 60_000;

/** A guard with a clock of its own, and how often a password was tried. */
function setUp() {
  const clock = { now: 0 };
  const log: string[] = [];
  const guard = new LoginGuard((level, message) => { log.push(`${level}: ${message}`); }, () => clock.now);
  let tried = 0;
  const attempt = (mark: string, work: () => Promise<unknown> = () => Promise.resolve('in')): Attempt<unknown> => ({
    mark: () => mark,
    approach: () => Promise.resolve(),
    work: () => {
      tried += 1;
      return work();
    },
  });
  const refuse = () => Promise.reject(new WmiLoginRefusedError('the password is wrong'));
  return { clock, log, guard, attempt, refuse, tries: () => tried };
}

void t.test('a refused login is held back, longer each time', async (t) => {
  const { clock, guard, attempt, refuse, tries, log } = setUp();
  t.match(await outcome(guard.run(attempt('a', refuse), soon())), { error: { message: 'the password is wrong' } });
  t.match(await outcome(guard.run(attempt('a', refuse), soon())), { phrase: 'ACCESS DENIED', detail: /^the password is wrong; not tried again before \d{4}-.*Z unless/ });
  t.equal(tries(), 1);
  for (const [minutes, more] of [[4.9, 0], [5.1, 1], [14.9, 0], [15.2, 1], [35.1, 0], [35.3, 1], [65.2, 0], [65.4, 1], [95.5, 1]] as const) {
    const before = tries();
    clock.now = minutes * MINUTE;
    for (let call = 0; call < 20; call += 1) await guard.run(attempt('a', refuse), soon()).catch(() => undefined);
    t.equal(tries() - before, more, `after ${minutes} min`);
  }
  t.equal(log.length, tries(), 'each refusal is logged, and nothing else');
});

void t.test('another password is tried at once; one that is good ends it', async (t) => {
  const { guard, attempt, refuse, tries } = setUp();
  await outcome(guard.run(attempt('a', refuse), soon()));
  t.equal(await guard.run(attempt('b'), soon()), 'in');
  t.equal(tries(), 2);
  await outcome(guard.run(attempt('c', refuse), soon()));
  t.match(await outcome(guard.run(attempt('c'), soon())), { phrase: 'ACCESS DENIED' }, 'it is no longer taken for good');
});

void t.test('many callers try a wrong password once', async (t) => {
  const { guard, attempt, tries } = setUp();
  const slow = () => new Promise((_, reject) => { setImmediate(() => reject(new WmiLoginRefusedError('no'))); });
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(guard.run(attempt('a', slow), soon()))));
  t.equal(tries(), 1);
  t.equal(outcomes.filter(({ phrase }) => phrase === 'ACCESS DENIED').length, 49);
});

void t.test('of calls under way together that are refused, one counts', async (t) => {
  const { guard, attempt, clock, refuse, tries } = setUp();
  await guard.run(attempt('a'), soon());
  await Promise.all(Array.from({ length: 5 }, () => outcome(guard.run(attempt('a', refuse), soon()))));
  for (const [minutes, more] of [[0.4, 0], [0.6, 1], [5.5, 0], [5.7, 1], [15.6, 0], [15.8, 1]] as const) {
    const before = tries();
    clock.now = minutes * MINUTE;
    await outcome(guard.run(attempt('a', refuse), soon()));
    t.equal(tries() - before, more, `what was good before is tried again soon, once: after ${minutes} min`);
  }
});

/** Guards of several providers with accounts of one realm, and how often a password was tried. */
function setUpMany(realm: string, count: number) {
  const clock = { now: 0 };
  const guards = Array.from({ length: count }, () => new LoginGuard(() => undefined, () => clock.now, realm));
  const tried: string[] = [];
  const run = (index: number, mark: string, isGood: boolean) => outcome(guards[index]!.run({
    mark: () => mark, approach: () => Promise.resolve(),
    work: async () => {
      tried.push(mark);
      await new Promise(setImmediate);
      if (!isGood) throw new WmiLoginRefusedError('no');
      return 'in';
    },
  }, soon()));
  return { clock, run, tried };
}

void t.test('providers with one account try a wrong password once, between them', async (t) => {
  const { run, tried, clock } = setUpMany('one', 12);
  await Promise.all(Array.from({ length: 120 }, (_, call) => run(call % 12, 'wrong', false)));
  t.equal(tried.length, 1);
  clock.now = 5.1 * MINUTE;
  await Promise.all(Array.from({ length: 12 }, (_, index) => run(index, 'wrong', false)));
  t.equal(tried.length, 2);
  t.same(await run(3, 'right', true), { value: 'in' }, 'another password is tried at once');
  t.match(await run(4, 'wrong', false), { phrase: 'ACCESS DENIED' }, 'and does not let the wrong one go again');
  const other = setUpMany('two', 1);
  await other.run(0, 'wrong', false);
  t.equal(other.tried.length, 1, 'an account of another realm is another account');
});

void t.test('one machine that lets nobody in does not hold back the others; a password that was changed does', async (t) => {
  const { run, tried, clock } = setUpMany('three', 12);
  for (let index = 0; index < 11; index += 1) t.same(await run(index, 'a', true), { value: 'in' });
  await run(11, 'a', false);
  t.match(await run(11, 'a', false), { phrase: 'ACCESS DENIED', detail: /not tried again/ });
  for (let index = 0; index < 11; index += 1) t.same(await run(index, 'a', true), { value: 'in' });
  t.equal(tried.length, 23);
  clock.now = 2 * MINUTE;
  const before = tried.length;
  await Promise.all(Array.from({ length: 11 }, (_, index) => run(index, 'a', false)));
  t.equal(tried.length, before + 1);
});

void t.test('a refusal of WMI itself is no refused login', async (t) => {
  const { guard, attempt, tries } = setUp();
  const fault = new WmiFault('access-denied', 5, 'Zugriff verweigert');
  for (let call = 0; call < 3; call += 1) await t.rejects(guard.run(attempt('a', () => Promise.reject(fault)), soon()), fault);
  t.equal(tries(), 3);
});

void t.test('whoever waits for its turn is let go by its signal', async (t) => {
  const { guard, attempt } = setUp();
  let open = (): void => undefined;
  const first = guard.run(attempt('a', () => new Promise((resolve) => { open = () => resolve('in'); })), soon());
  const abort = new AbortController();
  const second = outcome(guard.run(attempt('a'), abort.signal));
  abort.abort(new Error('enough'));
  t.match(await second, { error: { message: 'enough' } });
  open();
  t.equal(await first, 'in');
  t.equal(await guard.run(attempt('a'), soon()), 'in');
});

void t.test('a link opens anew with other credentials, and not at all while they are held back', async (t) => {
  const wmi = new FakeWmi();
  wmi.tables.set('root/cimv2:X', () => [{ A: '1' }]);
  const { link, credentials, server } = await fakeLink(t, wmi);
  wmi.faults.push(new WmiLoginRefusedError('the password is wrong'));
  const ask = () => outcome(link.use('reads', () => link.query('root/cimv2', 'SELECT A FROM X', soon())));
  t.match(await ask(), { phrase: 'ACCESS DENIED', detail: 'the password is wrong' });
  t.equal(wmi.closed, 1);
  t.match(await ask(), { phrase: 'ACCESS DENIED', detail: /not tried again/ });
  t.equal(wmi.opened, 1);
  credentials.mark = 'two';
  t.same(await ask(), { value: [{ A: '1' }] });
  t.equal(wmi.opened, 2);
  t.equal(await link.isListening(soon(), 2000), true);
  server.close();
  t.equal(await link.isListening(soon(), 2000), false);
  credentials.mark = 'three';
  t.same(await ask(), { value: [{ A: '1' }] }, 'a login that was good a moment ago needs no new proof');
});

void t.test('a service that has forgotten us is logged in to again, once', async (t) => {
  const wmi = new FakeWmi();
  wmi.tables.set('root/cimv2:X', () => [{ A: '1' }]);
  wmi.methods.set('X.Go', () => ({ ReturnValue: '0' }));
  const { link } = await fakeLink(t, wmi);
  const go = () => outcome(link.use('acts', () => link.invoke({ namespace: 'root/cimv2', className: 'X', keys: {} }, 'Go', {}, soon())));
  const forgotten = new WmiAccessError('the service asks for the login again');
  wmi.faults.push(forgotten);
  t.match(await go(), { phrase: 'ACCESS DENIED' }, 'a connection that was never good');
  t.same(await go(), { value: { ReturnValue: '0' } });
  wmi.faults.push(forgotten);
  t.same(await go(), { value: { ReturnValue: '0' } });
  t.equal(wmi.opened, 3);
  wmi.faults.push(forgotten, forgotten);
  t.match(await go(), { phrase: 'ACCESS DENIED' });
});

void t.test('where nobody listens, no password is tried', async (t) => {
  const wmi = new FakeWmi();
  const { link, server } = await fakeLink(t, wmi);
  server.close();
  t.match(await outcome(link.use('acts', () => link.query('x', 'SELECT A FROM X', soon()))), { phrase: 'UNREACHABLE', detail: /nobody listens on port \d+; is WinRM set up there\?/ });
  t.equal(wmi.opened, 0);
});
