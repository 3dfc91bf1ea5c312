import t, { type Test } from 'tap';
import * as v from 'valibot';
import type { Driver, Machine, Sightings } from '../../../src/drivers/driver.js';
import hyperv from '../../../src/drivers/hyperv/index.js';
import { startWmiDouble, type WmiDouble, type WmiDoubleOptions } from '../../peers/wmi/index.js';
import { until } from '../../support/until.js';
import { findMachine, outcome, soon } from '../driving.js';
import type { Told } from '../wmi/fake-wmi.js';
import { openDriver, PASSWORD } from './open-driver.js';

/** A cluster of two hosts: a machine is found on whichever has it, and ordered there alone. */

const WITHIN = 60_000;
const ID = '0A1B2C3D-0000-4000-A000-00000000000';
const ADDRESSES = ['127.0.0.1', '127.0.0.2'] as const;

interface Pair {
  readonly one: WmiDouble;
  readonly two: WmiDouble;
  readonly driver: Driver;
  readonly told: Told;
}

/** Two doubles at one port of two addresses. @param vms of the first */
async function setUpPair(t: Test, vms: NonNullable<WmiDoubleOptions['vms']>, given: Record<string, unknown> = {}, passwordOfTwo = PASSWORD): Promise<Pair> {
  const one = await startWmiDouble({ role: 'hyperv', users: { argo: PASSWORD }, vms, address: ADDRESSES[0], name: 'HV1' });
  t.teardown(() => one.stop());
  const two = await startWmiDouble({ role: 'hyperv', users: { argo: passwordOfTwo }, address: ADDRESSES[1], port: one.port, name: 'HV2' });
  t.teardown(() => two.stop());
  const nodes = ADDRESSES.map((address, index) => ({ name: `hv${index + 1}`, address }));
  return { one, two, ...openDriver(t, one, { url: `http://{address}:${one.port}/wsman`, nodes, ping: { timeout: '500ms' }, ...given }) };
}

const shown = (sightings: Sightings): string[] => sightings.map(({ machine, state }) => `${machine.name} ${state}`);
const orders = ({ one, two }: Pair): number[] => [one, two].map((peer) => peer.calls('RequestStateChange') + peer.calls('InitiateShutdown') + peer.calls('InitiateReboot'));
const running = (name: string, index = 1) => ({ name, id: `${ID}${index}`, state: 'running' as const });
const off = (name: string, index = 1) => ({ name, id: `${ID}${index}` });

void t.test('the machines of all nodes are one list, and each is ordered where it is', async (t) => {
  const pair = await setUpPair(t, [running('web1', 1)]);
  pair.two.world.hyperv.add(off('db1', 2));
  const listed = await pair.driver.list(soon());
  t.same(shown(listed), ['hv1 on', 'hv2 on', 'db1 off', 'web1 on']);
  t.equal(listed.incomplete, undefined);
  t.equal(new Set(listed.map(({ machine }) => machine.id)).size, 4);
  const db = await findMachine(pair.driver, 'db1');
  t.equal(db.id, `${ID}2`, 'its id is its GUID, wherever it is');
  t.match(await db.info?.(soon()), { host: 'hv2', uuid: `${ID}2`.toLowerCase() });
  for (const [step, state] of [['start', 'on'], ['pause', 'paused'], ['unpause', 'on'], ['suspend', 'suspended'], ['resume', 'on'], ['reset', 'on'], ['shutdown', 'off']] as const) {
    t.same(await outcome(db[step]?.(soon())), { value: undefined }, step);
    await until(async () => await db.status(soon()) === state, WITHIN, `${step} to end in ${state}`);
  }
  t.same(orders(pair), [0, 7]);
  t.equal(pair.two.world.hyperv.vm('db1').state, 'off');
});

void t.test('a machine that moves keeps its id, and is followed between two orders', async (t) => {
  const pair = await setUpPair(t, [running('web1')]);
  const { one, two, driver } = pair;
  const vm = await findMachine(driver, 'web1');
  const mark = await vm.bootMark?.(soon());
  one.world.hyperv.handOver('web1', two.world.hyperv);
  two.world.hyperv.vm('web1').age(1000);
  t.equal(await vm.status(soon()), 'on');
  t.equal(await vm.bootMark?.(soon()), mark, 'another node that counts anew is no boot');
  t.same(await outcome(vm.powerOff?.(soon())), { value: undefined });
  t.same(orders(pair), [0, 1]);
  two.world.hyperv.handOver('web1', one.world.hyperv);
  t.same(await outcome(vm.start?.(soon())), { value: undefined }, 'off, it is moved too');
  t.same(orders(pair), [1, 1]);
  t.ok(await vm.uptime?.(soon()) !== undefined);
  t.equal(await findMachine(driver, 'web1'), vm);
});

