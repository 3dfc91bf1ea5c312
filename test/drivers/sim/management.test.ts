import t, { type Test } from 'tap';
import { SimDriver } from '../../../src/drivers/sim/sim.js';
import type { WorkCall } from '../../../src/drivers/management/contract.js';
import type { Machine } from '../../../src/drivers/driver.js';

const GIB = 1024n ** 3n;
const GUARD = { rollback: 30_000, force: false };

function call(signal = new AbortController().signal): WorkCall & { readonly parts: number[] } {
  const parts: number[] = [];
  return { signal, task: 'task-1', parts, progress: (part) => { parts.push(part); } };
}

/** What it is refused with. */
const refused = async (t: Test, work: Promise<unknown>, wanted: object, words = 'refused'): Promise<void> => {
  t.match(await work.then(() => 'it was done', (thrown: unknown) => thrown), wanted, words);
};

/** A host with a machine that is on and one that is off. */
function arrange(t: Test, name = 'demo', { latency = 0 } = {}) {
  let relisted = 0;
  const driver = new SimDriver({ instances: ['lj', { name: 'test', state: 'off' }], count: 0, latency, faults: {} }, {
    name, log: () => undefined, changed: () => undefined, relist: () => { relisted += 1; }, lost: () => undefined,
  });
  t.teardown(() => driver.close());
  const { images, templates, machines, volumes, network, statistics } = driver.abilities;
  const find = async (wanted: string): Promise<Machine> => (await driver.list()).map(({ machine }) => machine).find((one) => one.name === wanted)!;
  const names = async (): Promise<string[]> => (await driver.list()).map(({ machine }) => machine.name);
  return {
    driver,
    find,
    names,
    relisted: () => relisted,
    images: images!,
    templates: templates!,
    machines: machines!,
    volumes: volumes!,
    network: network!,
    statistics: statistics!,
  };
}

await t.test('images', async (t) => {
  const { images } = arrange(t);
  const names = async (): Promise<string[]> => (await images.list!({}, call())).map(({ name }) => name);
  const task = call();
  await images.create!({ name: 'a.qcow2', size: GIB, format: 'qcow2' }, task);
  t.same(task.parts, [0.25, 0.5, 0.75, 1]);
  await images.create!({ name: 'b.raw', size: GIB, format: 'raw' }, call());
  t.same((await images.list!({}, call())).find(({ name }) => name === 'b.raw'), { name: 'b.raw', kind: 'disk', format: 'raw', capacity: GIB, allocation: GIB, usedBy: [] });
  await refused(t, images.create!({ name: 'a.qcow2', size: GIB, format: 'raw' }, call()), { message: 'WRONG STATE: there is an image a.qcow2 already' });
  await refused(t, images.create!({ name: 'c', size: 300n * GIB, format: 'raw' }, call()), { message: /^FAILED: no room: \d+\.\d GiB are free$/ });
  await images.delete!({ name: 'a.qcow2' }, call());
  await refused(t, images.delete!({ name: 'a.qcow2' }, call()), { message: 'WRONG STATE: there is no image a.qcow2' });
  t.same(await names(), ['debian12.iso', 'spare.qcow2', 'b.raw']);
});

await t.test('two that make one name, and one that is told to end', async (t) => {
  const { images, templates, names } = arrange(t, 'demo', { latency: 20 });
  const ends = new AbortController();
  const first = templates.deploy!({ template: 'debian12', name: 'web9', settings: {} }, call(ends.signal));
  await refused(t, templates.deploy!({ template: 'alpine', name: 'web9', settings: {} }, call()), { message: 'WRONG STATE: a machine web9 is being made' });
  ends.abort();
  await refused(t, first, { phrase: 'UNREACHABLE' }, 'it says that nothing was done');
  t.same(await names(), ['lj', 'test']);
  t.same((await images.list!({}, call())).length, 2, 'nothing half made is listed');
  await templates.deploy!({ template: 'debian12', name: 'web9', settings: {} }, call());
  t.same(await names(), ['lj', 'test', 'web9'], 'and the name is free again');
});

