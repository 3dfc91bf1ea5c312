import t from 'tap';
import * as v from 'valibot';
import { ArgoError } from '../../../src/kit/errors.js';
import { parseDomainXml } from '../../../src/drivers/libvirt/domain-xml.js';
import { explain } from '../../../src/drivers/libvirt/errors.js';
import libvirt from '../../../src/drivers/libvirt/index.js';
import { RunLog } from '../../../src/drivers/libvirt/run-log.js';
import { stateInWords, toPowerState } from '../../../src/drivers/libvirt/states.js';
import { AuthenticationError, ConnectionLostError, LibvirtError, NoWayError, ProtocolError, QueueFullError } from '../../../src/protocols/libvirt/errors.js';
import { HostKeyError, SshAuthenticationError, SshConnectionError } from '../../../src/protocols/ssh/errors.js';

await t.test('the description of a domain', async (t) => {
  const description = parseDomainXml(`<domain type='kvm' id='3'><name>a &amp; b</name><title>The &lt;web&gt; server</title>
    <devices>
      <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/srv/a &amp; b.qcow2' index='1'/><target dev='vda' bus='virtio'/></disk>
      <disk type='block' device='lun'><driver type='raw'/><source dev='/dev/vg/lv'/><target dev='sda'/></disk>
      <disk type='network' device='disk'><source protocol='rbd' name='pool/image'><host name='ceph'/></source><target dev='vdb'/></disk>
      <disk type='file' device='cdrom'><target dev='sdb'/><readonly/></disk>
      <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><target dev='vnet0'/></interface>
      <interface type='bridge'><mac address='52:54:00:00:00:02'/></interface>
      <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>
      <filesystem type='mount'><source dir='/srv/root'/><target dir='/'/></filesystem>
    </devices></domain>`);
  t.same(description, {
    title: 'The <web> server',
    nics: [{ mac: '52:54:00:00:00:01', device: 'vnet0' }, { mac: '52:54:00:00:00:02' }],
    hasAgent: true,
    disks: [
      { target: 'vda', type: 'file', format: 'qcow2', source: '/srv/a & b.qcow2' },
      { target: 'sda', type: 'block', format: 'raw', source: '/dev/vg/lv' },
      { target: 'vdb', type: 'network', source: 'pool/image' },
      { target: '/', type: 'mount', source: '/srv/root' },
    ],
  });
});

await t.test('a description with one of each, with none, and no description', async (t) => {
  t.same(parseDomainXml('<domain><devices><disk type="file"><target dev="vda"/></disk></devices></domain>').disks, [{ target: 'vda', type: 'file' }]);
  t.same(parseDomainXml('<domain><devices/></domain>'), { nics: [], hasAgent: false, disks: [] });
  t.same(parseDomainXml('<domain/>'), { nics: [], hasAgent: false, disks: [] });
  t.same(parseDomainXml(''), { nics: [], hasAgent: false, disks: [] });
});

await t.test('states', async (t) => {
  const state = (number: number, reason = 0, saved = false): string => toPowerState({ state: number, reason }, saved);
  t.same([0, 1, 2, 3, 4, 5, 6, 7, 8].map((number) => state(number)), ['unknown', 'on', 'on', 'paused', 'stopping', 'off', 'crashed', 'suspended', 'unknown']);
  t.equal(state(5, 5, true), 'suspended');
  t.same([state(5, 4), state(5, 4, true)], ['unknown', 'unknown'], 'migrated is not off');
  t.same([3, 2, 12].map((reason) => state(3, reason)), ['stopping', 'unknown', 'unknown'], 'saved, and between two hosts');
  t.equal(state(1, 0, true), 'on');
  t.same([8, 10, 11, 5].map((reason) => state(3, reason)), ['stopping', 'crashed', 'starting', 'paused']);
});

await t.test('states in libvirt\'s words', (t) => {
  const words = (state: number, reason: number): string => stateInWords({ state, reason });
  t.same([words(3, 5), words(5, 4), words(1, 3), words(5, 0), words(99, 1)],
    ['paused (I/O error)', 'shut off (migrated)', 'running (restored)', 'shut off', 'no state']);
  t.end();
});

await t.test('every error has its phrase', async (t) => {
  const errno = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code, address: '/run/x', syscall: 'connect' });
  const table: [unknown, string, string?][] = [
    [new LibvirtError(55, 10, 'domain is not running'), 'WRONG STATE'],
    [new LibvirtError(42, 10, 'Domain not found'), 'NO SUCH INSTANCE'],
    [new LibvirtError(68, 10, 'Timed out during operation: cannot acquire state change lock (held by x)'), 'BUSY'],
    [new LibvirtError(68, 10, 'Timed out during operation: else'), 'FAILED'],
    [new LibvirtError(3, 10, 'not supported'), 'NOT SUPPORTED'],
    [new LibvirtError(88, 10, 'access denied'), 'ACCESS DENIED'],
    [new LibvirtError(86, 10, 'Guest agent is\nnot responding'), 'FAILED'],
    [new ConnectionLostError(true, 'cut'), 'UNREACHABLE', 'UNCERTAIN'],
    [new ConnectionLostError(false, 'cut'), 'UNREACHABLE'],
    [new ProtocolError('rubbish'), 'UNREACHABLE'],
    [new QueueFullError('full'), 'BUSY'],
    [new NoWayError('nothing there'), 'UNREACHABLE'],
    [new AuthenticationError('polkit refuses'), 'ACCESS DENIED'],
    [new SshAuthenticationError('refused'), 'ACCESS DENIED'],
    [new HostKeyError('changed', 'SHA256:x', 'another'), 'HOST KEY CHANGED'],
    [new SshConnectionError('no route'), 'UNREACHABLE'],
    [errno('ENOENT'), 'UNREACHABLE'],
    [errno('ECONNREFUSED'), 'UNREACHABLE'],
    [errno('EACCES'), 'ACCESS DENIED'],
    [errno('ENOTSOCK'), 'UNREACHABLE'],
  ];
  for (const [error, reading, acting = reading] of table) {
    t.match(explain(error, 'reads'), { phrase: reading, detail: /^[^\n]*$/ }, `${String(error)}, reading`);
    t.match(explain(error, 'acts'), { phrase: acting }, `${String(error)}, acting`);
  }
  const stranger = new TypeError('a fault');
  t.equal(explain(stranger, 'acts'), stranger);
  const ours = new ArgoError('BUSY');
  t.equal(explain(ours, 'acts'), ours);
});

await t.test('runs', async (t) => {
  const runs = new RunLog();
  t.equal(runs.uptime('a', 1), undefined);
  runs.started('a', 1);
  t.equal(runs.reboots('a', 1), 0);
  runs.rebooted('a', 1);
  runs.rebooted('a', 1);
  t.equal(runs.reboots('a', 1), 2);
  t.equal(runs.uptime('a', 2), undefined, 'of another run');
  runs.started('a', 2);
  t.equal(runs.reboots('a', 2), 0);
  runs.keepOnly(new Map(), 0);
  t.not(runs.uptime('a', 2), undefined, 'what started during the listing stays');
  runs.keepOnly(new Map(), Infinity);
  t.equal(runs.uptime('a', 2), undefined);
});

await t.test('options', async (t) => {
  const schema = v.strictObject(libvirt.options);
  t.match(v.parse(schema, {}), { uri: 'qemu:///system' });
  t.throws(() => v.parse(schema, { uri: 'qemu://host/system' }), /tls is not supported/);
  t.throws(() => v.parse(schema, { 'host-key': 'abc' }), /fingerprint/);
  t.throws(() => v.parse(schema, { url: 'x' }));
});
