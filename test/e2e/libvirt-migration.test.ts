import t, { type Test } from 'tap';
import type { Machine } from '../../src/drivers/driver.js';
import type { Destination } from '../../src/drivers/management/machine.js';
import { findMachine, outcome } from '../drivers/driving.js';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { LIBVIRT_PROGRAMS, startLibvirt, type LibvirtPeer } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Guests that are moved from one libvirtd to another, judged by virsh. */

const WAIT_MS = 60_000;
const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 240_000 };
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);
const call = (signal = soon()) => ({ signal, task: 'x', progress: () => undefined });

/** Two hosts with a cable between them, of which the second takes machines of others. */
async function twoHosts(t: Test, more: Record<string, unknown> = {}) {
  const peers = await Promise.all([startLibvirt(), startLibvirt()]);
  const [here, there] = peers;
  const { there: address } = await here.cableTo(there);
  const source = openDriver(`qemu:///system?socket=${here.socket}`).driver;
  const target = openDriver(`qemu:///system?socket=${there.socket}`, {
    'migrate-uri': `qemu+unix:///system?socket=${there.socket}`, 'migrate-data-uri': `tcp://${address}`, ...more,
  }).driver;
  t.teardown(async () => {
    await Promise.all([source.close(soon()), target.close(soon())]);
    await Promise.all(peers.map((peer) => peer.stop()));
  });
  return { here, there, source, target, destination: target.destination!(), find: (name: string) => findMachine(source, name, soon()) };
}

const move = (machine: Machine, destination: Destination, signal?: AbortSignal): Promise<void> =>
  machine.abilities!.migration!.to!({ destination }, call(signal));
/** A guest that runs and has no disk: what lies on this machine's own file system, libvirt does not take for shared. */
const defineDiskless = (peer: LibvirtPeer, name: string): Promise<void> => peer.defineChanged(name, (xml) => xml.replace(/<disk[^]*<\/disk>/, ''));

const stateOf = async (peer: LibvirtPeer, name: string): Promise<string> => {
  const { code, stdout } = await peer.virsh('domstate', name, '--reason');
  return code === 0 ? stdout.trim() : 'none';
};

/** Begins to move a guest whose memory is full enough for that to last, and resolves while it is under way. */
async function inFlight(here: LibvirtPeer, machine: Machine, destination: Destination, signal?: AbortSignal) {
  const { name } = machine;
  await here.virsh('migrate-setspeed', name, '1');
  const told: number[] = [];
  const moved = outcome(machine.abilities!.migration!.to!({ destination }, { ...call(signal), progress: (part) => { told.push(part); } }));
  await until(() => told.some((part) => part > 0), WAIT_MS, 'the first of its memory');
  await until(async () => /Outgoing/.test((await here.virsh('domjobinfo', name)).stdout), WAIT_MS, 'what virsh says of it');
  return { moved };
}

/** A guest with a system that has filled its memory, and without a disk. */
async function startFull(here: LibvirtPeer, name: string): Promise<void> {
  await here.defineDom(name, (xml) => xml.replace(/<disk[^]*<\/disk>/, ''));
  await here.virsh('start', name);
  await here.guestReady(name);
}

await t.test('a guest goes on at its destination as it was', options, async (t) => {
  const { here, there, target, destination, find } = await twoHosts(t);
  for (const [name, prepare, state] of [
    ['running', ['start'], 'running (migrated)'],
    ['paused', ['start', 'suspend'], /^paused /],
    ['off', [], /^shut off/],
  ] as const) {
    await defineDiskless(here, name);
    for (const order of prepare) t.equal((await here.virsh(order, name)).code, 0, order);
    t.same(await outcome(move(await find(name), destination)), { value: undefined }, name);
    t.match(await stateOf(there, name), state, name);
    t.equal(await stateOf(here, name), 'none', 'here there is nothing left of it');
    t.match((await there.virsh('dominfo', name)).stdout, /^Persistent: +yes$/m);
    t.ok(await findMachine(target, name, soon()), 'it is listed');
  }
  await defineDiskless(here, 'transient');
  await here.virsh('start', 'transient');
  await here.virsh('undefine', 'transient');
  t.same(await outcome(move(await find('transient'), destination)), { value: undefined });
  t.match((await there.virsh('dominfo', 'transient')).stdout, /^Persistent: +no$/m, 'and nothing is kept that was not');
});

