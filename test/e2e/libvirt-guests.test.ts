import t from 'tap';
import type { Machine, PowerState } from '../../src/drivers/driver.js';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { findMachine, outcome } from '../drivers/driving.js';

/** The libvirt driver's machines, on real QEMU guests. */

const WAIT_MS = 60_000;
/** Datagrams and bytes of the traffic that only goes one way. */
const DATAGRAMS = 50;
const DATAGRAM_BYTES = 1_000;

const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);
const becomes = (machine: Machine, state: PowerState): Promise<void> =>
  until(async () => await machine.status(soon()) === state, WAIT_MS, `${machine.name} to be ${state}`);

await t.test('real guests', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 240_000 }, async (t) => {
  const peer = await startLibvirt();
  const { driver, told } = openDriver(`qemu:///system?socket=${peer.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await peer.stop();
  });
  await peer.defineTiny('tiny');
  await peer.defineDeaf('deaf');
  await peer.defineDom('dom');
  const find = (name: string): Promise<Machine> => findMachine(driver, name, soon());

  await t.test('what libvirt has is listed', async (t) => {
    const listed = await driver.list(soon());
    t.same(listed.map(({ machine, state }) => [machine.name, machine.type, state]), [['deaf', 'vm', 'off'], ['dom', 'vm', 'off'], ['tiny', 'vm', 'off']]);
  });

  await t.test('start, pause, unpause, clean shutdown', async (t) => {
    const tiny = await find('tiny');
    await tiny.start!(soon());
    t.equal(await tiny.status(soon()), 'on');
    t.match(await outcome(tiny.start!(soon())), { phrase: 'WRONG STATE' }, 'on already');
    await peer.guestReady('tiny');
    await tiny.pause!(soon());
    t.equal(await tiny.status(soon()), 'paused');
    t.match(await outcome(tiny.shutdown!(soon())), { phrase: 'WRONG STATE' }, 'a paused guest hears nothing');
    await tiny.unpause!(soon());
    await tiny.shutdown!(soon());
    await becomes(tiny, 'off');
    await tiny.shutdown!(soon());
    t.match(await outcome(tiny.powerOff!(soon())), { phrase: 'WRONG STATE' }, 'off already');
  });

  await t.test('presses before the guest listens are lost, pressing again helps and does no harm', async (t) => {
    const tiny = await find('tiny');
    await tiny.start!(soon());
    await until(async () => {
      await tiny.shutdown!(soon());
      return await tiny.status(soon()) === 'off';
    }, WAIT_MS, 'a press to be heard');
    t.equal(await tiny.status(soon()), 'off');
  });

  await t.test('a reboot and a reset show in the boot mark', async (t) => {
    const tiny = await find('tiny');
    const off = await tiny.bootMark!(soon());
    await tiny.start!(soon());
    await peer.guestReady('tiny');
    const started = await tiny.bootMark!(soon());
    t.not(started, off);
    await tiny.reboot!(soon());
    await peer.guestReady('tiny', WAIT_MS, 2);
    const rebooted = await tiny.bootMark!(soon());
    t.not(rebooted, started);
    await tiny.reset!(soon());
    await peer.guestReady('tiny', WAIT_MS, 3);
    t.not(await tiny.bootMark!(soon()), rebooted);
    await tiny.pause!(soon());
    await tiny.reset!(soon());
    t.equal(await tiny.status(soon()), 'on', 'the button starts a paused one');
    await peer.guestReady('tiny', WAIT_MS, 4);
    const uptime = await tiny.uptime!(soon());
    t.ok(uptime >= 0 && uptime < WAIT_MS / 1000);
  });

  await t.test('saved to disk, listed so, and back', async (t) => {
    const tiny = await find('tiny');
    const boots = peer.boots('tiny');
    await tiny.suspend!(soon());
    t.equal(await tiny.status(soon()), 'suspended');
    t.equal((await driver.list(soon())).find(({ machine }) => machine.name === 'tiny')!.state, 'suspended');
    await tiny.resume!(soon());
    t.equal(await tiny.status(soon()), 'on');
    await tiny.suspend!(soon());
    await tiny.start!(soon());
    t.equal(await tiny.status(soon()), 'on', 'start resumes too');
    t.ok(peer.boots('tiny') <= boots, 'it has not booted');
    await tiny.pause!(soon());
    await tiny.suspend!(soon());
    await tiny.resume!(soon());
    t.equal(await tiny.status(soon()), 'on', 'one that was paused goes on');
    await tiny.suspend!(soon());
    await tiny.powerOff!(soon());
    t.equal(await tiny.status(soon()), 'off', 'what was saved is gone');
    t.match(await outcome(tiny.resume!(soon())), { phrase: 'WRONG STATE' });
  });

  await t.test('a guest that ignores the button stays on until the plug is pulled', async (t) => {
    const [deaf, tiny] = [await find('deaf'), await find('tiny')];
    for (const machine of [deaf, tiny]) {
      await machine.start!(soon());
      await peer.guestReady(machine.name);
      await machine.shutdown!(soon());
    }
    await becomes(tiny, 'off');
    t.equal(await deaf.status(soon()), 'on');
    await deaf.powerOff!(soon());
    t.equal(await deaf.status(soon()), 'off');
  });

  await t.test('what virsh does behind our back is told', async (t) => {
    const tiny = await find('tiny');
    const last = (): string | undefined => told.changed.filter(({ id }) => id === tiny.id).at(-1)?.state;
    const steps: [string[], PowerState][] = [
      [['start', 'tiny'], 'on'], [['suspend', 'tiny'], 'paused'], [['resume', 'tiny'], 'on'], [['managedsave', 'tiny'], 'suspended'],
      [['start', 'tiny'], 'on'], [['destroy', 'tiny'], 'off'],
    ];
    for (const [command, state] of steps) {
      t.equal((await peer.virsh(...command)).code, 0);
      await until(() => last() === state, WAIT_MS, `${command.join(' ')} to be told as ${state}`);
    }
    const mark = await tiny.bootMark!(soon());
    await peer.virsh('start', 'tiny');
    await peer.guestReady('tiny');
    await peer.virsh('shutdown', 'tiny', '--mode', 'acpi');
    await until(() => last() === 'off', WAIT_MS, 'the guest\'s own end to be told');
    t.equal(await tiny.bootMark!(soon()), mark, 'off is off');
    const relists = told.relists;
    await peer.virsh('domrename', 'tiny', 'small');
    await until(() => told.relists > relists, WAIT_MS, 'a new name to be told');
    t.equal((await find('small')).id, tiny.id);
    await peer.virsh('start', 'small');
    await peer.virsh('undefine', 'small');
    const transient = await find('small');
    t.equal(await transient.status(soon()), 'on', 'it is there only while it runs');
    await transient.powerOff!(soon());
    await until(async () => (await driver.list(soon())).every(({ machine }) => machine.id !== tiny.id), WAIT_MS, 'its end');
    t.match(await outcome(tiny.status(soon())), { phrase: 'NO SUCH INSTANCE' });
    t.equal(transient.isOffWhenGone, true, 'its end was seen');
  });

  await t.test('addresses, traffic, disks and facts of a Linux guest', async (t) => {
    const dom = await find('dom');
    t.match(await outcome(dom.rx!(soon())), { phrase: 'WRONG STATE' });
    t.same(await dom.disk!(soon()).then((disks) => disks.map(({ target, type, format, size }) => ({ target, type, format, size }))),
      [{ target: 'vda', type: 'file', format: 'qcow2', size: 64n * 1024n * 1024n }], 'of a guest that is off, too');
    await dom.start!(soon());
    let ips: readonly string[] = [];
    await until(async () => (ips = await dom.ip!(soon())).length > 0, WAIT_MS, 'a lease');
    t.match(ips, [/^\d+\.\d+\.\d+\.\d+$/]);
    t.match(await dom.mac!(soon()), [/^52:54:00(:[0-9a-f]{2}){3}$/]);
    const [rx, tx] = [await dom.rx!(soon()), await dom.tx!(soon())];
    t.ok(rx > 0n && tx > 0n);
    const script = `for i in $(seq ${DATAGRAMS}); do head -c ${DATAGRAM_BYTES} /dev/zero > /dev/udp/${ips[0]}/9; done`;
    t.equal((await peer.inside('bash', '-c', script)).code, 0);
    const sent = BigInt(DATAGRAMS * DATAGRAM_BYTES);
    await until(async () => await dom.rx!(soon()) - rx >= sent, WAIT_MS, 'the guest to have received what was sent to it');
    t.ok(await dom.tx!(soon()) - tx < sent, 'and not to have sent it');
    t.match(await dom.info!(soon()), { uuid: dom.id, cpus: 1, memory: 96n * 1024n * 1024n, ips, macs: await dom.mac!(soon()), host: /./, disks: [{ target: 'vda' }] });
    const load = await dom.load!(soon());
    t.ok('cpuPercent' in load && load.cpuPercent >= 0 && load.cpuPercent <= 100);
    await peer.guestReady('dom');
    await dom.shutdown!(soon());
    await becomes(dom, 'off');
    for (const read of [dom.ip!, dom.load!, dom.uptime!, dom.tx!]) t.match(await outcome(read(soon())), { phrase: 'WRONG STATE' });
  });
});
