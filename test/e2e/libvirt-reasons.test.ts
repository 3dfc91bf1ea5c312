import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { findMachine, outcome } from '../drivers/driving.js';
import { LIBVIRT_PROGRAMS, startLibvirt, type LibvirtPeer } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Guests that libvirt calls shut off, running or paused for a reason that changes everything. */

const WAIT_MS = 60_000;
const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 200_000 };
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

async function openPeer(t: Test) {
  const peer = await startLibvirt();
  const { driver, told } = openDriver(`qemu:///system?socket=${peer.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await peer.stop();
  });
  return { peer, driver, told, find: (name: string) => findMachine(driver, name, soon()) };
}

const reasonOf = async (peer: LibvirtPeer, name: string): Promise<string> => (await peer.virsh('domstate', name, '--reason')).stdout.trim();

await t.test('a guest that is migrated while it is told to stop', options, async (t) => {
  const { peer: here, find } = await openPeer(t);
  const { peer: there, driver: other } = await openPeer(t);
  for (const [name, ...more] of [['kept', '--persistent'], ['moved', '--persistent', '--undefinesource']] as const) {
    await here.defineDeaf(name);
    const guest = await find(name);
    await guest.start!(soon());
    await here.guestReady(name);
    const socket = there.file(`${name}.sock`);
    await here.virsh('migrate-setspeed', name, '1');
    // a hung destination keeps it in flight
    const migrating = here.virsh('migrate', '--live', '--unsafe', ...more, name, there.uri('qemu'), '--migrateuri', `unix://${socket}`);
    await until(async () => (await there.inside('sh', '-c', `kill -STOP "$(cat /run/libvirt/qemu/${name}.pid)"`)).code === 0, WAIT_MS, 'the destination');
    await until(async () => /Migration|Outgoing/i.test((await here.virsh('domjobinfo', name)).stdout), WAIT_MS, 'the migration');
    t.match(await outcome(guest.shutdown!(soon())), { phrase: 'BUSY', detail: /migrated to another host/ });
    await there.signalEmulator(name, 'CONT');
    const migrated = await migrating;
    t.equal(migrated.code, 0, migrated.stderr);
    t.equal(await reasonOf(there, name), 'running (migrated)');
    if (name === 'kept') {
      t.equal(await reasonOf(here, name), 'shut off (migrated)');
      t.equal(await guest.status(soon()), 'unknown');
      t.match(await guest.info!(soon()), { more: { reason: 'shut off (migrated)' } });
      for (const order of ['shutdown', 'powerOff', 'checkOrder'] as const) t.match(await outcome(guest[order]!(soon())), { phrase: 'WRONG STATE', detail: /another host/ });
    } else {
      for (const order of ['status', 'shutdown', 'powerOff'] as const) t.match(await outcome(guest[order]!(soon())), { phrase: 'UNREACHABLE', detail: /another host/ });
    }
    t.equal(await (await findMachine(other, name, soon())).status(soon()), 'on', 'it runs there');
  }
});

/** A way to a socket that can be cut, as a network is. */
async function openRelay(t: Test, socket: string, path: string) {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = createConnection(socket);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.on('error', () => other.destroy()).on('close', () => other.destroy()).pipe(other);
    }
  });
  const listen = (): Promise<void> => new Promise((resolve) => { server.listen(path, resolve); });
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => { server.close(resolve); });
    open.forEach((one) => one.destroy());
    await closed;
  };
  await listen();
  t.teardown(cut);
  return { cut, mend: listen };
}

await t.test('a guest without a description of its own that goes', options, async (t) => {
  const { peer: here } = await openPeer(t);
  const { peer: there } = await openPeer(t);
  const path = here.file('relay.sock');
  const relay = await openRelay(t, here.socket, path);
  const { driver } = openDriver(`qemu:///system?socket=${path}`);
  t.teardown(() => driver.close(soon()));
  const begin = async (name: string) => {
    await here.defineDeaf(name);
    await here.virsh('start', name);
    await here.virsh('undefine', name);
    return findMachine(driver, name, soon());
  };
  const ended = await begin('ended');
  await ended.powerOff!(soon());
  t.match(await outcome(ended.status(soon())), { phrase: 'NO SUCH INSTANCE' });
  t.equal(ended.isOffWhenGone, true, 'its end was seen');
  const left = await begin('left');
  await relay.cut();
  const migrated = await here.virsh('migrate', '--live', '--unsafe', 'left', there.uri('qemu'), '--migrateuri', `unix://${there.file('left.sock')}`);
  t.equal(migrated.code, 0, migrated.stderr);
  await relay.mend();
  await until(async () => (await outcome(left.status(soon()))).phrase === 'NO SUCH INSTANCE', WAIT_MS, 'the way to be back');
  t.equal(left.isOffWhenGone, false, 'nobody saw what became of it');
  t.equal(await reasonOf(there, 'left'), 'running (migrated)');
});

