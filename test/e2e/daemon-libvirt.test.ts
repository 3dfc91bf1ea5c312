import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Real guests and containers through the daemon, as a person at a socket sees them. */

const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 };
/** For one action on an emulated guest, ms. */
const WITHIN = 90_000;

const hash = await hashPassword('secret');

async function setUp(t: Test) {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await peer.defineTiny('tiny');
  await peer.defineDeaf('deaf');
  await peer.defineContainer('box');
  const daemon = await startDaemon({
    config: `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.owner]
password = "${hash}"
grants = [{ instances = ["tiny"], commands = ["*"] }]
[providers.kvm]
type = "libvirt"
uri = "qemu:///system?socket=${peer.socket}"
[providers.lxc]
type = "libvirt"
uri = "lxc:///system?socket=${peer.socket}"
`,
  });
  t.teardown(() => daemon.stop());
  const login = async (account: string) => {
    const client = await connect(daemon.port);
    t.teardown(() => client.socket.destroy());
    t.equal((await client.ask(`auth ${account} secret`)).code, 300);
    return (request: string): Promise<string> => client.answer(request, WITHIN);
  };
  return { peer, daemon, login };
}

void t.test('a guest\'s life', options, async (t) => {
  const { peer, login } = await setUp(t);
  const admin = await login('admin');
  t.equal(await admin('list'), 'deaf\ntiny\nbox');
  t.equal(await admin('status tiny'), 'off');
  t.equal(await admin('stop tiny --dry-run'), 'tiny: nothing, it is off already');
  t.equal(await admin('start tiny --wait'), '');
  await peer.guestReady('tiny');
  t.equal(await admin('list running'), 'tiny');
  t.match((await peer.virsh('domstate', 'tiny')).stdout, /running/);
  t.equal(await admin('start tiny'), '', 'on already');
  t.equal(await admin('pause tiny --wait'), '');
  t.match((await peer.virsh('domstate', 'tiny')).stdout, /paused/);
  t.match(await admin('stop tiny'), /^400 WRONG STATE: tiny is paused/);
  t.equal(await admin('start tiny'), '', 'start unpauses');
  t.equal(await admin('status tiny'), 'on');
  t.equal(await admin('reboot tiny --force --wait'), '');
  t.equal(await admin('suspend tiny --wait'), '');
  t.equal(await admin('status kvm/tiny'), 'suspended');
  t.match((await peer.virsh('domstate', 'tiny')).stdout, /shut off/);
  t.equal(await admin('start tiny --wait'), '', 'start resumes');
  t.match(await admin('uptime tiny'), /^\d+ 0:0\d:\d\d$/);
  t.match(await admin('disk tiny'), /^hda file raw \d+ /);
  t.equal(await admin('stop tiny --wait'), '');
  t.match((await peer.virsh('domstate', 'tiny')).stdout, /shut off/);

  const owner = await login('owner');
  t.equal(await owner('list'), 'tiny');
  t.equal(await owner('start deaf'), '400 NOT ALLOWED');
  t.equal(await owner('start nosuch'), '400 NOT ALLOWED');
  t.equal(await owner('start *'), 'tiny: done');
  t.match((await peer.virsh('domstate', 'deaf')).stdout, /shut off/);
});

void t.test('a guest that ignores the power button, and a container', options, async (t) => {
  const { peer, login } = await setUp(t);
  const admin = await login('admin');
  t.same((await admin('start deaf box --wait')).split('\n').sort(), ['box: done', 'deaf: done']);
  await peer.guestReady('deaf');
  t.match(await admin('stop deaf --wait=2'), /^400 TIMEOUT: accepted, but deaf is still on after/);
  t.equal(await admin('status deaf'), 'on');
  t.equal(await admin('stop deaf --timeout=2 --force'), '', 'clean first, then the plug');
  t.equal(await admin('status deaf'), 'off');
  let stopped = await admin('stop box --wait');
  // libvirt-lxc 9.0 may miss for good that a container's init has begun: until it is started again no clean stop reaches it
  for (let tries = 0; tries < 3 && /Init process ID is not yet known/.test(stopped); tries += 1) {
    t.equal(await admin('stop box --force --wait'), '');
    t.equal(await admin('start box --wait'), '');
    stopped = await admin('stop box --wait');
  }
  t.equal(stopped, '');
  t.match(await admin('suspend box'), /^400 NOT SUPPORTED/);
  t.match((await peer.virsh('-c', peer.uri('lxc'), 'domstate', 'box')).stdout, /shut off/);
});

void t.test('what others do shows, and a libvirtd that dies is never taken for machines that are off', options, async (t) => {
  const { peer, daemon, login } = await setUp(t);
  const admin = await login('admin');
  await peer.virsh('start', 'tiny');
  await until(async () => (await admin('list running')) === 'tiny', WITHIN, 'the start by virsh to show');
  await peer.defineTiny('newcomer');
  await until(async () => (await admin('list')).includes('newcomer'), WITHIN, 'the newcomer to show');
  await peer.guestReady('tiny');

  await peer.kill();
  t.equal(await admin('status tiny'), 'unknown');
  t.match(await admin('stop tiny'), /^400 UNREACHABLE/);
  t.match(await admin('list running'), /tiny/, 'the last that was known');
  const stale = await connect(daemon.port);
  t.teardown(() => stale.socket.destroy());
  t.equal((await stale.ask('list')).comment, 'DONE: stale: some names', 'a stranger is not told which');
  await stale.ask('auth admin secret');
  t.match((await stale.ask('list')).comment, /^DONE: stale: .*kvm/);

  await peer.restart();
  await until(async () => (await admin('status tiny')) === 'on', WITHIN, 'the daemon to be back');
  t.equal(await admin('stop tiny --wait'), '');
  await until(async () => (await stale.ask('list')).comment === 'DONE', WITHIN, 'nothing to be stale');
});
