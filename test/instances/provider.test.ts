import { Gate } from '../../src/instances/gate.js';
import t from 'tap';
import { Deadline } from '../../src/kit/deadline.js';
import type { Driver, PowerState } from '../../src/drivers/driver.js';
import type { Caller } from '../../src/instances/calls.js';
import type { Question } from '../../src/instances/readings.js';
import { connect } from '../support/line-client.js';
import { SEED_CONFIG, startCore } from '../server/core.js';
import { until } from '../support/until.js';
import { FakeMachine, fakeProvider, never } from './fake-driver.js';

const WITHIN = 10_000;
const FORCED: Caller = { account: 'kim', urgency: 'forced' };
const ORDER: Caller = { account: 'kim', urgency: 'order' };

const question = <T>(id: string, ask: (signal: AbortSignal) => Promise<T>, more: Partial<Omit<Question, 'ask'>> = {}): Question<T> =>
  ({ id, name: 'status', account: 'kim', ms: 60_000, isAllowed: () => true, ask, ...more });

void t.test('an order goes out although hanging readings hold all places', async (t) => {
  const { provider } = await fakeProvider([new FakeMachine('lj', 'on')], { concurrency: 2 });
  const hung = ['a', 'b', 'c'].map((id) => provider.read(question(id, never)).catch((error: Error) => error.message));
  const deadline = new Deadline(WITHIN);
  t.equal(await provider.call(deadline, () => Promise.resolve('sent'), FORCED), 'sent');
  deadline.clear();
  await provider.close(0);
  t.same(new Set(await Promise.all(hung)), new Set(['UNREACHABLE: fake is being closed']));
});

void t.test('where tasks may go on, all else ends first, and the driver stays until they have ended', async (t) => {
  const { provider, driver } = await fakeProvider([new FakeMachine('lj', 'on')]);
  let isClosed = false;
  driver.close = async () => { isClosed = true; };
  const told: string[] = [];
  provider.hold(() => told.push('action'));
  const end = provider.hold(() => told.push('task'), true);
  const deadline = new Deadline(WITHIN);
  const copying = provider.attend(deadline, never).catch((error: Error) => error.message);
  const order = new Deadline(WITHIN);
  const ordered = provider.call(order, never, ORDER).catch((error: Error) => error.message);
  const closing = provider.close(10, 10 * WITHIN);
  t.equal(await ordered, 'UNREACHABLE: fake is being closed');
  t.same([told, isClosed], [['action'], false]);
  deadline.abort(new Error('it has ended'));
  end();
  t.equal(await copying, 'it has ended');
  await closing.catch(() => undefined);
  t.same([told.includes('task'), isClosed], [false, true]);
  await t.rejects(provider.attend(new Deadline(10), never), { message: 'UNREACHABLE: fake is no longer configured' });
  [deadline, order].forEach((one) => one.clear());
});

void t.test('a task of a provider that is taken away is told so, and has time for its end', async (t) => {
  const { provider } = await fakeProvider([new FakeMachine('lj', 'on')]);
  let told = '';
  const release = provider.hold(() => {
    setTimeout(() => {
      told = 'taken back';
      release();
    }, 20);
  }, true);
  await provider.close(10, 5000);
  t.equal(told, 'taken back');
});

void t.test('a listing that is not whole is told as out of date', async (t) => {
  const { provider, driver, registry } = await fakeProvider([new FakeMachine('lj', 'on'), new FakeMachine('mk', 'on')]);
  t.equal(provider.staleReason, undefined);
  const whole = driver.list;
  driver.list = async () => Object.assign(driver.sightings().slice(0, 1), { incomplete: '1 of 2 machines told nothing' });
  await provider.refresh();
  t.equal(provider.staleReason, '1 of 2 machines told nothing');
  t.equal(provider.answers, true, 'it is there all the same');
  t.equal([...registry.all()].length, 1);
  driver.list = () => Promise.reject(new Error('gone'));
  await provider.refresh();
  t.equal(provider.answers, false);
  driver.list = whole;
  await provider.refresh();
  t.equal(provider.answers, true);
  t.equal(provider.staleReason, undefined);
  await provider.close(0);
});

