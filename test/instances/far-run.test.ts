import t from 'tap';
import type { PowerState } from '../../src/drivers/driver.js';
import type { FarCall, FarChange, FarGate, FarOrder, FarOutcome } from '../../src/drivers/far.js';
import type { InstanceRef } from '../../src/instances/info.js';
import { ArgoError, causeOf, guarded, outcomeWithoutWay, withoutCause, type Phrase } from '../../src/kit/errors.js';
import { until } from '../support/until.js';
import { FakeMachine, never } from './fake-driver.js';
import { world } from './works-world.js';

const WITHIN = 10_000;
const UUID = '0b0c2f9e-38c0-4c5d-9b0a-5f1f0d6f3a11';
const EVERYTHING = [{ instances: ['*'], commands: ['*'] }];
const web1: InstanceRef = { provider: 'berlin.kvm1', id: UUID };
const STOP = { action: 'stop', mode: 'soft', wait: true } as const;
const START = { action: 'start', mode: 'soft', wait: true } as const;
const outcome = (more: Partial<FarOutcome> = {}): FarOutcome => ({ result: 'done', before: 'on', after: 'off', verified: true, isRecent: true, ...more });

/** The other gate, as the test has it. */
class FakeGate implements FarGate {
  readonly place = 'site berlin';
  readonly orders: { readonly order: FarOrder; readonly call: FarCall }[] = [];
  readonly changes: { readonly change: FarChange; readonly call: FarCall }[] = [];
  onPower: (order: FarOrder, call: FarCall) => Promise<FarOutcome> = async () => outcome();

  power(order: FarOrder, call: FarCall): Promise<FarOutcome> {
    this.orders.push({ order, call });
    return this.onPower(order, call);
  }

  async change(change: FarChange, call: FarCall) {
    this.changes.push({ change, call });
    return { result: 'done' } as const;
  }

  async plan(order: FarOrder, { account, from }: Omit<FarCall, 'doing'>): Promise<string> {
    return `${order.action} for ${account} from ${from}`;
  }
}

/** A machine whose gate is elsewhere, and perhaps the same one behind a provider of here. */
async function arrange(t: Parameters<typeof world>[0], { state = 'on', elsewhere, concurrency }: { state?: PowerState; elsewhere?: PowerState; concurrency?: number } = {}) {
  const far = new FakeGate();
  const machineOf = (at: PowerState, more: object): FakeMachine => Object.defineProperty(Object.assign(new FakeMachine('web1', at), more), 'id', { value: UUID });
  const machine = machineOf(state, { far, autostart: { read: async () => false, set: never } });
  const w = await world(t, {
    hosts: {
      'berlin.kvm1': { machines: [machine], farPlace: far.place, settings: concurrency === undefined ? {} : { concurrency } },
      ...(elsewhere && { kvm7: { machines: [machineOf(elsewhere, {})] } }),
    },
    accounts: { kim: EVERYTHING, bob: [{ instances: ['berlin.kvm1/*'], commands: ['*'] }], eve: [{ instances: ['berlin.kvm1/web*'], commands: ['*'] }] },
  });
  return { ...w, far, machine, kim: w.actor('kim'), stateHere: () => w.registry.byId('berlin.kvm1', UUID)!.state };
}

/** Never ends until it is told to, and then as the test says. */
const untilTold = (end: () => Promise<FarOutcome>) => (_order: FarOrder, { signal }: FarCall): Promise<FarOutcome> =>
  new Promise((resolve, reject) => { signal.addEventListener('abort', () => { end().then(resolve, reject); }); });
const fails = (error: ArgoError) => () => Promise.reject(error);

void t.test('an action goes to the other gate as a whole, and is recorded here', async (t) => {
  const { kim, far, machine, audit, stateHere } = await arrange(t);
  t.match(await kim.power(web1, STOP, { deadline: 3000 }), { result: 'done', before: 'on', after: 'off', verified: true, auditId: 1 });
  t.same(machine.calls, [], 'no step of it is taken here');
  t.match(far.orders, [{ order: STOP, call: { account: 'kim', from: '127.0.0.1:1', deadline: 3000, actionTimeout: 5000 } }]);
  t.equal(stateHere(), 'off', 'whoever lists next sees it');
  t.match(audit.begun, [{ account: 'kim', command: 'stop', instance: 'berlin.kvm1/web1', options: '--timeout=3 --wait' }]);
  t.match(audit.ended, [{ outcome: 'done' }]);
});

