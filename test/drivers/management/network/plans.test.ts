import t from 'tap';
import { planAddBridge, planAddMember, planChangeBridge, planDeleteBridge, planDeleteMember } from '../../../../src/drivers/management/network/bridge-plans.js';
import { planAddRoute, planDeleteRoute, planReplaceRoute, planSetGateway } from '../../../../src/drivers/management/network/route-plans.js';
import type { HostAddress, HostLink, HostNetwork, HostRoute } from '../../../../src/drivers/management/network/state.js';
import { readWay, type Way } from '../../../../src/drivers/management/network/way.js';
import type { HostCommands } from '../../../../src/drivers/management/host-commands.js';

/** Which changes are refused, and which are dangerous, on a host whose management is on a VLAN on a bridge. */

const address = (text: string, more: Partial<HostAddress> = {}): HostAddress => {
  const [own = '', prefix = ''] = text.split('/');
  return { address: own, prefix: Number(prefix), family: 'inet', scope: 'global', isLeased: false, words: text, ...more };
};
const link = (name: string, more: Partial<HostLink> = {}): HostLink => ({ name, isUp: true, isLoopback: false, addresses: [], ...more });
const bridge = (name: string, more: Partial<HostLink> = {}): HostLink => link(name, { kind: 'bridge', bridge: { words: 'address 02:00:00:00:00:01 mtu 1500', settings: ['stp_state 0'] }, ...more });
const route = (words: string, more: Partial<HostRoute> = {}): HostRoute => {
  const parts = words.split(' ');
  const after = (word: string): string | undefined => (parts.includes(word) ? parts[parts.indexOf(word) + 1] : undefined);
  const [destination = '', prefix = '32'] = parts[0]!.split('/');
  const gateway = after('via');
  return {
    destination, prefix: destination === 'default' ? 0 : Number(prefix), hops: [{ device: after('dev')!, ...(gateway === undefined ? {} : { gateway }) }],
    metric: Number(after('metric') ?? 0), type: 'unicast', words, ...more,
  };
};

const NETWORK: HostNetwork = {
  links: [
    link('lo', { isLoopback: true, addresses: [address('127.0.0.1/8', { scope: 'host' })] }),
    link('eno1', { master: 'br0' }), bridge('br0'), link('br0.5', { kind: 'vlan', under: 'br0', addresses: [address('10.1.0.2/24')] }),
    link('vnet0', { kind: 'tun', master: 'br0' }),
    link('eno2', { addresses: [address('10.2.0.2/24', { isLeased: true })] }),
    link('eno3', { isUp: false }), link('eno4', { addresses: [address('fe80::4/64', { family: 'inet6', scope: 'link' })] }),
    link('eno5', { addresses: [address('2001:db8::5/64', { family: 'inet6' })] }), link('eno6'),
    bridge('br1', { addresses: [address('10.3.0.1/24')] }), bridge('br2', { addresses: [address('2001:db8::2/64', { family: 'inet6' })] }),
    bridge('br3', { addresses: [address('10.4.0.1/24', { isLeased: true })] }), link('br4', { kind: 'bridge' }),
  ],
  routes: [
    route('default via 10.2.0.1 dev eno2 metric 100'), route('default via 10.1.0.1 dev br0.5 metric 200'),
    route('10.1.0.0/24 dev br0.5', { protocol: 'kernel' }), route('10.2.0.0/24 dev eno2', { protocol: 'kernel' }), route('10.3.0.0/24 dev br1', { protocol: 'kernel' }),
    route('10.7.0.0/16 via 10.1.0.9 dev br0.5'), route('10.8.0.0/16 via 10.3.0.9 dev br1'), route('10.8.0.0/16 via 10.3.0.9 dev br1 metric 5'),
    route('10.9.0.0/16 dev eno6'), route('10.10.0.0/16', { type: 'blackhole', hops: [] }),
  ],
};
const CLIENT = '10.7.0.7';

