import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { ITEM_DEADLINE } from '../../../src/kit/zabbix-collecting-limits.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { FakeMachine, never } from '../../instances/fake-driver.js';
import { until } from '../../support/until.js';
import type { NewValue } from '../../../src/gateways/zabbix/contract.js';
import { arrange, CONFIG, valueOf, wanted } from './rig.js';

/** A machine that counts how often it is asked for its traffic, and how many ask at a time. */
class Counter extends FakeMachine {
  asked = 0;
  atATime = 0;
  most = 0;
  answers: () => Promise<bigint> = () => Promise.resolve(7n);

  rx = async (): Promise<bigint> => {
    this.asked += 1;
    this.atATime += 1;
    this.most = Math.max(this.most, this.atATime);
    return this.answers().finally(() => { this.atATime -= 1; });
  };
}

const machines = (count: number, name = 'm'): Counter[] => Array.from({ length: count }, (_, index) => new Counter(`${name}${index}`, 'on'));

const isLater = (one: NewValue, other: NewValue): boolean => other.clock > one.clock || (other.clock === one.clock && other.ns > one.ns);

const increases = (values: readonly NewValue[]): boolean => values.every((value, index) => index === 0 || isLater(values[index - 1]!, value));

// they mostly wait
t.jobs = 6;

void t.test('a round of many items costs one sample of their provider', async (t) => {
  let samples = 0;
  const many = machines(40);
  const own = { name: 'own', machines: many, sample: () => {
    samples += 1;
    return Promise.resolve(new Map(many.map(({ id }) => [id, { rx: BigInt(samples) }])));
  } };
  const rig = await arrange(t, { own: [own] });
  const collecting = rig.collecting();
  collecting.configured(wanted({ hosts: many.map(({ name }) => name), items: many.flatMap((_, index) => ['argo.rx', 'argo.rx[]'].map((key) => ({ key, hostid: index + 1, delay: '4s', valueType: 'unsigned' as const }))) }));
  await until(() => rig.received.all.length >= 80, 10_000, 'the first round');
  const before = samples;
  const since = rig.received.all.length;
  await until(() => rig.received.of('1').length >= 4, 20_000, 'three more rounds');
  t.ok(rig.received.all.length - since >= 160, 'all go on');
  t.ok(samples - before <= 4, `${samples - before} samples for ${rig.received.all.length - since} values`);
  t.equal(many.reduce((sum, { asked }) => sum + asked, 0), 0, 'none was asked singly');
  for (let itemid = 1; itemid <= 80; itemid += 1) t.ok(increases(rig.received.of(String(itemid))));
});

void t.test('a provider that hangs makes its own items unsupported, and no others', async (t) => {
  const hung = { name: 'hung', machines: machines(200, 'h'), sample: never };
  const rig = await arrange(t, { own: [hung] });
  rig.collecting().configured(wanted({
    hosts: ['lj', ...hung.machines.map(({ name }) => name)],
    items: [{ key: 'argo.rx', valueType: 'unsigned' }, ...hung.machines.map((_, index) => ({ key: 'argo.rx', hostid: index + 2, valueType: 'unsigned' as const })), { key: 'argo.status', hostid: 2 }],
  }));
  const mine = (): NewValue[] => rig.received.all.filter(({ itemid }) => Number(itemid) > 1 && Number(itemid) <= 201);
  await until(() => new Set(mine().map(({ itemid }) => itemid)).size === 200, 3 * ITEM_DEADLINE, 'the items of the hung provider');
  t.ok(mine().every(({ state, value }) => state === 1 && value.startsWith('TIMEOUT: ')), mine()[0]?.value ?? '');
  t.ok(rig.received.of('1').length > 5, 'the other provider\'s item went on each second');
  t.ok(rig.received.of('1').every(({ state }) => state === undefined));
  t.equal(rig.received.last('202')?.value, 'on', 'what is known needs no answer');
});

void t.test('an item that is being read is not asked twice, and missed rounds are not made up for', async (t) => {
  const slow = new Counter('slow', 'on');
  slow.answers = async () => { await sleep(2500); return 1n; };
  const rig = await arrange(t, { own: [{ name: 'own', machines: [slow] }] });
  const collecting = rig.collecting();
  collecting.configured(wanted({ hosts: ['slow'], items: [{ key: 'argo.rx', valueType: 'unsigned' }] }));
  await until(() => rig.received.of('1').length === 2, 15_000, 'two values');
  t.equal(slow.most, 1);
  t.ok(slow.asked <= 3);
  t.ok(collecting.figures.skipped > 0);
});