void t.test('what it was like when the answer was lost is not taken for what it is like now', async (t) => {
  const { kim, far, stateHere } = await arrange(t);
  far.onPower = async () => outcome({ isRecent: false });
  await kim.power(web1, STOP);
  t.equal(stateHere(), 'on');
  far.onPower = async () => outcome({ after: 'unknown' });
  await kim.power(web1, STOP);
  t.equal(stateHere(), 'on');
});

void t.test('a failure is told as the other gate has it; a fault is no word of it', async (t) => {
  const { kim, far, audit } = await arrange(t);
  far.onPower = fails(new ArgoError('WRONG STATE', 'web1 is paused'));
  await t.rejects(kim.power(web1, STOP), { message: 'WRONG STATE: web1 is paused' });
  far.onPower = () => Promise.reject(new TypeError('a defect'));
  await t.rejects(kim.power(web1, STOP), { message: /^UNCERTAIN: the order was sent to web1 and its answer was lost; last seen on/ });
  t.match(audit.ended.map((one) => one.outcome), ['WRONG STATE: web1 is paused', /^UNCERTAIN/]);
});

void t.test('a machine that is on elsewhere is not started a second time', async (t) => {
  const { actor, kim, far, machine } = await arrange(t, { state: 'off', elsewhere: 'on' });
  const refused = { message: 'WRONG STATE: web1 is on as kvm7/web1; --force starts it here all the same' };
  await t.rejects(kim.power(web1, START), refused);
  await t.rejects(kim.plan(web1, START), refused);
  await t.rejects(actor('bob').power(web1, START), { message: /^WRONG STATE: web1 is on elsewhere;/ });
  machine.state = 'suspended';
  await t.rejects(kim.power(web1, { ...START, action: 'resume' }), { message: /^WRONG STATE/ });
  t.equal(far.orders.length, 0);
  await kim.power(web1, STOP);
  await kim.power(web1, { ...START, mode: 'hard' });
  machine.state = 'on';
  await kim.power(web1, START);
  t.equal(far.orders.length, 3, 'what starts nothing a second time, or is forced, goes there');
  machine.script.status = () => { throw new ArgoError('UNREACHABLE', 'site berlin'); };
  await t.rejects(kim.power(web1, START), { message: /^UNREACHABLE/ });
  t.equal(far.orders.length, 3, 'where its state cannot be had, nothing is sent');
});

void t.test('where there is no other one, the state is not asked for', async (t) => {
  const { kim, far, machine } = await arrange(t, { state: 'off', elsewhere: 'off' });
  machine.script.status = never;
  await kim.power(web1, START);
  t.equal(far.orders.length, 1);
});

void t.test('who cancels it is told what the other gate knows', async (t) => {
  const attempt = async (end: () => Promise<FarOutcome>): Promise<unknown> => {
    const { kim, far } = await arrange(t);
    const cancel = new AbortController();
    far.onPower = untilTold(end);
    const told = kim.power(web1, STOP, { cancel: cancel.signal }).catch((thrown: unknown) => thrown);
    await until(() => far.orders.length === 1, WITHIN, 'the order');
    cancel.abort();
    return told;
  };
  t.match(await attempt(fails(new ArgoError('BUSY', 'another action held it'))), { message: 'BUSY: it was cancelled; nothing was sent' });
  t.match(await attempt(fails(new ArgoError('UNREACHABLE', 'site berlin'))), { message: 'BUSY: it was cancelled; nothing was sent' });
  t.match(await attempt(fails(new ArgoError('UNCERTAIN', 'accepted, and last seen on when it was cancelled'))), { message: /^UNCERTAIN: accepted, and last seen on/ });
  t.match(await attempt(async () => outcome()), { result: 'done' });
  t.match(await attempt(never), { message: /^UNCERTAIN: the order was sent to web1 without an answer yet when it was cancelled; last seen on/ }, 'it is not waited for for long');
});

void t.test('a right that is taken away ends it', async (t) => {
  const { kim, far, grant } = await arrange(t);
  far.onPower = untilTold(fails(new ArgoError('BUSY', 'it was cancelled; nothing was sent')));
  const told = t.rejects(kim.power(web1, STOP), { message: 'NOT ALLOWED: the right was taken away; nothing was sent' });
  await until(() => far.orders.length === 1, WITHIN, 'the order');
  grant('kim', []);
  await told;
  const reason: unknown = far.orders[0]!.call.signal.reason;
  t.match(reason, { phrase: 'NOT ALLOWED' }, 'the other gate can be told why');
});

