import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { HOST_NETWORK_PROGRAMS, HostNetworkPeer } from '../peers/host-network.js';
import { lacksRoot } from '../support/peers.js';

/** What is confirmed is kept by the host's own tools, which read what we write: the real netplan and ifupdown. */

const guard = { rollback: 60_000, force: false };
const LAB = { destination: '10.50.0.0', prefix: 16, gateway: '10.99.2.7', interface: 'eth1' };
const OTHER = { ...LAB, destination: '10.51.0.0', gateway: '10.99.2.8' };

await t.test('netplan', { skip: lacksRoot(...HOST_NETWORK_PROGRAMS, 'netplan'), timeout: 280_000 }, async (t) => {
  const peer = await HostNetworkPeer.start({
    'netplan/50-host.yaml': 'network:\n  version: 2\n  ethernets:\n    eth1:\n      addresses: [10.99.2.2/24]\n      routes: [{to: default, via: 10.99.2.1}]\n    eth2: {}\n',
  });
  t.teardown(() => peer.stop());
  const file = peer.inside('etc/netplan/90-argo.yaml');
  /** What networkd would read. */
  const generated = async (unit: string): Promise<string> => {
    const { code, stderr, stdout } = await peer.enclosure.run('sh', '-ec',
      'root=$(mktemp -d); mkdir -p "$root/etc"; cp -r /etc/netplan "$root/etc/"; netplan generate --root-dir "$root"; cat "$root/run/systemd/network/$1"', 'sh', unit);
    t.equal(code, 0, stderr);
    return stdout;
  };

  t.match(await peer.change({ method: 'addRoute', args: { ...LAB, ...guard } }), { value: { keptBy: 'netplan' } });
  t.match(await generated('10-netplan-eth1.network'), /\[Route\]\nDestination=10\.50\.0\.0\/16\nGateway=10\.99\.2\.7/);
  t.match(await generated('10-netplan-eth1.network'), /Gateway=10\.99\.2\.1/, 'beside what the host has');
  t.match(await peer.change({ method: 'replaceRoute', args: { old: LAB, new: OTHER, ...guard } }), { value: { keptBy: 'netplan' } });
  const replaced = await generated('10-netplan-eth1.network');
  t.match(replaced, /Destination=10\.51\.0\.0\/16\nGateway=10\.99\.2\.8/);
  t.notMatch(replaced, /10\.50\.0\.0/);

  t.match(await peer.change({ method: 'addBridge', args: { name: 'br7', address: '10.60.0.1', prefix: 24, ...guard } }), { value: { keptBy: 'netplan' } });
  t.match(await peer.change({ method: 'addMember', args: { bridge: 'br7', member: 'eth3', ...guard } }), { value: { keptBy: 'netplan' } });
  t.match(await generated('10-netplan-br7.network'), /Address=10\.60\.0\.1\/24/);
  t.match(await generated('10-netplan-br7.netdev'), /Kind=bridge/);
  t.match(await generated('10-netplan-eth3.network'), /Bridge=br7/);
  t.match(await peer.change({ method: 'deleteMember', args: { bridge: 'br7', member: 'eth3', ...guard } }), { value: { keptBy: 'netplan' } });
  t.match(await peer.change({ method: 'deleteBridge', args: { name: 'br7', ...guard } }), { value: { keptBy: 'netplan' } });
  t.notMatch(readFileSync(file, 'utf8'), /br7/);

  const before = readFileSync(file, 'utf8');
  const gateway = await peer.change({ method: 'setGateway', args: { gateway: '10.99.2.9', interface: 'eth1', rollback: 60_000, force: true } });
  t.strictSame(gateway, { value: {}, logged: [] }, 'what the host\'s own file says is left alone');
  t.equal(readFileSync(file, 'utf8'), before);
  t.match(await peer.routes(), ['10.51.0.0/16 via 10.99.2.8 dev eth1']);
  t.match(await peer.change({ method: 'addRoute', args: { destination: '10.52.0.0', prefix: 16, gateway: '10.99.1.9', interface: 'eth0', ...guard } }), { value: {} });
  t.equal(readFileSync(file, 'utf8'), before, 'nobody has eth0');

  await t.test('a file that was not written by us', async (t) => {
    const theirs = 'network:\n  version: 2\n';
    writeFileSync(file, theirs);
    const outcome = await peer.change({ method: 'addRoute', args: { ...LAB, ...guard } });
    t.match(outcome, { value: {}, logged: [/in force, but is not kept.*was not written by argo-server/] });
    t.equal(readFileSync(file, 'utf8'), theirs);
  });

  await t.test('a file that netplan does not take, or that could not be written', async (t) => {
    writeFileSync(file, before);
    writeFileSync(peer.inside('etc/netplan/60-broken.yaml'), 'network:\n  version: 2\n  ethernets:\n    eth2:\n      addresses: [1]\n');
    const outcome = await peer.change({ method: 'deleteRoute', args: { ...OTHER, ...guard } });
    t.match(outcome, { value: {} });
    t.equal(readFileSync(file, 'utf8'), before);
  });
});