void t.test('a machine that leaves between the look and the order is looked for once more', async (t) => {
  const pair = await setUpPair(t, [off('web1')]);
  const { one, two, driver } = pair;
  const vm = await findMachine(driver, 'web1');
  one.faults.add('RequestStateChange', { kind: 'slow', ms: 300 });
  const starting = outcome(vm.start?.(soon()));
  await until(() => one.calls('RequestStateChange') === 1, WITHIN, 'the order');
  one.world.hyperv.handOver('web1', two.world.hyperv);
  t.same(await starting, { value: undefined });
  t.same(orders(pair), [1, 1], 'the first of which was refused');
  t.equal(two.world.hyperv.vm('web1').state, 'running');
  t.equal(one.world.hyperv.vms.length, 0);
});

void t.test('an order that was taken is not given again when the machine moves under it', async (t) => {
  const pair = await setUpPair(t, [running('web1')]);
  const { one, two, driver } = pair;
  const vm = await findMachine(driver, 'web1');
  one.world.hyperv.jobs.plans.push({ takes: Infinity });
  const stopping = outcome(vm.powerOff?.(AbortSignal.timeout(4000)));
  await until(() => one.world.hyperv.jobs.running === 1, WITHIN, 'the order');
  one.world.hyperv.handOver('web1', two.world.hyperv);
  t.match(await stopping, { phrase: 'FAILED' }, 'its job says so');
  t.equal(await vm.status(soon()), 'on');
  t.same(orders(pair), [1, 0]);
});

void t.test('listed by both while it is moved', async (t) => {
  const pair = await setUpPair(t, [off('web1')]);
  const { one, two, driver } = pair;
  const [source, target] = [one.world.hyperv.vm('web1'), two.world.hyperv.add(running('web1'))];
  t.same(shown(await driver.list(soon())), ['hv1 on', 'hv2 on', 'web1 on'], 'once, where it runs');
  const vm = await findMachine(driver, 'web1');
  t.equal(await vm.status(soon()), 'on');
  t.same(await outcome(vm.powerOff?.(soon())), { value: undefined });
  t.same(orders(pair), [0, 1], 'to the one where it runs');
  t.match(await outcome(vm.start?.(soon())), { phrase: 'BUSY', detail: /hv1 and hv2 have it at the same time/ }, 'at rest on both, neither is started');
  t.same(orders(pair), [0, 1]);
  source.state = 'saved';
  t.equal(await vm.status(soon()), 'unknown', 'they differ');
  t.equal(target.state, 'off');
});

void t.test('one silent node: its machines stay, the others go on, and the list says so', async (t) => {
  const pair = await setUpPair(t, [running('web1', 1), off('web2', 2)]);
  const { one, two, driver } = pair;
  two.world.hyperv.add(off('db1', 3));
  const web1 = await findMachine(driver, 'web1');
  const [web2, db1] = [await findMachine(driver, 'web2'), await findMachine(driver, 'db1')];
  await one.down();
  const listed = await driver.list(soon());
  t.same(shown(listed), ['hv1 on', 'hv2 on', 'db1 off', 'web1 unknown', 'web2 unknown'], 'it answers pings');
  t.match(listed.incomplete, /what is on hv1 cannot be listed: UNREACHABLE/);
  t.equal(listed.find(({ machine }) => machine.name === 'web1')?.machine, web1);
  for (const vm of [web1, web2]) {
    t.match(await outcome(vm.status(soon())), { phrase: 'UNREACHABLE', detail: /no node that answers has it, and hv1 cannot be asked/ });
    t.match(await outcome(vm.start?.(soon())), { phrase: 'UNREACHABLE' }, 'not on the other node');
  }
  t.same(await outcome(db1.start?.(soon())), { value: undefined });
  t.same(orders(pair), [0, 1]);
  await one.wake();
  const again = await driver.list(soon());
  t.same(shown(again), ['hv1 on', 'hv2 on', 'db1 on', 'web1 on', 'web2 off']);
  t.equal(again.incomplete, undefined);
});

void t.test('a failover is followed, and what a silent node may still run is not said to be off', async (t) => {
  const pair = await setUpPair(t, [running('web1')]);
  const { one, two, driver } = pair;
  const vm = await findMachine(driver, 'web1');
  await one.down();
  one.world.hyperv.handOver('web1', two.world.hyperv);
  const world = two.world.hyperv.vm('web1');
  world.become('off');
  t.equal(await vm.status(soon()), 'unknown');
  t.same(shown(await driver.list(soon())), ['hv1 on', 'hv2 on', 'web1 unknown']);
  for (const step of ['shutdown', 'powerOff', 'reboot'] as const) {
    t.match(await outcome(vm[step]?.(soon())), { phrase: 'UNREACHABLE', detail: 'hv2 lists it as off, but hv1, which had it last, does not answer; nothing was done' }, step);
  }
  const refused = orders(pair)[1] ?? 0;
  t.same(await outcome(vm.start?.(soon())), { value: undefined }, 'started where it is listed');
  t.equal(await vm.status(soon()), 'on');
  t.same(shown(await driver.list(soon())).at(-1), 'web1 on');
  world.become('off');
  t.equal(await vm.status(soon()), 'off', 'it has run here since');
  t.same(orders(pair), [0, refused + 1]);
  t.match(await vm.info?.(soon()), { host: 'hv2' });
});