void t.test('what is told of its end is what ended it here, whichever way the other gate says that it was told to end', async (t) => {
  for (const event of ['it was cancelled', 'its gateway ended', 'its front, or a gateway there, ended']) {
    const { kim, far, grant } = await arrange(t);
    far.onPower = untilTold(fails(new ArgoError('UNCERTAIN', `accepted, and last seen on when ${event}; it complained: no`)));
    const told = t.rejects(kim.power(web1, STOP), { message: 'UNCERTAIN: accepted, and last seen on when the right to it was taken away; it complained: no' });
    await until(() => far.orders.length === 1, WITHIN, 'the order');
    grant('kim', []);
    await told;
  }
  const { kim, far, grant } = await arrange(t);
  far.onPower = untilTold(fails(new ArgoError('UNCERTAIN', 'accepted, and last seen on when its provider was closed')));
  const told = t.rejects(kim.power(web1, STOP), { message: 'UNCERTAIN: accepted, and last seen on when its provider was closed' }, 'its own reason stays');
  await until(() => far.orders.length === 1, WITHIN, 'the order');
  grant('kim', []);
  await told;
});

void t.test('it is a task like any other, and says what the other gate does', async (t) => {
  const { kim, far } = await arrange(t);
  const doing: ((words: string) => void)[] = [];
  far.onPower = (order, call) => {
    doing.push(call.doing!);
    return untilTold(fails(new ArgoError('UNCERTAIN', 'accepted')))(order, call);
  };
  const told = t.rejects(kim.power(web1, STOP), { message: /^UNCERTAIN/ });
  await until(() => doing.length === 1, WITHIN, 'the order');
  t.match(kim.tasks.list(), [{ operation: 'stop', instance: 'berlin.kvm1/web1', doing: 'sending' }]);
  doing[0]!('verifying');
  t.match(kim.tasks.list(), [{ doing: 'verifying' }]);
  doing[0]!('\u001b[2J');
  t.match(kim.tasks.list(), [{ doing: 'working' }], 'words that are not ours are not passed on');
  kim.tasks.cancel(kim.tasks.list()[0]!.id);
  await told;
});

void t.test('the end of this server ends the waiting', async (t) => {
  const { kim, far, gate } = await arrange(t);
  far.onPower = never;
  const told = t.rejects(kim.power(web1, STOP), { message: /^UNCERTAIN: .*when the server ended/ });
  await until(() => far.orders.length === 1, WITHIN, 'the order');
  const drained = gate.drain(0, 10_000);
  await gate.hurry(5000);
  await told;
  await drained;
});

void t.test('orders hold none of the places of those who read', async (t) => {
  const { kim, far } = await arrange(t, { concurrency: 1 });
  far.onPower = never;
  const cancel = new AbortController();
  const many = Array.from({ length: 5 }, () => kim.power(web1, STOP, { cancel: cancel.signal }).catch(() => undefined));
  await until(() => far.orders.length === 5, WITHIN, 'all of them');
  t.equal(await kim.read(web1, 'status'), 'on');
  cancel.abort();
  await Promise.all(many);
});

void t.test('what an action would do is the other gate\'s to say', async (t) => {
  const { kim, machine } = await arrange(t);
  machine.script.status = never;
  t.equal(await kim.plan(web1, STOP), 'stop for kim from 127.0.0.1:1');
});

void t.test('a setting is changed there, too', async (t) => {
  const { kim, far, audit } = await arrange(t);
  t.match(await kim.configure(web1, { operation: 'autostart', value: true }), { result: 'done', auditId: 1 });
  t.match(far.changes, [{ change: { operation: 'autostart', value: true }, call: { account: 'kim', from: '127.0.0.1:1' } }]);
  t.match(audit.begun, [{ command: 'autostart', options: 'on' }]);
  t.equal(await kim.planChange(web1, { operation: 'autostart', value: true }), 'autostart on (it is off)');
});