await t.test('ifupdown', { skip: lacksRoot(...HOST_NETWORK_PROGRAMS, 'ifquery'), timeout: 280_000 }, async (t) => {
  const main = 'auto lo\niface lo inet loopback\n\nauto eth1\niface eth1 inet static\n    address 10.99.2.2/24\n    gateway 10.99.2.1\n';
  const folders = ['if-pre-up.d', 'if-up.d', 'if-down.d', 'if-post-down.d'];
  const peer = await HostNetworkPeer.start({
    ...Object.fromEntries(folders.map((folder) => [`network/${folder}/none.txt`, ''])),
    'network/interfaces': `source /etc/network/interfaces.d/*\n\n${main}`,
    'network/interfaces.d/other': '# nothing\n',
  });
  t.teardown(() => peer.stop());
  const file = peer.inside('etc/network/interfaces.d/argo');
  const query = async (device: string): Promise<string> => (await peer.enclosure.run('ifquery', device)).stdout;

  t.match(await peer.change({ method: 'addRoute', args: { ...LAB, ...guard } }), { value: { keptBy: 'ifupdown' } });
  t.match(await query('eth1'), /up: ip route replace 10\.50\.0\.0\/16 via 10\.99\.2\.7 dev eth1/);
  t.match(await query('eth1'), /address: 10\.99\.2\.2/, 'beside what the host has');
  t.match(await peer.change({ method: 'addBridge', args: { name: 'br7', address: '10.60.0.1', prefix: 24, ...guard } }), { value: { keptBy: 'ifupdown' } });
  t.match(await peer.change({ method: 'addMember', args: { bridge: 'br7', member: 'eth3', ...guard } }), { value: { keptBy: 'ifupdown' } });
  t.match(await query('br7'), /address: 10\.60\.0\.1[\s\S]*master br7/);

  await t.test('brings it up as it was', async (t) => {
    await peer.ip('link', 'del', 'br7');
    await peer.ip('link', 'set', 'eth3', 'down');
    await peer.ip('route', 'del', '10.50.0.0/16');
    const up = await peer.onHost('ifup', '--force', '--state-dir=/run/peer', 'br7');
    t.equal(up.code, 0, up.stderr);
    t.match((await peer.change({ method: 'bridges', args: {} })).value, [{ name: 'br7', members: ['eth3'], addresses: ['10.60.0.1/24'], isUp: true }]);
  });

  t.match(await peer.change({ method: 'deleteMember', args: { bridge: 'br7', member: 'eth3', ...guard } }), { value: { keptBy: 'ifupdown' } });
  t.match(await peer.change({ method: 'deleteBridge', args: { name: 'br7', ...guard } }), { value: { keptBy: 'ifupdown' } });
  t.notMatch(readFileSync(file, 'utf8'), /br7/);

  await t.test('a file that nobody reads', async (t) => {
    const before = readFileSync(file, 'utf8');
    writeFileSync(peer.inside('etc/network/interfaces'), main);
    const outcome = await peer.change({ method: 'addRoute', args: { ...OTHER, ...guard } });
    t.match(outcome, { value: {}, logged: [/does not have \/etc\/network\/interfaces\.d\/argo read/] });
    t.equal(readFileSync(file, 'utf8'), before);
  });
});