await t.test('a machine from a template, and its end', async (t) => {
  const { templates, images, find, names, relisted } = arrange(t);
  t.same(await templates.list!({}, call()), [{ name: 'debian12', type: 'vm' }, { name: 'alpine', type: 'container' }]);
  await templates.deploy!({ template: 'debian12', name: 'web9', settings: { vcpus: 2, memory: 2n * GIB, bridge: 'br0' } }, call());
  t.equal(relisted(), 1);
  const web9 = await find('web9');
  t.equal(await web9.status(new AbortController().signal), 'off');
  t.match(await web9.info!(new AbortController().signal), { cpus: 2, memory: 2n * GIB, disks: [{ target: 'vda', format: 'qcow2', size: 8n * GIB }] });
  t.same((await images.list!({}, call())).find(({ name }) => name === 'web9.qcow2')?.usedBy, ['web9']);
  await refused(t, images.delete!({ name: 'web9.qcow2' }, call()), { message: 'WRONG STATE: web9 has web9.qcow2' });
  await templates.deploy!({ template: 'alpine', name: 'ct1', settings: { size: 3n * GIB, address: '192.0.2.77' } }, call());
  const ct1 = await find('ct1');
  t.equal(ct1.type, 'container');
  t.same(await ct1.ip!(new AbortController().signal), ['192.0.2.77']);
  for (const [template, settings, faults] of [
    ['debian12', { memory: GIB / 4n }, { memory: 'must be 512.0 MiB to 64.0 GiB' }], ['debian12', { vcpus: 99 }, { vcpus: 'must be 1 to 16' }], ['debian12', { bridge: 'br9' }, { bridge: 'there is no such bridge' }],
    ['debian12', { size: GIB, address: '192.0.2.7' }, { size: 'only containers have it', address: 'only containers have it' }], ['alpine', { size: GIB / 2n }, { size: 'must be 1.0 GiB to 256.0 GiB' }],
    ['alpine', { bridge: 'br0' }, { bridge: 'only virtual machines have it' }],
  ] as const) await refused(t, templates.deploy!({ template, name: 'bad', settings }, call()), { faults }, JSON.stringify(faults));
  await refused(t, templates.deploy!({ template: 'debian12', name: 'lj', settings: {} }, call()), { message: 'WRONG STATE: there is a machine lj already' });
  await refused(t, templates.deploy!({ template: 'nothing', name: 'x', settings: {} }, call()), { message: 'WRONG STATE: there is no template nothing' });
  await web9.start!(new AbortController().signal);
  await refused(t, web9.abilities!.removal!.delete!({ disks: true }, call()), { message: 'WRONG STATE: web9 is on' });
  await web9.powerOff!(new AbortController().signal);
  await web9.abilities!.removal!.delete!({ disks: true }, call());
  await ct1.abilities!.removal!.delete!({ disks: false }, call());
  t.same(await names(), ['lj', 'test']);
  t.same((await images.list!({}, call())).map(({ name }) => name), ['debian12.iso', 'spare.qcow2', 'ct1.qcow2'], 'a disk that was to stay');
  await refused(t, (async () => web9.status(new AbortController().signal))(), { phrase: 'NO SUCH INSTANCE' }, 'who kept it is told nothing of it');
});

await t.test('hardware is for the next start', async (t) => {
  const { find } = arrange(t);
  const { signal } = new AbortController();
  const lj = await find('lj');
  const { hardware } = lj.abilities!;
  await hardware!.change!({ vcpus: 4, memory: GIB, autostart: true }, call());
  t.match(await hardware!.read!({}, call()), { vcpus: 4, memory: GIB, autostart: true });
  t.match(await lj.info!(signal), { cpus: 1, autostart: true });
  await lj.reboot!(signal);
  t.match(await lj.info!(signal), { cpus: 4, memory: GIB });
  await refused(t, hardware!.change!({ disk: GIB, cpuLimit: 50, vcpus: 17 }, call()), { faults: { disk: 'cannot become smaller', cpuLimit: 'only containers have it', vcpus: 'must be 1 to 16' } });
  t.match(await hardware!.read!({}, call()), { vcpus: 4 }, 'nothing was changed');
});