void t.test('why the other gate cannot be reached is told to who sees all of its provider, and in the log', async (t) => {
  const { kim, far, machine, actor, audit, logged } = await arrange(t);
  const [shown, whole] = ['site berlin cannot be reached; nothing was done', 'site berlin: the bus cannot be used: 10.0.0.7:4222: nobody listens there; nothing was done'];
  far.onPower = () => Promise.reject(guarded('UNREACHABLE', shown, whole));
  Object.assign(machine, { ip: far.onPower });
  const eve = actor('eve');
  await t.rejects(eve.power(web1, STOP), { message: `UNREACHABLE: ${shown}` });
  await t.rejects(eve.read(web1, 'ip'), { message: `UNREACHABLE: ${shown}` });
  const error = await kim.power(web1, STOP).catch((thrown: unknown) => thrown);
  t.match(error, { message: `UNREACHABLE: ${whole}` });
  t.equal(withoutCause(error).detail, shown, 'whoever passes it on, as a plan does, tells no more');
  await t.rejects(kim.read(web1, 'ip'), { message: `UNREACHABLE: ${whole}` });
  t.same(audit.ended.map(({ outcome }) => outcome), [`UNREACHABLE: ${shown}`, `UNREACHABLE: ${shown}`], 'who may see the audit');
  t.equal(logged.filter((line) => line.includes(whole)).length, 2);
  const told = JSON.stringify(await eve.lastEvents({ types: ['action'] }, 10));
  t.match(told, '"outcome":"UNREACHABLE"');
  t.notMatch(told, '10.0.0.7', 'an event is one for all');
});

void t.test('what the other gate is not asked for is refused with where it is to be had', async (t) => {
  const { kim } = await arrange(t);
  await t.rejects(kim.console(web1, { kind: 'text' }), { message: 'NOT SUPPORTED: web1 is at site berlin, and its consoles are opened there' });
  await t.rejects(kim.work('machine.delete', web1, { disks: false }), { message: 'NOT SUPPORTED: web1 is at site berlin, and machine.delete is done there' });
  await t.rejects(kim.work('image.list', 'berlin.kvm1', {}), { message: 'NOT SUPPORTED: berlin.kvm1 is at site berlin, and image.list is done there' });
  await t.rejects(kim.planWork('route.list', 'berlin.kvm1', {}), { message: 'NOT SUPPORTED: berlin.kvm1 is at site berlin, and route.list is done there' });
});

void t.test('a driver\'s words about the way to a provider are for who sees all of it', async (t) => {
  const { far, machine, actor } = await arrange(t);
  const lost = (phrase: Phrase) => () => Promise.reject(new ArgoError(phrase, 'SSH: root@10.0.0.7: refused', { cause: new Error('ECONNREFUSED') }));
  const [kim, eve] = [actor('kim'), actor('eve')];
  for (const phrase of ['UNREACHABLE', 'ACCESS DENIED', 'HOST KEY CHANGED', 'CERTIFICATE REJECTED'] as const) {
    far.onPower = lost(phrase);
    Object.assign(machine, { ip: far.onPower });
    await t.rejects(kim.read(web1, 'ip'), { message: `${phrase}: SSH: root@10.0.0.7: refused` });
    const error = await eve.read(web1, 'ip').catch((thrown: unknown) => thrown) as ArgoError;
    t.equal(error.message, phrase);
    t.match(causeOf(error), { message: 'ECONNREFUSED' }, 'the log has it');
    await t.rejects(eve.power(web1, STOP), { message: phrase });
  }
  Object.assign(machine, { ip: lost('FAILED') });
  await t.rejects(eve.read(web1, 'ip'), { message: 'FAILED: SSH: root@10.0.0.7: refused' }, 'what the machine itself says is for who may ask');
  t.notMatch(JSON.stringify(await eve.lastEvents({ types: ['action'] }, 20)), '10.0.0.7');
  t.match(JSON.stringify(await kim.lastEvents({ types: ['action'] }, 20)), 'UNREACHABLE: SSH: root@10.0.0.7: refused');
  t.same(
    ['UNREACHABLE: a: b', 'UNREACHABLE', 'FAILED: a', 'UNCERTAIN: it was sent; now UNREACHABLE: SSH: 10.0.0.1: no route', 'done', ''].map(outcomeWithoutWay),
    ['UNREACHABLE', 'UNREACHABLE', 'FAILED: a', 'UNCERTAIN: it was sent; now UNREACHABLE', 'done', ''],
  );
});
