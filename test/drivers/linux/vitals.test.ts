import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import t from 'tap';
import { DISKS_COMMAND, parseDisks, parseLoad, parseUptime, parseVitals, vitalsCommand } from '../../../src/drivers/linux/vitals.js';

const HOST = `Last login: yesterday
argo-section uptime
273129.32 512345.10
argo-section load
0.10 0.05 0.01 1/234 4711
argo-section route
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0100000A\t0003\t0\t0\t600\t00000000\t0\t0\t0
eno1\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eno1\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
argo-section route6
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eno1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
argo-section traffic
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eno1: 18446744073709551615 5 0 0 0 0 0 0 7654321 9 0 0 0 0 0 0
 wlan0:1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0
argo-section macs
/sys/class/net/eno1/address:52:54:00:aa:00:11
/sys/class/net/lo/address:00:00:00:00:00:00
argo-section ips
2: eno1    inet 10.0.0.11/24 brd 10.0.0.255 scope global dynamic eno1\\       valid_lft 3600sec preferred_lft 3600sec
2: eno1    inet6 2001:db8::11/64 scope global \\       valid_lft forever preferred_lft forever
3: wlan0    inet 192.168.1.7/24 brd 192.168.1.255 scope global wlan0\\       valid_lft forever preferred_lft forever
argo-section connection
10.0.0.1 51000 10.0.0.11 22
argo-section hostname
web1
argo-section kernel
6.1.0-18-amd64
argo-section system
NAME="Debian GNU/Linux"
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
argo-section cpus
8
argo-section memory
MemTotal:       16384256 kB
argo-section uuid
4C4C4544-0042-3510-8054-B4C04F4E3532
`;

await t.test('what a host tells', async (t) => {
  t.same(parseVitals(HOST), {
    uptime: '273129.32 512345.10\n'.trimEnd(),
    load: '0.10 0.05 0.01 1/234 4711',
    interface: { name: 'eno1', mac: '52:54:00:aa:00:11', ips: ['10.0.0.11', '2001:db8::11'], rx: 18446744073709551615n, tx: 7654321n },
    hostname: 'web1', kernel: '6.1.0-18-amd64', system: 'Debian GNU/Linux 12 (bookworm)', cpus: 8, memory: 16384256n * 1024n,
    uuid: '4c4c4544-0042-3510-8054-b4c04f4e3532',
  });
});

/** What a host tells, with another content of one section. */
const having = (name: string, content: string, told = HOST): string =>
  told.replace(new RegExp(`(?<=^argo-section ${name}\n)[^]*?(?=^argo-section |$(?![^]))`, 'm'), content);

await t.test('which interface counts', async (t) => {
  const noRoute = having('route', 'Iface\tDestination\n');
  t.equal(parseVitals(noRoute).interface?.name, 'eno1', 'without a default route: the one by which we came');
  const route6 = '00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003    wlan0\n';
  t.equal(parseVitals(noRoute.replace('argo-section route6\n', `argo-section route6\n${route6}`)).interface?.name, 'wlan0', 'IPv6 only');
  const moved = noRoute.replace('10.0.0.1 51000 10.0.0.11 22', '');
  t.equal(parseVitals(moved).interface, undefined);
});

await t.test('what is missing is left out, what is essential is not made up', async (t) => {
  const absent = ['hostname', 'kernel', 'system', 'cpus', 'memory', 'uuid', 'macs', 'ips'];
  const bare = parseVitals(absent.reduce((told, name) => having(name, '', told), HOST));
  t.match(bare, { hostname: undefined, kernel: undefined, system: undefined, cpus: undefined, memory: undefined, uuid: undefined });
  t.same(bare.interface?.ips, []);
  for (const nonsense of ['', 'command not found']) t.throws(() => parseVitals(nonsense), { message: /^FAILED/ });
  t.match(parseVitals(having('traffic', '')), { interface: undefined, uptime: /^2731/ }, 'the rest is told all the same');
});

await t.test('load', async (t) => {
  t.same(parseLoad('0.10 0.05 0.01 1/234 4711'), { averages: [0.1, 0.05, 0.01] });
  t.same(parseLoad('{ 0.35 0.41 0.50 }\n'), { averages: [0.35, 0.41, 0.5] }, 'BSD and macOS');
  for (const nonsense of ['', 'none', '{ }']) t.throws(() => parseLoad(nonsense), { message: /^FAILED/ }, nonsense);
});

await t.test('uptime', async (t) => {
  t.equal(parseUptime('273129.32 512345.10\n'), 273129.32);
  t.equal(parseUptime(' 17\n'), 17);
  for (const nonsense of ['', 'up 3 days', '12h', '-5']) t.throws(() => parseUptime(nonsense), { message: /^FAILED/ }, nonsense);
});

await t.test('this machine', { skip: !existsSync('/proc/net/route') && 'no Linux' }, async (t) => {
  const output = execFileSync('sh', ['-c', vitalsCommand('cat /proc/uptime')], { encoding: 'utf8', env: { ...process.env, SSH_CONNECTION: '127.0.0.1 1 127.0.0.1 22' } });
  t.ok(parseUptime(output.slice(output.indexOf('\n') + 1)) > 0);
  t.match(output, /^argo-section uptime\n[\d.]+ [\d.]+\nargo-section load\n/);
});

await t.test('disks', async (t) => {
  t.match(DISKS_COMMAND, /lsblk/);
  t.same(parseDisks([
    'NAME="loop0" TYPE="loop" FSTYPE="squashfs" SIZE="1024"',
    'NAME="sda" TYPE="disk" FSTYPE="" SIZE="480103981056"',
    'NAME="sda1" TYPE="part" FSTYPE="ext4" SIZE="1073741824"',
    'NAME="vg-root" TYPE="lvm" FSTYPE="xfs" SIZE="10737418240"',
    'NAME="sdb" TYPE="disk" FSTYPE="LVM2_member" SIZE="1"',
    'NAME="vg-root" TYPE="lvm" FSTYPE="xfs" SIZE="10737418240"',
    'NAME="odd\\x20name" TYPE="part" FSTYPE="" SIZE=""',
    'NAME="sr0" TYPE="rom" FSTYPE="" SIZE="1073741312"',
    'nonsense', '',
  ].join('\n')), [
    { target: 'sda', type: 'block', size: 480103981056n, source: '/dev/sda' },
    { target: 'sda1', type: 'part', format: 'ext4', size: 1073741824n, source: '/dev/sda1' },
    { target: 'vg-root', type: 'lvm', format: 'xfs', size: 10737418240n, source: '/dev/mapper/vg-root' },
    { target: 'sdb', type: 'block', format: 'LVM2_member', size: 1n, source: '/dev/sdb' },
    { target: 'odd name', type: 'part', source: '/dev/odd name' },
  ]);
});