void t.test('a node that hangs keeps nobody waiting for what runs on another', async (t) => {
  const pair = await setUpPair(t, [running('web1')]);
  const { two, driver } = pair;
  const vm = await findMachine(driver, 'web1');
  two.faults.add('*', { kind: 'silent' }, 1000);
  t.equal(await vm.status(soon()), 'on');
  t.same(await outcome(vm.powerOff?.(soon())), { value: undefined });
  t.equal(await vm.status(soon()), 'off');
  const listed = await driver.list(soon());
  t.same(shown(listed).at(-1), 'web1 off');
  t.match(listed.incomplete, /hv2 cannot be listed/);
});

void t.test('a machine that is deleted is gone from all nodes', async (t) => {
  const { one, driver, told } = await setUpPair(t, [off('web1')]);
  const vm = await findMachine(driver, 'web1');
  one.world.hyperv.remove('web1');
  t.match(await outcome(vm.status(soon())), { phrase: 'NO SUCH INSTANCE' });
  t.match(await outcome(vm.start?.(soon())), { phrase: 'NO SUCH INSTANCE' });
  t.ok(told.relists > 0);
  t.same(shown(await driver.list(soon())), ['hv1 on', 'hv2 on']);
});

void t.test('a time that is over before a node was chosen orders nothing', async (t) => {
  const pair = await setUpPair(t, [off('web1')]);
  const vm: Machine = await findMachine(pair.driver, 'web1');
  pair.one.faults.add('*', { kind: 'silent' }, 1000);
  t.match(await outcome(vm.start?.(AbortSignal.timeout(500))), { phrase: 'UNREACHABLE' });
  t.same(orders(pair), [0, 0]);
});

void t.test('a wrong password at all nodes is one refused login', async (t) => {
  const { one, two, driver } = await setUpPair(t, [off('web1')], { password: 'stale for the cluster' });
  for (let poll = 0; poll < 3; poll += 1) {
    const listed = await driver.list(soon());
    t.same(shown(listed), ['hv1 on', 'hv2 on']);
    t.match(listed.incomplete, /ACCESS DENIED/);
  }
  t.equal(one.refusals + two.refusals, 1);
});

void t.test('a node that refuses what the other takes is held back alone', async (t) => {
  const { one, two, driver } = await setUpPair(t, [off('web1')], {}, 'pw-another');
  await two.down();
  const vm = await findMachine(driver, 'web1');
  await two.wake();
  for (let poll = 0; poll < 3; poll += 1) {
    const listed = await driver.list(soon());
    t.same(shown(listed), ['hv1 on', 'hv2 on', 'web1 off']);
    t.match(listed.incomplete, /^what is on hv2 cannot be listed: ACCESS DENIED/);
    t.same(await outcome(vm.start?.(soon())), { value: undefined });
    one.world.hyperv.vm('web1').become('off');
  }
  t.same([one.refusals, two.refusals], [0, 1]);
});

void t.test('a node that there cannot be is left out, and the list says so', async (t) => {
  const { driver, told } = await setUpPair(t, [off('web1')], { nodes: [{ name: 'hv3', address: 'hv.3' }] });
  const listed = await driver.list(soon());
  t.same(shown(listed), ['hv1 on', 'web1 off']);
  t.match(listed.incomplete, /^hv3 is left out: "hv.3" cannot stand in the url/);
  t.match(told.log.join('\n'), /a node is left out/);
  t.same(await outcome((await findMachine(driver, 'web1')).start?.(soon())), { value: undefined });
});

void t.test('the nodes of a table', async (t) => {
  const table = { address: 'hv1.example', user: 'argo', password: 'x' };
  const parse = (nodes: unknown) => v.safeParse(v.strictObject(hyperv.options), { ...table, nodes }).issues?.[0]?.message;
  t.equal(parse([{ name: 'hv2', address: '10.0.0.2' }]), undefined);
  t.match(parse([{ name: 'hv2' }, { name: 'hv2', address: 'hv3' }]), /same name/);
  t.match(parse([{ name: 'hv2' }, { name: 'b', address: 'hv2' }]), /same address/);
  t.match(parse([{ name: 'no host' }]), /needs an address/);
  t.match(parse('hv2'), /a list is expected/);
  const options = v.parse(v.strictObject(hyperv.options), { ...table, nodes: [{ name: 'hv2' }, { name: 'hv3', address: 'hv.3' }] });
  t.match(hyperv.check?.(options), [{ path: ['nodes', 1], message: /^hv3: "hv.3" cannot stand in the url/ }]);
  const { driver } = await setUpPair(t, [], { nodes: [{ name: 'hv2', address: ADDRESSES[1], mac: '52:54:00:aa:00:02' }], mac: '52:54:00:aa:00:01' });
  const [first, second] = (await driver.list(soon())).map(({ machine }) => machine);
  t.same([first?.name, first?.id, second?.name, second?.id], ['hv1', 'host', 'hv2', 'host-hv2'], 'the first goes by the name of the provider');
});