await t.test('saved images that are not whole, and such as were saved paused', options, async (t) => {
  const { peer, find } = await openPeer(t);
  await peer.defineTiny('tiny');
  const tiny = await find('tiny');
  const image = peer.file('lib/qemu/save/tiny.save');
  for (const step of ['resume', 'start'] as const) {
    await tiny.start!(soon());
    await tiny.suspend!(soon());
    // as libvirtd leaves an image when it is killed while it writes it
    const bytes = readFileSync(image);
    bytes.write('LibvirtQemudPart', 0, 'latin1');
    writeFileSync(image, bytes);
    truncateSync(image, Math.floor(bytes.length / 2));
    t.match(await outcome(tiny[step]!(soon())), { phrase: 'FAILED', detail: /booted, not restored/ });
    t.equal(await reasonOf(peer, 'tiny'), 'running (booted)');
    await tiny.powerOff!(soon());
  }
  await tiny.start!(soon());
  await peer.virsh('managedsave', 'tiny', '--paused');
  await tiny.resume!(soon());
  t.equal(await tiny.status(soon()), 'on');
});

await t.test('a guest that is being saved', options, async (t) => {
  const { peer, find } = await openPeer(t);
  await peer.defineTiny('tiny');
  const tiny = await find('tiny');
  await tiny.start!(soon());
  await peer.guestReady('tiny');
  // nobody reads what is saved, though it is open
  await peer.inside('mkfifo', '/run/image');
  const holding = peer.inside('sh', '-c', 'exec 3<>/run/image; while [ ! -e /run/ended ]; do sleep 0.1; done');
  const saving = peer.inside('virsh', '-q', '-c', 'qemu:///system', 'save', 'tiny', '/run/image');
  await until(async () => await tiny.status(soon()) === 'stopping', WAIT_MS, 'the save');
  t.match(await tiny.info!(soon()), { more: { reason: 'paused (saving)' } });
  for (const order of ['shutdown', 'pause', 'unpause', 'reboot', 'suspend'] as const) t.match(await outcome(tiny[order]!(soon())), { phrase: 'BUSY', detail: /saved/ });
  t.match(await outcome(tiny.checkOrder!(soon())), { phrase: 'BUSY', detail: /saved/ }, 'its `stopping` is no stop');
  await tiny.powerOff!(soon());
  t.equal(await tiny.status(soon()), 'off');
  await peer.inside('touch', '/run/ended');
  await Promise.all([saving, holding]);
});

await t.test('a guest that an I/O error has paused', options, async (t) => {
  const { peer, find } = await openPeer(t);
  const rules = peer.file('errors.conf');
  writeFileSync(rules, '[inject-error]\nevent = "read_aio"\nerrno = "5"\n');
  const commandline = (image: string): string => `<qemu:commandline>
    <qemu:arg value='-drive'/><qemu:arg value='if=none,id=bad,format=raw,file=blkdebug:${rules}:${image},rerror=stop'/>
    <qemu:arg value='-device'/><qemu:arg value='ide-hd,drive=bad,bus=ide.0,bootindex=1'/></qemu:commandline></domain>`;
  await peer.defineChanged('bad', (xml) => {
    const image = /source file='([^']+)'/.exec(xml)![1]!;
    return xml.replace('<domain type=\'qemu\'>', '<domain type=\'qemu\' xmlns:qemu=\'http://libvirt.org/schemas/domain/qemu/1.0\'>')
      .replace(/<disk [\s\S]*<\/disk>/, '').replace('<boot dev=\'hd\'/>', '').replace('</domain>', commandline(image));
  });
  const bad = await find('bad');
  await outcome(bad.start!(soon()));
  await until(async () => await reasonOf(peer, 'bad') === 'paused (I/O error)', WAIT_MS, 'the error');
  t.equal(await bad.status(soon()), 'paused');
  t.match(await bad.info!(soon()), { more: { reason: /^paused \(I\/O error\)/ } });
  t.match(await outcome(bad.unpause!(soon())), { phrase: 'FAILED', detail: /I\/O error/ });
});

await t.test('a guest that starts again when it is shut down', options, async (t) => {
  const { peer, find } = await openPeer(t);
  await peer.defineChanged('again', (xml) => xml.replace('<on_poweroff>destroy', '<on_poweroff>restart'));
  const again = await find('again');
  await again.start!(soon());
  await peer.guestReady('again');
  const before = await again.bootMark!(soon());
  await again.shutdown!(soon());
  await peer.guestReady('again', WAIT_MS, 2);
  t.equal(await again.status(soon()), 'on');
  t.not(await again.bootMark!(soon()), before, 'its boot shows');
});