void t.test('an instance that goes is told with the reason, once, and comes back', async (t) => {
  const guest: { name: string; machines: FakeMachine[]; fault?: Error | undefined } = { name: 'own', machines: [new FakeMachine('guest', 'on')] };
  const rig = await arrange(t, { own: [guest] });
  const collecting = rig.collecting();
  const configuration = wanted({ hosts: ['guest'], items: [{ key: 'argo.status', valueType: 'unsigned' }], interfaces: [{}] });
  collecting.configured(configuration);
  t.equal((await valueOf(rig, '1')).value, '1');
  const [machine] = guest.machines;
  guest.machines.length = 0;
  await rig.relist('own');
  t.equal((await valueOf(rig, '1', ({ state }) => state === 1)).value, 'NO SUCH INSTANCE: guest');
  const told = rig.received.of('1').length;
  await sleep(2500);
  t.equal(rig.received.of('1').length, told, 'it is not said each second');
  collecting.configured(configuration);
  await until(() => rig.received.of('1').length > told, 5000, 'the reason once more, for a server that has forgotten it');
  guest.machines.push(machine!, new FakeMachine('guest2', 'on'));
  await rig.relist('own');
  await until(() => rig.received.last('1')?.value === '1', 5000, 'its value');
  guest.machines.push(Object.assign(new FakeMachine('guest', 'on'), { id: 'another' }));
  await rig.relist('own');
  await until(() => rig.received.last('1')?.value.startsWith('AMBIGUOUS') === true, 5000, 'that there are two');
  guest.machines.pop();
  await rig.relist('own');
  await until(() => rig.received.last('1')?.value === '1', 5000, 'its value again');
  guest.fault = new ArgoError('UNREACHABLE', 'no route');
  await rig.relist('own');
  await until(() => rig.received.last('1')?.value.includes('no route') === true, 5000, 'that its provider is silent');
  t.equal(rig.received.last('1')?.state, 1);
  t.ok(increases(rig.received.of('1')));
});

void t.test('an unknown state is told as unknown', async (t) => {
  const rig = await arrange(t, { own: [{ name: 'own', machines: [new FakeMachine('guest', 'unknown')] }] });
  rig.collecting().configured(wanted({ hosts: ['guest'], items: [{ key: 'argo.status', valueType: 'unsigned' }, { key: 'argo.status' }] }));
  t.equal((await valueOf(rig, '1')).value, '7');
  t.equal((await valueOf(rig, '2')).value, 'unknown');
});

void t.test('grants that a reload takes away count at once, and come back', async (t) => {
  const rig = await arrange(t);
  rig.collecting().configured(wanted({ hosts: ['lj', 'dev'], items: ['argo.status', 'argo.rx', 'argo.status'].map((key, index) => ({ key, hostid: index < 2 ? 1 : 2 })) }));
  await valueOf(rig, '2', ({ state }) => state === undefined);
  await rig.reload(CONFIG.replace('instances = ["*"], commands = ["read", "power", "plan"]', 'instances = ["dev"], commands = ["read"]'));
  for (const itemid of ['1', '2']) t.match((await valueOf(rig, itemid, ({ state }) => state === 1)).value, /^(NO SUCH INSTANCE|NOT ALLOWED)/);
  t.equal(rig.received.last('3')?.state, undefined);
  await rig.reload(CONFIG.replace('commands = ["read", "power", "plan"]', 'commands = ["start"]'));
  await until(() => rig.received.last('1')?.value === 'NOT ALLOWED' && rig.received.last('3')?.value === 'NOT ALLOWED', 5000, 'that it may see, but not read');
  await rig.reload(CONFIG.replace('[accounts.zabbix]', '[accounts.other]'));
  await rig.reload(CONFIG);
  for (const itemid of ['1', '2', '3']) await until(() => rig.received.last(itemid)?.state === undefined, 5000, `item ${itemid} again`);
});

