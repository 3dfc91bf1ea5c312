import t from 'tap';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { Fleet } from './support/fleet.js';

/** Real QEMU guests of two sites, switched from one front; asked of libvirt itself what they do. */

await t.test('guests at two sites', { skip: lacksRoot(...LIBVIRT_PROGRAMS, ...NATS_PROGRAMS), timeout: 400_000 }, async (t) => {
  const [here, there] = await Promise.all([startLibvirt(), startLibvirt()]);
  t.teardown(() => Promise.all([here.stop(), there.stop()]));
  await Promise.all([here.defineTiny('web1'), here.defineDeaf('deaf'), there.defineTiny('web1'), there.defineTiny('db')]);
  const tables = (socket: string): string => `[providers.kvm1]\ntype = "libvirt"\nuri = "qemu:///system?socket=${socket}"\n`;
  const fleet = await Fleet.start(t, { sites: { berlin: { tables: tables(here.socket) }, munich: { tables: tables(there.socket) } }, fronts: { f1: {} } });
  const f1 = fleet.front('f1');
  const ask = (line: string): Promise<string> => f1.ask(line);
  const state = async (peer: typeof here, name: string): Promise<string> => (await peer.virsh('domstate', name)).stdout.trim();
  await until(async () => (await ask('list')).split('\n').length === 4, LONG, 'all guests at the front');

  t.same((await ask('list stopped')).split('\n').sort(), ['berlin.kvm1/web1', 'db', 'deaf', 'munich.kvm1/web1']);
  t.equal(await ask('start *.kvm1/web1 --wait').then((text) => text.split('\n').sort().join(' ')), 'berlin.kvm1/web1: done munich.kvm1/web1: done');
  t.same([await state(here, 'web1'), await state(there, 'web1'), await state(there, 'db')], ['running', 'running', 'shut off']);
  await Promise.all([here.guestReady('web1'), there.guestReady('web1')]);
  t.match(await ask('info berlin.kvm1/web1'), /^uuid: [0-9a-f-]{36}$/m);
  t.match(await ask('uptime munich.kvm1/web1'), /^\d+ /);
  t.equal(await ask('reboot berlin.kvm1/web1 --wait --timeout=40'), '', 'seen by its boot mark');
  await here.guestReady('web1', LONG, 2);
  t.equal(await ask('stop berlin.kvm1/web1 --wait --timeout=40'), '');
  t.equal(await state(here, 'web1'), 'shut off');
  t.equal(await state(there, 'web1'), 'running', 'that of the other site is not touched');
  await ask('start deaf --wait');
  t.match(await ask('stop deaf --wait=2'), /^400 TIMEOUT: accepted, but deaf is still on/);
  t.equal(await ask('stop deaf --force --wait'), '');

  // what is done past Argo is seen at the front
  await there.virsh('destroy', 'web1');
  await until(async () => (await ask('list stopped')).split('\n').includes('munich.kvm1/web1'), LONG, 'the change to be seen');

  // a site whose libvirtd hangs holds nobody up
  await here.signal('STOP');
  const began = performance.now();
  t.equal(await ask('start munich.kvm1/web1 --wait'), '');
  t.ok(performance.now() - began < 20_000);
  t.match(await ask('start berlin.kvm1/web1 --timeout=2'), /^400 (?:TIMEOUT|UNCERTAIN|UNREACHABLE)/);
  await here.signal('CONT');
});