const commands = (way: { client: string; host: string } | undefined, device: string): HostCommands => {
  const run: HostCommands['run'] = (words) => {
    t.strictSame(words, ['ip', '-j', 'route', 'get', way!.client, 'from', way!.host]);
    return Promise.resolve({ code: 0, signal: undefined, stdout: JSON.stringify([{ dst: way!.client, dev: device }]), stderr: '', truncated: false });
  };
  return { run, runAnew: run, way: () => Promise.resolve(way) };
};
const wayBy = (client: string | undefined, device: string): Promise<Way> =>
  readWay(commands(client === undefined ? undefined : { client, host: '10.1.0.2' }, device), NETWORK, AbortSignal.timeout(60_000));
const WAY = await wayBy(CLIENT, 'br0.5');
const HERE = await wayBy(undefined, '');

await t.test('the way', async (t) => {
  t.strictSame([...WAY.devices].sort(), ['br0', 'br0.5', 'eno1', 'vnet0']);
  t.match(WAY, { isHere: false, route: { destination: '10.7.0.0' } });
  t.match(HERE, { isHere: true, client: undefined, route: { destination: 'default', metric: 100 } });
  t.strictSame([...HERE.devices], ['eno2']);
  t.match(await wayBy('10.1.0.2', 'lo'), { isHere: true, route: { metric: 100 } }, 'over SSH to itself');
  t.match(await wayBy('2001:db8::9', 'br0.5'), { isHere: false, client: undefined, route: undefined });
});

await t.test('dangers', async (t) => {
  const dangers: [string, () => { danger: string | undefined }, RegExp | undefined][] = [
    ['another route', () => planAddRoute(NETWORK, WAY, { destination: '10.50.0.0', prefix: 16, gateway: '10.1.0.9', interface: 'br0.5' }), undefined],
    ['a wider one', () => planAddRoute(NETWORK, WAY, { destination: '10.0.0.0', prefix: 8, gateway: '10.3.0.9', interface: 'br1' }), undefined],
    ['a closer one', () => planAddRoute(NETWORK, WAY, { destination: '10.7.0.0', prefix: 24, gateway: '10.3.0.9', interface: 'br1' }), /would lead away/],
    ['its own', () => planDeleteRoute(NETWORK, WAY, { destination: '10.7.0.0', prefix: 16, gateway: '10.1.0.9', interface: 'br0.5' }), /the host is reached by its route/],
    ['its own, in another way', () => planReplaceRoute(NETWORK, WAY, { destination: '10.7.0.0', prefix: 16, gateway: '10.1.0.9', interface: 'br0.5' },
      { destination: '10.7.0.0', prefix: 16, gateway: '10.1.0.8', interface: 'br0.5' }), /the host is reached by its route/],
    ['the default', () => planSetGateway(NETWORK, WAY, '10.2.0.3', 'eno2'), /default way/],
    ['the other default', () => planSetGateway(NETWORK, WAY, '10.1.0.8', 'br0.5'), /default way/],
    ['here: a route', () => planDeleteRoute(NETWORK, HERE, { destination: '10.7.0.0', prefix: 16, gateway: '10.1.0.9', interface: 'br0.5' }), undefined],
    ['here: the default', () => planDeleteRoute(NETWORK, HERE, { destination: 'default', prefix: 0, gateway: '10.2.0.1', interface: 'eno2' }), /default way/],
    ['a member of its bridge', () => planDeleteMember(NETWORK, WAY, 'br0', 'vnet0'), /reached by vnet0/],
    ['a new member of its bridge', () => planAddMember(NETWORK, WAY, 'br0', 'eno4'), /reached by br0/],
    ['its bridge', () => planChangeBridge(NETWORK, WAY, { name: 'br0', address: '10.60.0.1', prefix: 24 }), /reached by br0/],
    ['another bridge', () => planChangeBridge(NETWORK, WAY, { name: 'br1', address: '10.60.0.1', prefix: 24 }), undefined],
    ['a bridge with the manager behind', () => planChangeBridge(NETWORK, WAY, { name: 'br1', address: '10.7.0.1', prefix: 24 }), /would lead away/],
  ];
  for (const [name, plan, danger] of dangers) {
    const found = plan().danger;
    if (danger === undefined) t.equal(found, undefined, name);
    else t.match(found, danger, name);
  }
});