void t.test('one that is silent keeps what was known of it, and is told as silent', async (t) => {
  const { provider, driver, registry } = await fakeProvider([new FakeMachine('lj', 'on')]);
  const whole = driver.list;
  driver.list = async () => Object.assign(driver.sightings(), { incomplete: 'site berlin is not connected', isSilent: true });
  await provider.refresh();
  t.equal(provider.staleReason, 'site berlin is not connected');
  t.equal(provider.answers, false);
  t.same([provider.listed, [...registry.all()].length], [true, 1]);
  driver.list = whole;
  await provider.refresh();
  t.same([provider.answers, provider.staleReason], [true, undefined]);
  await provider.close(0);
});

void t.test('an order that hangs lends its place to who waits for long', async (t) => {
  const { provider } = await fakeProvider([new FakeMachine('lj', 'on')], { concurrency: 1 });
  const deadline = new Deadline(60_000);
  const hung = provider.call(deadline, never, ORDER).catch((error: Error) => error.message);
  t.equal(await provider.read(question('a', () => Promise.resolve('on'))), 'on');
  deadline.abort(new Error('over'));
  t.equal(await hung, 'over');
  t.equal(await provider.read(question('a', () => Promise.resolve('on'))), 'on');
  await provider.close(0);
});

void t.test('orders go before readings, and what is forced before other orders', async (t) => {
  const { provider } = await fakeProvider([new FakeMachine('lj', 'on')], { concurrency: 1 });
  const order: string[] = [];
  const answers: (() => void)[] = [];
  const work = (name: string) => () => new Promise<void>((resolve) => { order.push(name); answers.push(resolve); });
  const deadline = new Deadline(60_000);
  const all = [
    provider.call(deadline, work('first'), ORDER),
    provider.read(question('a', work('reading'))),
    provider.call(deadline, work('order 1'), ORDER),
    provider.call(deadline, work('order 2'), ORDER),
    provider.call(deadline, work('forced'), FORCED),
  ];
  for (let done = 1; done <= all.length; done += 1) {
    await until(() => order.length === done, WITHIN, `call ${done}`);
    answers[done - 1]!();
  }
  await Promise.all(all);
  deadline.clear();
  t.ok(order.indexOf('forced') < order.indexOf('order 2'), order.join(', '));
  t.ok(order.indexOf('order 1') < order.indexOf('reading'), order.join(', '));
  await provider.close(0);
});

void t.test('a reload lets readings of a provider that is no longer configured end, and takes no new ones', async (t) => {
  const { provider } = await fakeProvider([new FakeMachine('lj', 'on')]);
  let answer = (state: PowerState): void => void state;
  const reading = provider.read(question('a', () => new Promise<PowerState>((resolve) => { answer = resolve; })));
  const closing = provider.close(WITHIN);
  answer('on');
  t.equal(await reading, 'on');
  await closing;
  await t.rejects(provider.read(question('a', never)), /UNREACHABLE/);
  const deadline = new Deadline(1000);
  await t.rejects(provider.call(deadline, never, ORDER), /UNREACHABLE/);
  deadline.clear();
});

