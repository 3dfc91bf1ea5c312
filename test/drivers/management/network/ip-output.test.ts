import t from 'tap';
import type { CommandResult } from '../../../../src/protocols/ssh/command.js';
import { readDeviceTo, readLinks, readNetwork, readRoutes, type Run } from '../../../../src/drivers/management/network/ip-output.js';
import { defaultOf, membersOf } from '../../../../src/drivers/management/network/state.js';
import { linesBack } from '../../../../src/drivers/management/network/plan.js';

/** What `ip -j` prints, of iproute2 6.1. */

const signal = AbortSignal.timeout(60_000);
const answer = (stdout: string, more: Partial<CommandResult> = {}): Run =>
  () => Promise.resolve({ code: 0, signal: undefined, stdout, stderr: '', truncated: false, ...more });

const ROUTES = JSON.stringify([
  { dst: 'default', gateway: '10.9.0.9', dev: 'v1', protocol: 'dhcp', prefsrc: '10.9.0.1', metric: 100, flags: [] },
  { dst: '10.5.0.0/16', flags: [], nexthops: [{ gateway: '10.9.0.2', dev: 'v1', weight: 1, flags: [] }, { gateway: '10.9.1.2', dev: 'br0', weight: 1, flags: ['dead', 'linkdown'] }] },
  { type: 'blackhole', dst: '10.6.0.0/16', flags: [] },
  { dst: '10.7.0.0/16', gateway: '1.2.3.4', dev: 'v1', flags: ['onlink'], metrics: [{ mtu: 1400 }] },
  { dst: '10.8.0.5', dev: 'v1', scope: 'link', flags: [] },
  { dst: '10.9.0.0/24', dev: 'v1', protocol: 'kernel', scope: 'link', prefsrc: '10.9.0.1', flags: ['linkdown'] },
  { dst: '10.10.0.0/24', via: { family: 'inet6', host: 'fe80::1' }, dev: 'v1', flags: [] },
]);

await t.test('routes', async (t) => {
  const routes = await readRoutes(answer(ROUTES), signal);
  t.match(routes, [
    { destination: 'default', prefix: 0, hops: [{ device: 'v1', gateway: '10.9.0.9' }], metric: 100, type: 'unicast', protocol: 'dhcp' },
    { destination: '10.5.0.0', prefix: 16, hops: [{ device: 'v1', gateway: '10.9.0.2' }, { device: 'br0', gateway: '10.9.1.2' }], metric: 0 },
    { destination: '10.6.0.0', prefix: 16, hops: [], type: 'blackhole' },
    { destination: '10.7.0.0', prefix: 16, hops: [{ gateway: '1.2.3.4' }] },
    { destination: '10.8.0.5', prefix: 32, hops: [{ device: 'v1' }] },
    { destination: '10.9.0.0', prefix: 24, protocol: 'kernel' },
    { destination: '10.10.0.0', hops: [{ gateway: 'fe80::1' }] },
  ]);
  t.strictSame(routes.map(({ words }) => words), [
    'default via 10.9.0.9 dev v1 proto dhcp src 10.9.0.1 metric 100',
    '10.5.0.0/16 nexthop via 10.9.0.2 dev v1 weight 1 nexthop via 10.9.1.2 dev br0 weight 1',
    'blackhole 10.6.0.0/16',
    '10.7.0.0/16 via 1.2.3.4 dev v1 onlink mtu 1400',
    '10.8.0.5 dev v1 scope link',
    '10.9.0.0/24 dev v1 proto kernel scope link src 10.9.0.1',
    '10.10.0.0/24 via inet6 fe80::1 dev v1',
  ]);
  t.equal(linesBack(routes)[0], 'route add blackhole 10.6.0.0/16', 'what leads over others comes last');
  t.equal(linesBack(routes).at(-1), 'route add 10.10.0.0/24 via inet6 fe80::1 dev v1');
});