/** nmcli of a host whose NetworkManager has one connection up: its profile is changed by the real nmcli, which does that without a daemon. */
const NMCLI = String.raw`#!/bin/sh
profile=/run/peer/profile uuid=11111111-2222-3333-4444-555555555555
case "$*" in
  "-t -f UUID,DEVICE connection show --active") printf '%s:eth1\n' "$uuid" ;;
  "-g ipv4.method,ipv4.gateway,ipv4.routes connection show uuid $uuid")
    sed -n 's/^method=\(manual\)$/\1/p' "$profile"
    sed -n 's/^address1=[^,]*,\(.*\)$/\1/p' "$profile"
    sed -n 's/^route[0-9]*=\([^,]*\),\(.*\)$/{ ip = \1, nh = \2 }/p' "$profile" ;;
  "connection modify uuid $uuid "*)
    shift 4
    /usr/bin/nmcli --offline connection modify "$@" <"$profile" >"$profile.new" && mv "$profile.new" "$profile" ;;
  *) echo "not known here: $*" >&2; exit 2 ;;
esac
`;
const PROFILE = `[connection]
id=lab
uuid=11111111-2222-3333-4444-555555555555
type=ethernet
interface-name=eth1

[ipv4]
method=manual
address1=10.99.2.2/24,10.99.2.1
`;

await t.test('NetworkManager', { skip: lacksRoot(...HOST_NETWORK_PROGRAMS, 'nmcli'), timeout: 280_000 }, async (t) => {
  const peer = await HostNetworkPeer.start();
  t.teardown(() => peer.stop());
  peer.double('nmcli', NMCLI);
  const file = peer.inside('run/peer/profile');
  writeFileSync(file, PROFILE);
  const profile = (): string => readFileSync(file, 'utf8');
  const kept = { value: { keptBy: 'NetworkManager' } };

  t.match(await peer.change({ method: 'addRoute', args: { ...LAB, ...guard } }), kept);
  t.match(profile(), /^route1=10\.50\.0\.0\/16,10\.99\.2\.7$/m);
  t.match(await peer.change({ method: 'replaceRoute', args: { old: LAB, new: OTHER, ...guard } }), kept);
  t.match(profile(), /^route1=10\.51\.0\.0\/16,10\.99\.2\.8$/m);
  t.notMatch(profile(), /10\.50\.0\.0/);
  t.match(await peer.change({ method: 'deleteRoute', args: { ...OTHER, ...guard } }), kept);
  t.notMatch(profile(), /^route/m);
  const force = { rollback: 60_000, force: true };
  t.match(await peer.change({ method: 'setGateway', args: { gateway: '10.99.2.9', interface: 'eth1', ...force } }), kept);
  t.match(profile(), /^address1=10\.99\.2\.2\/24,10\.99\.2\.9$/m);
  await peer.ip('route', 'add', '10.53.0.0/16', 'via', '10.99.2.7');
  const before = profile();
  t.strictSame(await peer.changes([
    { method: 'deleteRoute', args: { ...LAB, destination: '10.53.0.0', ...guard } },
    { method: 'addBridge', args: { name: 'br7', ...guard } },
  ]), [{ value: {}, logged: [] }, { value: {}, logged: [] }], 'what it does not have it does not keep');
  t.equal(profile(), before);
});
