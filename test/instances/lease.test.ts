import t from 'tap';
import type { Lease } from '../../src/instances/lease.js';
import { PowerRun, type PowerRunParts } from '../../src/instances/power-run.js';
import { Deadline } from '../../src/kit/deadline.js';
import { ArgoError } from '../../src/kit/errors.js';
import { told } from '../../src/instances/told.js';
import { until } from '../support/until.js';
import { FakeMachine, fakeProvider, never } from './fake-driver.js';

const WAIT = 10_000;

/** A lease as the test has it. */
class OwnLease implements Lease {
  left = 60_000;
  age = Infinity;
  readonly listeners = new Set<() => void>();

  get trouble(): string | undefined {
    return this.left > 0 ? undefined : 'no lease san1: paris has it';
  }

  onEnd(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  end(): void {
    this.left = 0;
    for (const listener of [...this.listeners]) listener();
  }
}

async function leased(machine = new FakeMachine('lj', 'off')) {
  const lease = new OwnLease();
  return { lease, ...await fakeProvider([machine], { lease: 'san1' }, (name) => (name === 'san1' ? lease : undefined)), machine };
}

const ORDER = { account: 'kim', urgency: 'order' } as const;
const within = async <T>(work: (deadline: Deadline) => Promise<T>): Promise<T> => {
  const deadline = new Deadline(WAIT);
  try {
    return await work(deadline);
  } finally {
    deadline.clear();
  }
};

void t.test('without its lease a provider is sent no order, and is read all the same', async (t) => {
  const { lease, provider } = await leased();
  lease.left = 0;
  const refused = { message: 'UNREACHABLE: no lease san1: paris has it' };
  let sent = 0;
  const send = async (): Promise<void> => void (sent += 1);
  for (const urgency of ['order', 'forced'] as const) await t.rejects(told(within((deadline) => provider.call(deadline, send, { account: 'kim', urgency })), true), refused);
  await t.rejects(told(within((deadline) => provider.attend(deadline, send)), true), refused);
  const plain = { message: 'UNREACHABLE: no lease: its provider cannot be used here now' };
  await t.rejects(told(within((deadline) => provider.attend(deadline, send))), plain, 'for who may not know why');
  t.equal(sent, 0);
  t.equal(await within((deadline) => provider.call(deadline, async () => 'on', { account: 'kim', urgency: 'reading' })), 'on');
  t.equal(await within((deadline) => provider.call(deadline, async () => 'on', { ...ORDER, isLook: true })), 'on');
  lease.left = 1;
  await within((deadline) => provider.call(deadline, send, ORDER));
  t.equal(sent, 1);
  await provider.close(0);
});

void t.test('a lease that nobody keeps here is not held', async (t) => {
  const { provider } = await fakeProvider([new FakeMachine('lj', 'off')], { lease: 'san1' });
  await t.rejects(told(within((deadline) => provider.call(deadline, async () => undefined, ORDER)), true), { message: /^UNREACHABLE: no lease san1/ });
  await provider.close(0);
});

void t.test('a lease that is lost while an order waits for its turn refuses it', async (t) => {
  const { lease, provider } = await fakeLeasedWithOnePlace();
  let goOn: () => void = () => undefined;
  const first = within((deadline) => provider.call(deadline, () => new Promise<void>((resolve) => { goOn = resolve; }), { ...ORDER, isLook: true }));
  let sent = false;
  const second = within((deadline) => provider.call(deadline, async () => { sent = true; }, ORDER));
  await until(() => provider.work.waiting === 1, WAIT, 'the second to wait');
  lease.left = 0;
  goOn();
  await first;
  await t.rejects(second, { message: /^UNREACHABLE: / });
  t.equal(sent, false);
  await provider.close(0);
});

async function fakeLeasedWithOnePlace() {
  const lease = new OwnLease();
  return { lease, ...await fakeProvider([new FakeMachine('lj', 'off')], { lease: 'san1', concurrency: 1 }, () => lease) };
}

void t.test('a lease that ends while an order is under way ends that', async (t) => {
  const { lease, provider } = await leased();
  let aborted: unknown;
  const hangs = within((deadline) => provider.call(deadline, (signal) => {
    signal.addEventListener('abort', () => { aborted = signal.reason; });
    return never();
  }, ORDER));
  const saysThatItSentNothing = within((deadline) => provider.call(deadline, (signal) => new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new ArgoError('UNREACHABLE', 'not sent')));
  }), ORDER));
  const isDone = within((deadline) => provider.attend(deadline, (signal) => new Promise((resolve) => { signal.addEventListener('abort', () => resolve('done')); })));
  await until(() => lease.listeners.size === 3, WAIT, 'all to be under way');
  lease.end();
  await Promise.all([
    t.rejects(told(hangs, true), { message: /^UNCERTAIN: .*no lease san1: paris has it/ }),
    t.rejects(saysThatItSentNothing, { message: 'UNREACHABLE: not sent' }),
    t.resolves(isDone),
  ]);
  t.equal(await isDone, 'done');
  t.ok(aborted instanceof ArgoError);
  t.equal(lease.listeners.size, 0, 'nobody listens any more');
  await provider.close(0);
});