await t.test('what cannot be moved', options, async (t) => {
  const { here, source, target, destination, find } = await twoHosts(t);
  t.throws(() => source.destination!(), { message: /^NOT SUPPORTED: kvm1 is not set up for it: its migrate-uri / });
  await here.defineContainer('web');
  const { driver } = openDriver(`lxc:///system?socket=${here.socket}`);
  t.teardown(() => driver.close(soon()));
  t.match(await outcome(move(await findMachine(driver, 'web', soon()), destination)), { phrase: 'NOT SUPPORTED', detail: /QEMU alone/ });
  t.throws(() => driver.destination!(), { message: /^NOT SUPPORTED: .*QEMU alone/ });
  await here.defineTiny('tiny');
  await here.virsh('start', 'tiny');
  t.match(await outcome(move(await find('tiny'), destination)), { phrase: 'FAILED', detail: /^it stays on the host where it was: Unsafe migration: / }, 'its disk is not shared');
  await here.virsh('managedsave', 'tiny');
  t.match(await outcome(move(await find('tiny'), destination)), { phrase: 'WRONG STATE', detail: /saved/ });
  await here.virsh('start', 'tiny');
  await defineDiskless(here, 'diskless');
  await here.virsh('start', 'diskless');
  const away = { ...destination, access: { ...destination.access, uri: 'qemu+unix:///system?socket=/nowhere' } };
  t.match(await outcome(move(await find('diskless'), away)), { phrase: 'FAILED', detail: /^it stays on the host where it was: .*\/nowhere/ });
  t.equal(await stateOf(here, 'diskless'), 'running (booted)');
  t.equal((await target.list(soon())).length, 0);
});

await t.test('one that is given up stays where it was', options, async (t) => {
  const { here, target, destination, find } = await twoHosts(t);
  await startFull(here, 'kept');
  const controller = new AbortController();
  const { moved } = await inFlight(here, await find('kept'), destination, controller.signal);
  controller.abort();
  t.match(await moved, { phrase: 'UNREACHABLE', detail: 'it stays on the host where it was: the migration was given up' });
  t.match(await stateOf(here, 'kept'), /^running/);
  await until(async () => (await target.list(soon())).length === 0, WAIT_MS, 'nothing to be left there');
});

await t.test('a destination that dies in the middle', options, async (t) => {
  const { here, there, destination, find } = await twoHosts(t);
  await startFull(here, 'kept');
  const { moved } = await inFlight(here, await find('kept'), destination);
  await there.stop();
  t.match(await moved, { phrase: 'FAILED', detail: /^it stays on the host where it was: / });
  t.match(await stateOf(here, 'kept'), /^running/, 'as virsh sees it');
});

await t.test('a libvirtd of its own that dies in the middle', options, async (t) => {
  const { here, destination, find } = await twoHosts(t);
  await startFull(here, 'lost');
  const { moved } = await inFlight(here, await find('lost'), destination);
  await here.kill();
  t.match(await moved, { phrase: 'UNCERTAIN', detail: /^it is not known on which of the two hosts it is: / });
});

await t.test('with its disks', options, async (t) => {
  const { here, there, destination, find } = await twoHosts(t, { 'migrate-disks': 'copied' });
  const image = '/var/lib/libvirt/images/disk.img';
  for (const peer of [here, there]) await peer.inside('sh', '-c', `mkdir -p "\${1%/*}" && truncate -s 1M "$1"`, 'sh', image);
  await here.defineChanged('copied', (xml) => xml.replace(/<disk[^]*<\/disk>/, `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>`));
  t.match(await outcome(move(await find('copied'), destination)), { phrase: 'WRONG STATE', detail: /start it first/ }, 'nobody copies those of one that is off');
  await here.inside('sh', '-c', 'echo written here | dd of="$1" conv=notrunc status=none', 'sh', image);
  await here.virsh('start', 'copied');
  t.same(await outcome(move(await find('copied'), destination)), { value: undefined });
  t.equal(await stateOf(there, 'copied'), 'running (migrated)');
  t.match((await there.inside('head', '-n', '1', image)).stdout, /^written here$/m);
});
