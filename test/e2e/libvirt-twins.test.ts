import { randomUUID } from 'node:crypto';
import t from 'tap';
import { LIBVIRT_PROGRAMS, startLibvirt, type LibvirtPeer } from '../peers/libvirt.js';
import { startDaemon } from '../support/daemon.js';
import { ADMIN, logIn, PASSWORD } from '../support/faults.js';
import { connect } from '../support/line-client.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** One machine that two libvirtds know, as after a migration that left its description behind. */

const WITHIN = 60_000;

const seenBy = async (peer: LibvirtPeer, name: string): Promise<string> => (await peer.virsh('domstate', name)).stdout.trim();

void t.test('a machine that is on elsewhere is not started a second time', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peers = await Promise.all([startLibvirt(), startLibvirt()]);
  t.teardown(() => Promise.all(peers.map((peer) => peer.stop())));
  const [here, there] = peers;
  const uuid = randomUUID();
  for (const peer of peers) await peer.defineChanged('web', (xml) => xml.replace('</name>', `</name><uuid>${uuid}</uuid>`));
  await there.defineTiny('other');
  const password = /^password = .*$/m.exec(ADMIN)![0];
  const daemon = await startDaemon({ config: `${ADMIN}
[accounts.guest]
${password}
grants = [{ instances = ["kvm2/*"], commands = ["*"] }]
[providers.kvm1]
type = "libvirt"
uri = "qemu:///system?socket=${here.socket}"
[providers.kvm2]
type = "libvirt"
uri = "qemu:///system?socket=${there.socket}"
` });
  t.teardown(() => daemon.stop());
  const client = await logIn(daemon);
  t.teardown(() => client.destroy());
  const ask = (request: string): Promise<string> => client.answer(request, WITHIN);
  await until(async () => (await ask('list stopped')).split('\n').length === 3, WITHIN, 'both to be listed');

  t.equal(await ask('start kvm1/web --wait'), '');
  const refusal = '400 WRONG STATE: web is on as kvm1/web; --force starts it here all the same';
  t.equal(await ask('start kvm2/web'), refusal);
  t.equal(await ask('pause kvm1/web --wait'), '');
  t.equal(await ask('start kvm2/web'), refusal.replace('is on', 'is paused'));
  t.equal(await seenBy(there, 'web'), 'shut off', 'as virsh sees it');
  t.equal(await ask('start other --wait'), '', 'other machines are not concerned');

  await t.test('who may not see the other is not told its name', async (t) => {
    const guest = await connect(daemon.port);
    t.teardown(() => guest.destroy());
    t.equal((await guest.ask(`auth guest ${PASSWORD}`)).code, 300);
    t.equal(await guest.answer('start web', WITHIN), '400 WRONG STATE: web is paused elsewhere; --force starts it here all the same');
  });

  t.equal(await ask('start kvm2/web --force --wait'), '');
  t.same([await seenBy(here, 'web'), await seenBy(there, 'web')], ['paused', 'running']);
  t.equal(await ask('stop kvm1/web --force --wait'), '', 'each is stopped by itself');
  t.same([await seenBy(here, 'web'), await seenBy(there, 'web')], ['shut off', 'running']);

  t.equal(await ask('suspend kvm2/web --wait'), '');
  await here.virsh('start', 'web');
  await until(async () => await ask('status kvm1/web') === 'on', WITHIN, 'what virsh did behind our back');
  t.match(await ask('resume kvm2/web'), /^400 WRONG STATE: web is on as kvm1\/web; --force /);
  t.equal(await seenBy(there, 'web'), 'shut off', 'its image is still there');
  await here.virsh('destroy', 'web');
  await until(async () => await ask('status kvm1/web') === 'off', WITHIN, 'its end');
  t.equal(await ask('resume kvm2/web --wait'), '', 'nobody else has it on');
});