void t.test('the deadline of an order ends it as before', async (t) => {
  const { lease, provider } = await leased();
  const deadline = new Deadline(50);
  await t.rejects(provider.call(deadline, never, ORDER), /deadline/);
  await until(() => lease.listeners.size === 0 || lease.left > 0, WAIT, 'nobody to listen');
  await provider.close(0);
});

const run = ({ instance, registry }: Pick<Awaited<ReturnType<typeof leased>>, 'instance' | 'registry'>, order: PowerRunParts['order']): ReturnType<PowerRun['run']> =>
  new PowerRun({ instance, order, account: 'kim', registry, actionTimeout: 3000, permit: () => undefined }).run();

void t.test('an action without the lease does nothing, and says so', async (t) => {
  const world = await leased();
  world.lease.left = 0;
  await t.rejects(told(run(world, { action: 'start', mode: 'soft', wait: true }), true), { message: 'UNREACHABLE: no lease san1: paris has it' });
  await t.rejects(run(world, { action: 'start', mode: 'hard', wait: false }), { message: /^UNREACHABLE: / });
  t.same(world.machine.calls, []);
  world.lease.left = 60_000;
  t.match(await run(world, { action: 'start', mode: 'soft', wait: true }), { result: 'done', after: 'on' });
  await world.provider.close(0);
});

void t.test('an action whose lease ends after it was sent is verified by what the machine says', async (t) => {
  const world = await leased();
  world.machine.script = { start: () => {
    world.machine.state = 'on';
    world.lease.end();
    return never();
  } };
  t.match(await run(world, { action: 'start', mode: 'soft', wait: true }), { result: 'done', after: 'on', verified: true });
  t.same(world.machine.calls, ['start']);
  await world.provider.close(0);
});

void t.test('a machine without a boot mark is not restarted shortly after the lease was taken over', async (t) => {
  const machine = new FakeMachine('lj', 'on');
  Object.assign(machine, { bootMark: undefined });
  const world = await leased(machine);
  world.lease.age = 1000;
  await t.rejects(run(world, { action: 'reboot', mode: 'soft', wait: false }), { message: /^BUSY: .*changed hands.*try again in 2 s/ });
  t.same(machine.calls, []);
  world.lease.age = 3000;
  t.match(await run(world, { action: 'reboot', mode: 'soft', wait: false }), { result: 'done' });
  const marked = await leased(new FakeMachine('lj', 'on'));
  marked.lease.age = 0;
  t.match(await run(marked, { action: 'reboot', mode: 'soft', wait: false }), { result: 'done' }, 'one with a mark is');
  await Promise.all([world.provider.close(0), marked.provider.close(0)]);
});