await t.test('templates of machines', async (t) => {
  const { find, templates } = arrange(t);
  const [lj, test] = [await find('lj'), await find('test')];
  await refused(t, lj.abilities!.templating!.create!({ template: 'gold', settings: {} }, call()), { message: 'WRONG STATE: lj is on' });
  t.match(await test.abilities!.templating!.preview!({ template: 'gold' }, call()), { template: 'gold', disks: [{ target: 'vda', file: 'gold.qcow2', capacity: 4n * GIB }], interfaces: [{ mac: '00:16:3e:00:00:02' }] });
  await test.abilities!.templating!.create!({ template: 'gold', settings: { memory: GIB } }, call());
  t.match(await templates.describe!({ template: 'gold' }, call()), { type: 'vm', memory: GIB, disks: [{ file: 'gold.qcow2' }] });
  await refused(t, test.abilities!.templating!.create!({ template: 'gold', settings: {} }, call()), { phrase: 'WRONG STATE' });
  await templates.delete!({ template: 'gold' }, call());
  await refused(t, templates.delete!({ template: 'gold' }, call()), { phrase: 'WRONG STATE' });
});

await t.test('machines from an ISO image, and volumes', async (t) => {
  const { machines, volumes, find } = arrange(t);
  const wanted = { osVariant: 'debian12', osType: 'linux', iso: 'debian12.iso', memory: GIB, vcpus: 1, apic: true, acpi: true };
  await machines.install!({ ...wanted, name: 'new', disk: { volume: '/dev/vg0/spare' } }, call());
  const made = await find('new');
  t.equal(await made.status(new AbortController().signal), 'on');
  t.match(await made.disk!(new AbortController().signal), [{ type: 'lvm', source: '/dev/vg0/spare', size: 20n * GIB }]);
  t.match(await volumes.list!({}, call()), [{ path: '/dev/vg0/spare', usedBy: ['new'] }]);
  t.match(await volumes.groups!({}, call()), [{ name: 'vg0', free: 80n * GIB, logicalVolumes: 1 }]);
  await refused(t, machines.install!({ ...wanted, name: 'newer', disk: { volume: '/dev/vg0/spare' } }, call()), { message: 'WRONG STATE: new has /dev/vg0/spare' });
  await refused(t, machines.install!({ ...wanted, name: 'newer', iso: 'spare.qcow2', disk: { volume: '/dev/vg0/no' } }, call()), { faults: { iso: 'there is no such ISO image', volume: 'there is no such volume' } });
  await refused(t, machines.install!({ ...wanted, name: 'newer', disk: { size: 500n * GIB } }, call()), { faults: { disk: /^must be/ } });
});

await t.test('migration between two hosts', async (t) => {
  const [one, other] = [arrange(t, 'one'), arrange(t, 'other')];
  await one.templates.deploy!({ template: 'debian12', name: 'web9', settings: {} }, call());
  const web9 = await one.find('web9');
  const { signal } = new AbortController();
  await web9.start!(signal);
  const before = await web9.info!(signal);
  const to = web9.abilities!.migration!.to!;
  await refused(t, to({ destination: { provider: 'nowhere', access: {} } }, call()), { phrase: 'UNREACHABLE' });
  await refused(t, to({ destination: one.driver.destination() }, call()), { message: 'WRONG STATE: web9 is on one already' });
  await to({ destination: other.driver.destination() }, call());
  t.same([await one.names(), await other.names()], [['lj', 'test'], ['lj', 'test', 'web9']]);
  const moved = await other.find('web9');
  t.equal(await moved.status(signal), 'on');
  t.equal((await moved.info!(signal)).uuid, before.uuid, 'it is the same machine');
  t.same((await one.images.list!({}, call())).length, 2, 'its disk went with it');
  t.same((await other.images.list!({}, call())).map(({ name }) => name), ['debian12.iso', 'spare.qcow2', 'web9.qcow2']);
  await refused(t, (await one.find('lj')).abilities!.migration!.to!({ destination: other.driver.destination() }, call()), { message: 'WRONG STATE: there is a machine lj already' });
  await other.driver.close();
  await refused(t, (await one.find('test')).abilities!.migration!.to!({ destination: other.driver.destination() }, call()), { phrase: 'UNREACHABLE' }, 'a host that is closed is not there');
});

