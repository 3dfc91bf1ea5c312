import t from 'tap';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksZabbix } from '../peers/zabbix.js';
import { INTERFACE, ITEM, VALUE } from '../peers/zabbix/api.js';
import { LONG } from '../support/faults.js';
import { until } from '../support/until.js';
import { ACCOUNTS, active, firstValue, isSeen, startArgo, startWorld, valuesOf } from './support/zabbix.js';

await t.test('a script of Zabbix stops a real guest', { skip: lacksZabbix(...LIBVIRT_PROGRAMS, 'fping'), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.after(() => peer.stop());
  await peer.defineTiny('web7');
  await peer.virsh('start', 'web7');
  await peer.guestReady('web7');
  const world = await startWorld(t);
  const { zabbix: { api, port }, groupid } = world;
  const proxyid = await api.proxy({ name: 'argo' });
  const hostid = await api.host('web7', groupid, proxyid, { interfaces: [INTERFACE.agent] });
  const itemid = await api.item(hostid, { key: 'argo.status', valueType: VALUE.unsigned, type: ITEM.simple, delay: '1s', interfaceid: await api.interfaceOf(hostid, INTERFACE.agent) });
  await startArgo(t, { config: `${ACCOUNTS}[providers.kvm]\ntype = "libvirt"\nuri = "qemu:///system?socket=${peer.socket}"\n${active('argo', port)}` });
  await isSeen(world, proxyid);
  t.equal(await firstValue(world, itemid, VALUE.unsigned), '1');
  t.match(await api.execute(await api.script('stop', 'stop {HOST.HOST} --force --timeout=20'), hostid), /^web7: done, off \(was on\)/);
  t.equal((await peer.virsh('domstate', 'web7')).stdout.trim(), 'shut off');
  await until(async () => (await valuesOf(world, itemid, VALUE.unsigned)).at(-1) === '0', LONG, 'the state in the history');
  t.match(await api.execute(await api.script('start', 'start {HOST.HOST}'), hostid), /^web7: done, on \(was off\)/);
  t.equal((await peer.virsh('domstate', 'web7')).stdout.trim(), 'running');
});