void t.test('who takes an answer of some age is served by one sample of all machines', async (t) => {
  const { provider, driver } = await fakeProvider([new FakeMachine('lj', 'on')]);
  let samples = 0;
  (driver as Driver).sample = () => {
    samples += 1;
    return Promise.resolve(new Map([['a', { status: 'on' as const }], ['b', { status: 'off' as const }]]));
  };
  const single = () => Promise.resolve<PowerState>('paused');
  const aged = (id: string) => provider.read(question(id, single, { maxAge: 60_000 }));
  t.same(await Promise.all([aged('a'), aged('b'), aged('c')]), ['on', 'off', 'paused'], 'what is missing is asked for singly');
  t.equal(await aged('a'), 'on');
  t.equal(samples, 1);
  t.equal(await provider.read(question('a', single)), 'paused', 'asked now where no age is given');
  provider.changed('a');
  t.equal(await aged('a'), 'on');
  t.equal(samples, 2, 'not from before an order');
  const work = { ...question('', () => Promise.resolve('figures'), { maxAge: 60_000 }), name: 'stats.guests {}', isWork: true as const };
  provider.changed('');
  t.equal(await provider.read(work), 'figures');
  t.equal(samples, 2, 'work beyond power has nothing of it');
  Object.assign(driver, { sampled: ['rx'] });
  provider.changed('');
  t.equal(await aged('b'), 'paused');
  t.equal(samples, 2, 'nor is one taken for what no sample has');
  await provider.close(0);
});

void t.test('the simulated provider has samples', async (t) => {
  const core = await startCore(t, { config: SEED_CONFIG.replace('type = "sim"', 'type = "sim"\nlatency = "2ms"\nfaults = { dev = "error" }') });
  const session = await core.session('steve');
  const actor = core.gate.actor({ identity: session.identity, through: undefined, origin: 'test' });
  const { instances } = await actor.select(['lj', 'test', 'dev']);
  const states = await Promise.all(instances.map((one) => actor.read(one, 'status', { maxAge: 5000 })));
  t.same(states, ['on', 'off', 'unknown']);
  t.equal(typeof await actor.read(instances[0]!, 'uptime', { maxAge: 5000 }), 'number');
  t.match(await actor.read(instances[0]!, 'load', { maxAge: 5000 }), { averages: [0.1, 0.05, 0.01] });
  await t.rejects(actor.read(instances[1]!, 'uptime', { maxAge: 5000 }), /WRONG STATE/, 'what is not in it is asked of the machine');
});

const ONE_PLACE = SEED_CONFIG.replace('type = "sim"', 'type = "sim"\nconcurrency = 1\nfaults = { lj = "hang" }');

void t.test('readings end with the connection of their client, not with half of it', async (t) => {
  const core = await startCore(t, { config: ONE_PLACE });
  const { port } = await core.listen();
  const login = async () => {
    const client = await connect(port);
    t.teardown(() => client.destroy());
    client.line('auth steve steve');
    await client.expect('200 OK\n300 DONE\n');
    return client;
  };
  for (const request of ['uptime lj --timeout=24h', 'start lj --dry-run --timeout=24h', 'start l* d* --dry-run --timeout=24h']) {
    const [hung, half, other] = [await login(), await login(), await login()];
    hung.line(request);
    await hung.expect('200 OK\n');
    half.send('uptime builder\n');
    half.end();
    hung.socket.resetAndDestroy();
    t.match(await half.closed(WITHIN), /^200 OK\n\d+ .*\n300 DONE\n$/, `a client that only stops sending is answered: ${request}`);
    other.line('uptime dev');
    await other.expect(/^200 OK\n\d+ .*\n300 DONE\n$/);
  }
});

void t.test('a reading ends with the signal of its caller, and with its request', async (t) => {
  const core = await startCore(t, { config: ONE_PLACE });
  const session = await core.session('steve');
  const actor = core.gate.actor({ identity: session.identity, through: undefined, origin: 'test' });
  const { instances: [lj] } = await actor.select(['lj']);
  const controller = new AbortController();
  const reading = actor.read(lj!, 'uptime', { signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.rejects(reading, /enough/);
  await t.rejects(actor.read(lj!, 'uptime', { signal: controller.signal }), /enough/);
  const last = actor.read(lj!, 'uptime', { deadline: 60_000 });
  await new Promise(setImmediate);
  Gate.end(actor);
  await t.rejects(last, /NOT ALLOWED: the request is over/);
});