await t.test('the network', async (t) => {
  const { network } = arrange(t);
  const route = { destination: '192.0.2.0', prefix: 24, gateway: '203.0.113.9', interface: 'br0' };
  const way = { destination: 'default', prefix: 0, gateway: '198.51.100.1', interface: 'eth0' };
  t.same(await network.addRoute!({ ...route, ...GUARD }, call()), { keptBy: undefined });
  t.match((await network.routes!({}, call())).at(-1), route);
  for (const [what, phrase] of [
    [network.addRoute!({ ...route, ...GUARD }, call()), /^WRONG STATE: there is a route/], [network.addRoute!({ ...route, destination: '10.0.0.0', gateway: '10.9.9.9', ...GUARD }, call()), /^FAILED: Nexthop/],
    [network.addRoute!({ ...route, destination: '10.0.0.0', interface: 'eth9', ...GUARD }, call()), /^FAILED: Cannot find device/], [network.deleteRoute!({ ...route, gateway: '203.0.113.8', ...GUARD }, call()), /^WRONG STATE: there is no such/],
    [network.deleteRoute!({ ...way, ...GUARD }, call()), /^WRONG STATE: it touches eth0/], [network.deleteRoute!({ ...way, ...GUARD, force: true }, call()), /^FAILED: the host could not be reached/],
    [network.setGateway!({ gateway: '198.51.100.9', interface: 'eth0', ...GUARD }, call()), /^WRONG STATE: it touches/], [network.addMember!({ bridge: 'br0', member: 'eth0', ...GUARD }, call()), /^WRONG STATE: it touches/],
    [network.addMember!({ bridge: 'br0', member: 'eth0', ...GUARD, force: true }, call()), /^FAILED: the host could not/], [network.addMember!({ bridge: 'br0', member: 'eth1', ...GUARD }, call()), /^WRONG STATE: eth1 is a member of br0/],
    [network.addMember!({ bridge: 'br0', member: 'br0', ...GUARD }, call()), /^WRONG STATE: br0 is a bridge/], [network.deleteMember!({ bridge: 'br0', member: 'eth2', ...GUARD }, call()), /^WRONG STATE: eth2 is no member/],
    [network.deleteBridge!({ name: 'br0', ...GUARD }, call()), /^WRONG STATE: br0 has members: eth1/], [network.addBridge!({ name: 'eth2', ...GUARD }, call()), /^WRONG STATE: eth2 is there already/], [network.changeBridge!({ name: 'br9', ...GUARD }, call()), /^WRONG STATE: there is no bridge br9/],
  ] as const) await refused(t, what, { message: phrase });
  await network.setGateway!({ gateway: '198.51.100.9', interface: 'eth0', ...GUARD, force: true }, call());
  t.equal(await network.gateway!({ interface: 'eth0' }, call()), '198.51.100.9');
  t.equal(await network.gateway!({ interface: 'br0' }, call()), undefined);
  await network.replaceRoute!({ old: { ...route }, new: { ...route, destination: '192.0.3.0' }, ...GUARD }, call());
  await network.addBridge!({ name: 'br7', address: '192.0.2.1', prefix: 24, ...GUARD }, call());
  await network.addMember!({ bridge: 'br7', member: 'eth2', ...GUARD }, call());
  t.match(await network.bridges!({}, call()), [{ name: 'br0' }, { name: 'br7', members: ['eth2'], addresses: ['192.0.2.1/24'] }]);
  await network.changeBridge!({ name: 'br7', ...GUARD }, call());
  await network.deleteMember!({ bridge: 'br7', member: 'eth2', ...GUARD }, call());
  await network.deleteBridge!({ name: 'br7', ...GUARD }, call());
  t.same((await network.routes!({}, call())).map(({ destination }) => destination), ['198.51.100.0', '203.0.113.0', 'default', '192.0.3.0']);
});

await t.test('figures', async (t) => {
  const { statistics } = arrange(t);
  t.same(Object.keys(await statistics.host!({ figures: ['memory', 'kernel'] }, call())).sort(), ['kernel', 'memory', 'release']);
  t.match(await statistics.guests!({}, call()), [{ id: '1', vcpus: 1, memory: GIB / 4n, cpuPercent: 10 }, { id: '2', memory: 0n, maxMemory: GIB / 4n }]);
});