void t.test('a clock that is set makes nothing stand still, and values have the times as they are now', async (t) => {
  let shift = 0;
  const rig = await arrange(t);
  const items = [{ key: 'argo.status' }, { key: 'argo.rx', valueType: 'unsigned' as const, delay: '2s' }, { key: 'argo.nothing' }, { key: 'argo.status', steps: [{ type: 20, params: '2s', onFail: 'fail' as const, failText: '' }] }];
  rig.collecting({ now: () => Date.now() + shift }).configured(wanted({ items }));
  await until(() => rig.received.of('1').length >= 2, 8000, 'values');
  for (const hours of [48, 47, -1000, -1001]) {
    shift = hours * 3_600_000;
    const before = rig.received.all.length;
    const isNew = (itemid: string): boolean =>
      rig.received.all
        .slice(before)
        .some((value) => value.itemid === itemid && Math.abs(value.clock * 1000 - Date.now() - shift) < 10_000);
    await until(() => ['1', '2', '4'].every(isNew), 10_000, `values after the clock was set by ${hours} hours`);
  }
  t.equal(rig.received.of('3').length, 1, 'what is not supported is not said again for that');
});

void t.test('values that cannot be kept wait, in order', async (t) => {
  const rig = await arrange(t);
  rig.received.refuse = new Error('the disk is full');
  const collecting = rig.collecting();
  collecting.configured(wanted({ items: [{ key: 'argo.status' }] }));
  await until(() => collecting.figures.waiting >= 3, 10_000, 'values that wait');
  t.equal(rig.logged.filter((line) => line.includes('values for Zabbix cannot be kept')).length, 1);
  rig.received.refuse = undefined;
  await until(() => rig.received.of('1').length >= 3, 5000, 'those values');
  t.ok(increases(rig.received.of('1')));
  t.equal(collecting.figures.waiting < 3, true);
});

void t.test('what a new configuration leaves out or changes', async (t) => {
  const rig = await arrange(t);
  const collecting = rig.collecting();
  collecting.configured(wanted({ hosts: ['lj', 'test'], items: [{ key: 'argo.status' }, { key: 'argo.status', hostid: 2 }, { key: 'argo.status', delay: '1h' }, { key: 'argo.status', delay: '1x' }] }));
  await Promise.all(['1', '2', '4'].map((itemid) => valueOf(rig, itemid)));
  t.match(rig.received.last('4'), { state: 1, value: /^USAGE: "1x" is not an interval/ });
  collecting.configured(wanted({ hosts: ['lj'], items: [{ key: 'argo.status[test]' }] }));
  await valueOf(rig, '1', ({ value }) => value === 'off');
  const left = rig.received.of('2').length;
  await sleep(2500);
  t.equal(rig.received.of('2').length, left);
  t.equal(collecting.figures.items, 1);
  t.ok(increases(rig.received.of('1')));
});

void t.test('an operator may want a value at once', async (t) => {
  const rig = await arrange(t);
  const collecting = rig.collecting();
  collecting.configured(wanted({ items: [{ key: 'argo.status', delay: '0;wd1-7h0m0s1' }] }));
  await until(() => collecting.figures.items === 1, 5000, 'the configuration');
  collecting.checkNow('1');
  collecting.checkNow('77');
  t.equal((await valueOf(rig, '1')).value, 'on');
});

void t.test('interfaces are available while their instances are, told when that changes', async (t) => {
  const guest: { name: string; machines: FakeMachine[]; fault?: Error | undefined } = { name: 'own', machines: [new FakeMachine('guest', 'on')] };
  const rig = await arrange(t, { own: [guest] });
  const collecting = rig.collecting();
  const configuration = wanted({ hosts: ['lj', 'test', 'nobody', 'guest'], interfaces: [{}, { type: 3 }, { hostid: 2 }, { hostid: 3 }, { hostid: 4 }] });
  collecting.configured(configuration);
  const { available } = rig.received;
  await until(() => available.length >= 5, 5000, 'all of them');
  t.match(available, [
    { interfaceid: 1, available: 1, error: '' }, { interfaceid: 2, available: 1, error: '' }, { interfaceid: 3, available: 2, error: 'test is off' },
    { interfaceid: 4, available: 0, error: /^NO SUCH INSTANCE/ }, { interfaceid: 5, available: 1, error: '' },
  ]);
  guest.fault = new ArgoError('UNREACHABLE', 'no route');
  await rig.relist('own');
  await until(() => available.length > 5, 15_000, 'the change');
  t.match(available.slice(5), [{ interfaceid: 5, available: 0, error: /no route/ }]);
  collecting.configured(configuration);
  await until(() => available.length >= 11, 5000, 'all of them after a new configuration');
});
