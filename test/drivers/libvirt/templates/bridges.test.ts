import t from 'tap';
import type { HostCommands } from '../../../../src/drivers/management/host-commands.js';
import { readAddressing } from '../../../../src/drivers/libvirt/management/templates/bridges.js';
import { HostFiles } from '../../../../src/drivers/libvirt/management/templates/host-files.js';
import { chooseNics } from '../../../../src/drivers/libvirt/management/templates/nics.js';
import { parseDescriptor } from '../../../../src/drivers/libvirt/management/templates/descriptor.js';
import { containerXml } from '../../../../src/drivers/libvirt/management/templates/container-xml.js';
import { outcome, soon } from '../../driving.js';
import { ovf } from './descriptors.js';

/** Networks of new machines, by what iproute2 6.1 prints. */

const ANSWERS: Readonly<Record<string, string>> = {
  'link show type bridge': '[{"ifindex":3,"ifname":"br0","flags":["BROADCAST","MULTICAST","UP"],"mtu":1500,"operstate":"UP","link_type":"ether"},{"ifindex":4,"ifname":"br1"}]',
  '-4 address show dev br0': '[{},{"ifindex":3,"ifname":"br0","addr_info":[{"family":"inet","local":"192.168.1.41","prefixlen":24,"scope":"global"},{"local":"10.0.0.1","prefixlen":30}]}]',
  '-4 address show dev br1': '[]',
  '-4 route show default dev br0': '[{"dst":"default","gateway":"192.168.1.1","flags":[]}]',
};

const host = (answers: Readonly<Record<string, string>> = ANSWERS): HostFiles => new HostFiles({
  run: (words) => Promise.resolve({ code: 0, signal: undefined, stderr: '', truncated: false, stdout: answers[words.slice(2).join(' ')] ?? '' }),
  runAnew: () => Promise.reject(new Error('not asked for')),
  way: () => Promise.resolve(undefined),
} satisfies HostCommands);

void t.test('bridges', async (t) => {
  const described = parseDescriptor(ovf({ bridge: 'br1' }));
  t.same(await chooseNics(host(), described, {}, soon()), { bridges: ['br1'], faults: {} });
  t.same(await chooseNics(host(), described, { bridge: 'br0' }, soon()), { bridges: ['br0'], faults: {} });
  t.same(await chooseNics(host(), parseDescriptor(ovf({ bridge: 'vmbr7' })), {}, soon()), { bridges: [undefined], faults: {} });
  t.same(await chooseNics(host(), parseDescriptor(ovf()), {}, soon()), { bridges: [], faults: {} });
  t.same(await chooseNics(host(), parseDescriptor(ovf()), { bridge: 'br0' }, soon()), { bridges: ['br0'], faults: {} });
  t.match((await chooseNics(host(), described, { bridge: 'br2' }, soon())).faults, { bridge: 'the host has no bridge br2; it has br0, br1' });
  t.match((await chooseNics(host({}), described, { bridge: 'br2' }, soon())).faults, { bridge: 'the host has no bridge br2' });
  t.match(await outcome(chooseNics(host({ 'link show type bridge': 'Object "link" is unknown' }), described, {}, soon())), { phrase: 'FAILED' });
});

void t.test('addresses of containers', async (t) => {
  t.same(await readAddressing(host(), 'br0', '192.168.1.7', soon()), { prefix: 24, gateway: '192.168.1.1' });
  t.same(await readAddressing(host(), 'br0', '10.0.0.2', soon()), { prefix: 30, gateway: undefined }, 'a gateway of another network is none');
  t.equal(await readAddressing(host(), 'br0', '10.0.0.9', soon()), undefined);
  t.equal(await readAddressing(host(), 'br1', '192.168.1.7', soon()), undefined);
  const xml = containerXml({
    name: 'a&b', uuid: '5ae1f143-01fb-42da-a8d3-0957c4ae16f2', arch: 'x86_64', vcpus: 2, memory: 1024n, root: '/srv/<x>',
    network: { bridge: 'br0', address: { address: '192.168.1.7', prefix: 24, gateway: '192.168.1.1' } },
  });
  t.match(xml, '<name>a&amp;b</name>');
  t.match(xml, '<source dir="/srv/&lt;x&gt;"/>');
  t.match(xml, '<ip family="ipv4" address="192.168.1.7" prefix="24"/><route family="ipv4" address="0.0.0.0" prefix="0" gateway="192.168.1.1"/>');
});