await t.test('refusals', async (t) => {
  const refusals: [() => unknown, RegExp][] = [
    [() => planDeleteRoute(NETWORK, WAY, { destination: '10.8.0.0', prefix: 16, gateway: '10.3.0.9', interface: 'br1' }), /several such routes/],
    [() => planAddRoute(NETWORK, WAY, { destination: '10.10.0.0', prefix: 16, gateway: '10.3.0.9', interface: 'br1' }), /already/],
    [() => planAddRoute(NETWORK, WAY, { destination: '224.0.0.0', prefix: 8, interface: 'br1' }), /nowhere/],
    [() => planAddRoute(NETWORK, WAY, { destination: 'default', prefix: 8, interface: 'br1' }), /prefix/],
    [() => planSetGateway(NETWORK, WAY, '10.2.0.1', 'eno2'), /so already/],
    [() => planSetGateway(NETWORK, WAY, '127.0.0.1', 'lo'), /cannot be the address of a host/],
    [() => planAddMember(NETWORK, WAY, 'br1', 'lo'), /lo cannot be a member/],
    [() => planAddMember(NETWORK, WAY, 'br1', 'br2'), /br2 is a bridge itself/],
    [() => planAddMember(NETWORK, WAY, 'br1', 'eno1'), /eno1 is a member of br0/],
    [() => planAddMember(NETWORK, WAY, 'br1', 'eno2'), /eno2 has an address/],
    [() => planAddMember(NETWORK, WAY, 'br1', 'eno5'), /eno5 has an address/],
    [() => planAddMember(NETWORK, WAY, 'br1', 'eno6'), /there are routes by eno6/],
    [() => planDeleteBridge(NETWORK, WAY, 'br0'), /br0 has members: eno1, vnet0/],
    [() => planDeleteBridge(NETWORK, WAY, 'br2'), /br2 has an address of IPv6/],
    [() => planDeleteBridge(NETWORK, WAY, 'br3'), /br3 could not be put back/],
    [() => planDeleteBridge(NETWORK, WAY, 'br4'), /br4 could not be put back/],
    [() => planChangeBridge(NETWORK, WAY, { name: 'br3', address: '10.60.0.1', prefix: 24 }), /for a time, as by DHCP/],
    [() => planChangeBridge(NETWORK, WAY, { name: 'br2' }), /so already/],
    [() => planChangeBridge(NETWORK, WAY, { name: 'br1', gateway: '10.3.0.9' }), /without an address/],
    [() => planChangeBridge(NETWORK, WAY, { name: 'br1', address: '10.3.0.1', prefix: 24 }), /so already/],
    [() => planChangeBridge(NETWORK, WAY, { name: 'br1', prefix: 24 }), /goes with an address/],
    [() => planAddBridge(NETWORK, WAY, { name: 'all' }), /no name of an interface/],
    [() => planAddBridge(NETWORK, WAY, { name: 'a'.repeat(16) }), /no name of an interface/],
    [() => planAddBridge(NETWORK, WAY, { name: 'br9', gateway: '10.3.0.9' }), /without an address/],
  ];
  for (const [plan, message] of refusals) t.throws(plan, { message }, String(message));
});

await t.test('a bridge comes back with all that it had', async (t) => {
  const { change, undo, keeping } = planDeleteBridge(NETWORK, WAY, 'br1');
  t.strictSame(change, ['link del dev br1']);
  t.strictSame(undo, [
    'link add name br1 address 02:00:00:00:00:01 mtu 1500 type bridge', 'link set dev br1 type bridge stp_state 0',
    'address add 10.3.0.1/24 dev br1', 'link set dev br1 up',
    'route add 10.3.0.0/24 dev br1', 'route add 10.8.0.0/16 via 10.3.0.9 dev br1', 'route add 10.8.0.0/16 via 10.3.0.9 dev br1 metric 5',
  ]);
  t.strictSame(keeping, { device: 'br1', bridge: { name: 'br1', to: undefined } });
});

await t.test('a guest\'s own cable is not kept', async (t) => {
  t.equal(planDeleteMember(NETWORK, HERE, 'br0', 'vnet0').keeping, undefined);
  t.strictSame(planAddMember(NETWORK, HERE, 'br1', 'eno4').keeping, { device: 'br1', member: { bridge: 'br1', name: 'eno4', isOne: true } });
});
