import t from 'tap';
import { writeValue } from '../../../src/fleet/values.js';
import { MachineKinds } from '../../../src/fleet/front/remote-machine.js';
import { told } from '../../../src/instances/told.js';
import { until } from '../../support/until.js';
import { STOP, TARGET, WITHIN, world } from './world.js';

const { signal } = new AbortController();

void t.test('readings come as what they are', async (t) => {
  const { site, orders } = await world(t);
  site.onAsk = ({ ask }, reply) => {
    const values = { rx: 2n ** 60n, disk: [{ target: 'vda', type: 'file', size: 5n }], autostart: undefined, dmesg: 'boot' };
    reply({ state: 'value', value: ask === 'status' ? 'paused' : writeValue(values[ask as keyof typeof values]) });
  };
  t.equal(await orders.read(TARGET, 'status', signal), 'paused');
  t.equal(await orders.read(TARGET, 'rx', signal), 2n ** 60n);
  t.same(await orders.read(TARGET, 'disk', signal), [{ target: 'vda', type: 'file', size: 5n }]);
  t.equal(await orders.read(TARGET, 'autostart', signal), undefined);
  t.equal(await orders.read({ ...TARGET, machine: '', instance: '' }, 'dmesg', signal), 'boot');
  t.match(site.asks[0], { principal: { account: 'f1', front: 'f1' }, machine: 'id of web1' });
});

void t.test('what an order would do is asked for whoever asks', async (t) => {
  const { site, orders, call } = await world(t);
  site.onAsk = (_question, reply) => reply({ state: 'value', value: 'clean shutdown (it is on)' });
  t.equal(await orders.plan(TARGET, STOP, call), 'clean shutdown (it is on)');
  t.match(site.asks[0], { ask: 'plan', order: { do: 'stop', mode: 'soft', wait: true }, principal: { account: 'kim', from: '10.1.2.3:4411' } });
});

void t.test('what is no answer to it is none', async (t) => {
  const { site, orders } = await world(t);
  site.onAsk = (_question, reply) => {
    reply({ state: 'value', value: 'off' }, { isSigned: false });
    reply({ state: 'value', value: 'off', id: '0197aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee' });
    reply({ state: 'running' });
    reply({ state: 'value', value: 'on' });
  };
  t.equal(await orders.read(TARGET, 'status', signal), 'on');
  site.onAsk = (_question, reply) => reply({ state: 'value', value: 'of' });
  await t.rejects(orders.read(TARGET, 'status', signal), { message: 'FAILED: site berlin does not answer what was asked for' });
  site.onAsk = (_question, reply) => reply({ state: 'ended', result: 'done' });
  await t.rejects(orders.read(TARGET, 'status', signal), { message: /^FAILED/ });
  site.onAsk = (_question, reply) => reply({ state: 'failed', phrase: 'NO SUCH INSTANCE', detail: 'web1 is another one now' });
  await t.rejects(orders.read(TARGET, 'status', signal), { message: 'NO SUCH INSTANCE: web1 is another one now' });
});

void t.test('a question ends with who asks, and where nobody is there', async (t) => {
  const { site, orders, bus, hub } = await world(t);
  const gone = new AbortController();
  site.onAsk = () => gone.abort(new Error('gone'));
  await t.rejects(orders.read(TARGET, 'status', gone.signal), /gone/);
  await t.rejects(orders.read(TARGET, 'status', gone.signal), /gone/);
  t.equal(site.asks.length, 1);
  site.close();
  await t.rejects(told(orders.read(TARGET, 'status', signal), true), { message: /^UNREACHABLE: site berlin: it is not connected/ });
  bus.cut('the cable is out');
  const before = hub.passed.length;
  await t.rejects(told(orders.read(TARGET, 'status', signal)), { message: 'UNREACHABLE: site berlin cannot be reached; nothing was done' });
  await t.rejects(told(orders.read(TARGET, 'status', signal), true), { message: /^UNREACHABLE: site berlin: the bus cannot be used: the cable is out/ });
  t.equal(hub.passed.length, before);
});

void t.test('a question ends where its site falls silent', async (t) => {
  const { site, orders, call } = await world(t, { deadAfter: 200 });
  const failures: string[] = [];
  for (const question of [orders.read(TARGET, 'status', signal), orders.plan(TARGET, STOP, call)]) told(question, true).catch(({ message }: Error) => failures.push(message));
  await until(() => failures.length === 2, WITHIN, 'both to end');
  t.equal(site.asks.filter(({ provider }) => provider === TARGET.provider).length, 2);
  for (const message of failures) t.match(message, /^UNREACHABLE: site berlin: it has said nothing since/);
});

void t.test('it is asked again where the connection was lost meanwhile', async (t) => {
  const { site, orders, bus } = await world(t);
  site.onAsk = (_question, reply) => {
    if (site.asks.length > 1) return reply({ state: 'value', value: 'on' });
    bus.cut();
    setImmediate(() => bus.restore());
  };
  t.equal(await orders.read(TARGET, 'status', signal), 'on');
  t.not(site.asks[0]!.id, site.asks[1]!.id);
});

void t.test('a remote machine has what its site says, and no more', async (t) => {
  const { site, orders } = await world(t);
  const { of: kinds } = new MachineKinds().at({ site: 'berlin', provider: 'kvm1', orders });
  const kind = kinds('container', ['start', 'shutdown', 'uptime', 'autostart', 'bootMark', 'of a newer one']);
  t.equal(kinds('container', ['uptime', 'shutdown', 'start', 'bootMark', 'autostart']), kind, 'one kind for those that can do the same');
  t.not(kinds('vm', ['start']), kind);
  const machine = kind.make('u1', 'web\u202e1', 'off');
  t.ok(kind.has(machine));
  t.notOk(kinds('vm', ['start']).has(machine));
  t.match(machine, { id: 'u1', name: 'web\u202e1', type: 'container', state: 'off', bootMarkLasts: true });
  t.equal(machine.machine, machine);
  t.same(Object.keys(machine), ['id', 'name', 'home', 'state'], 'it is small');
  for (const name of ['powerOff', 'reset', 'pause', 'info', 'rx', 'console', 'abilities', 'checkOrder'] as const) t.equal(machine[name], undefined, name);
  t.equal(kinds('vm', ['start']).make('u2', 'web2', 'on').bootMarkLasts, undefined);
  site.onAsk = ({ ask }, reply) => reply({ state: 'value', value: ({ status: 'on', uptime: 17, bootMark: 'b1', autostart: true } as Record<string, unknown>)[ask] });
  t.equal(await machine.status(signal), 'on');
  t.match(site.asks[0], { machine: 'u1', instance: 'web\ufffd1' }, 'by the name under which it is known');
  t.equal(await machine.uptime!(signal), 17);
  t.equal(await machine.bootMark!(signal), 'b1');
  t.equal(await machine.autostart!.read(signal), true);
  await t.rejects(machine.start!(signal), /as a whole/);
  t.equal(site.orders.length, 0);
  site.onOrder = (_order, reply) => reply({ state: 'ended', result: 'done', before: 'off', after: 'on', verified: true });
  t.match(await machine.far!.power({ action: 'start', mode: 'soft', wait: true }, { account: 'kim', from: 'x', actionTimeout: 1000, signal }), { result: 'done' });
  await until(() => site.orders.length === 1, WITHIN, 'the order');
});