await t.test('a route that could not be put back', async (t) => {
  for (const more of [{ nhid: 12 }, { flags: ['pervasive'] }, { metrics: [{ rtt: '2ms' }] }, { metrics: [{ mtu: 'lock' }] }]) {
    const routes = await readRoutes(answer(JSON.stringify([{ dst: '10.7.0.0/16', gateway: '1.2.3.4', dev: 'v1', flags: [], ...more }])), signal);
    t.equal(routes[0]!.words, undefined, JSON.stringify(more));
    t.throws(() => linesBack(routes), { message: /^WRONG STATE: .*10\.7\.0\.0\/16 could not be put back/ });
  }
});

await t.test('links', async (t) => {
  const links = await readLinks(answer(JSON.stringify([
    {},
    { ifname: 'lo', flags: ['LOOPBACK', 'UP'], addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host', label: 'lo' }] },
    { ifname: 'br0', flags: ['UP'], mtu: 1500, address: 'b2:2b:ee:75:c5:13', linkinfo: { info_kind: 'bridge', info_data: { forward_delay: 1500, stp_state: 0, group_addr: '01:80' } },
      addr_info: [
        { family: 'inet', local: '10.9.2.1', prefixlen: 24, broadcast: '10.9.2.255', scope: 'global', label: 'br0', noprefixroute: true },
        { family: 'inet', local: '10.9.3.1', prefixlen: 24, scope: 'global', dynamic: true, label: 'br0:1' },
        { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' },
        { family: 'inet', local: '10.9.4.1', address: '10.9.4.2', prefixlen: 32, scope: 'global' },
      ] },
    { ifname: 'v0', link: 'v1', master: 'br0', flags: [], linkinfo: { info_kind: 'veth', info_slave_kind: 'bridge' }, addr_info: [{}] },
  ])), signal);
  t.strictSame(links.map(({ name }) => name), ['lo', 'br0', 'v0']);
  const bridge = links[1]!;
  t.strictSame(bridge.bridge, { words: 'address b2:2b:ee:75:c5:13 mtu 1500', settings: ['forward_delay 1500', 'stp_state 0'] });
  t.strictSame(bridge.addresses.map(({ words }) => words), [
    '10.9.2.1/24 broadcast 10.9.2.255 scope global label br0 noprefixroute', '10.9.3.1/24 scope global label br0:1',
    'fe80::1/64 scope link', '10.9.4.1 peer 10.9.4.2/32 scope global',
  ]);
  t.strictSame(bridge.addresses.map(({ isLeased }) => isLeased), [false, true, false, false]);
  t.match(links[2], { master: 'br0', under: 'v1', kind: 'veth', isUp: false, addresses: [] });
  t.strictSame(membersOf({ links, routes: [] }, 'br0').map(({ name }) => name), ['v0']);
});

await t.test('what is not understood is an error', async (t) => {
  for (const text of ['{}', 'Object "route" is unknown', '[{"dst":5}]', '[{"dst":"10.0.0.0/8; reboot","dev":"a"}]', '[{"dst":"fe80::/64","dev":"a"}]', '[1]']) {
    await t.rejects(readRoutes(answer(text), signal), { message: /^FAILED: .*tells something that is not known here/ }, text);
  }
  await t.rejects(readRoutes(answer('[]', { truncated: true }), signal), { message: /^FAILED/ });
  await t.rejects(readRoutes(answer('', { code: 127 }), signal), { message: 'NOT SUPPORTED: the host has no program ip' });
  await t.rejects(readRoutes(answer('', { code: 255, stderr: 'Option "-j" is unknown, try "ip -help".\n' }), signal), { message: /^FAILED: .*Option "-j" is unknown/ });
  await t.rejects(readDeviceTo(answer('[]'), '10.0.0.1', '10.0.0.2', signal), { message: /^FAILED: .*by which way it reaches 10\.0\.0\.1/ });
  t.equal(await readDeviceTo(answer('[]'), 'fe80::1%eth0', 'fe80::2%eth0', signal), 'eth0');
});

await t.test('nothing at all', async (t) => {
  for (const text of ['', '[]', '[ ]\n', '[{},{}]']) t.strictSame(await readNetwork(answer(text), signal), { links: [], routes: [] });
  t.equal(defaultOf({ links: [], routes: [] }), undefined);
});
