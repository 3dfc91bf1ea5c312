import t from 'tap';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { startDaemon } from '../support/daemon.js';
import { ADMIN, logIn } from '../support/faults.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Figures, volumes and migration of real libvirtds by words of the line protocol. */

const WITHIN = 60_000;

await t.test('by words', { skip: lacksRoot(...LIBVIRT_PROGRAMS, 'vgs'), timeout: 170_000 }, async (t) => {
  const peers = await Promise.all([startLibvirt(), startLibvirt()]);
  t.teardown(() => Promise.all(peers.map((peer) => peer.stop())));
  const [here, there] = peers;
  const { there: address } = await here.cableTo(there);
  await here.defineChanged('web', (xml) => xml.replace(/<disk[^]*<\/disk>/, ''));
  await here.virsh('start', 'web');
  const daemon = await startDaemon({ config: `${ADMIN}
[providers.kvm1]
type = "libvirt"
uri = "qemu:///system?socket=${here.socket}"
[providers.kvm2]
type = "libvirt"
uri = "qemu:///system?socket=${there.socket}"
migrate-uri = "qemu+unix:///system?socket=${there.socket}"
migrate-data-uri = "tcp://${address}"
` });
  t.teardown(() => daemon.stop());
  const client = await logIn(daemon);
  t.teardown(() => client.destroy());
  const ask = (request: string): Promise<string> => client.answer(request, WITHIN);
  await until(async () => await ask('status kvm1/web') === 'on', WITHIN, 'it to be listed');

  t.match(await ask('stats kvm1 kernel uptime cpu'), /^kernel: /m);
  t.match(await ask('stats kvm1 guests'), /^web vcpus=1 /m);
  t.notMatch(await ask('volume list kvm1'), /^400/);
  t.match(await ask('migrate web kvm1'), /^400 /);
  t.notMatch(await ask('migrate web kvm2'), /400 /);
  await until(async () => await ask('status kvm2/web') === 'on', WITHIN, 'it to be listed where it is');
  t.equal((await there.virsh('domstate', 'web')).stdout.trim(), 'running', 'as virsh sees it');
  t.match(await ask('migrate web kvm1'), /NOT SUPPORTED: kvm1 is not set up for it/);
});
