import type { NetworkInterfaceInfo } from 'node:os';
import t from 'tap';
import { destinations, type Interfaces, type WakeRoute } from '../../../src/protocols/wol/destinations.js';

const info = (address: string, netmask: string, internal = false): NetworkInterfaceInfo =>
  ({ family: 'IPv4', address, netmask, mac: '02:00:00:00:00:01', internal, cidr: null });

const local = (scopeid: number): NetworkInterfaceInfo =>
  ({ family: 'IPv6', address: 'fe80::5', netmask: 'ffff:ffff:ffff:ffff::', mac: '', internal: false, cidr: null, scopeid });

const interfaces: Interfaces = {
  lo: [info('127.0.0.1', '255.0.0.0', true)],
  eth0: [info('10.0.0.5', '255.255.255.0'), info('172.16.4.1', '255.255.252.0')],
  eth1: [info('192.168.7.2', '255.255.255.254'), local(3)],
  wg0: [{ family: 'IPv6', address: 'fd00::1', netmask: 'ffff:ffff:ffff:ffff::', mac: '', internal: false, cidr: null, scopeid: 0 }],
};

const to = (route: WakeRoute, ...hosts: string[]): string[] =>
  destinations(route, hosts, () => interfaces).map(({ address, port, from }) => `${from ?? '*'} > ${address}:${port}`);

await t.test('where nothing is said', (t) => {
  t.same(to({}, '10.0.0.77'), ['10.0.0.5 > 10.0.0.255:9']);
  t.same(to({ port: 7 }, '172.16.7.9'), ['172.16.4.1 > 172.16.7.255:7']);
  t.same(to({}, '192.168.7.3'), ['192.168.7.2 > 255.255.255.255:9'], 'a network of two has no broadcast address');
  t.same(to({}, '8.8.8.8'), ['* > 8.8.8.8:9', '* > 255.255.255.255:9']);
  t.same(to({}, '127.0.0.1'), ['* > 127.0.0.1:9', '* > 255.255.255.255:9']);
  t.same(to({}), ['10.0.0.5 > 10.0.0.255:9', '172.16.4.1 > 172.16.7.255:9', '192.168.7.2 > 255.255.255.255:9'], 'a name that nobody knows may be anywhere');
  t.end();
});

await t.test('a link-local address says by which interface', (t) => {
  const all = ['192.168.7.2 > 255.255.255.255:9'];
  t.same(to({}, 'fe80::9%eth1'), all);
  t.same(to({}, 'fe80::9%3'), all, 'by its number');
  t.same(to({}, 'fe80::9%eth0'), ['10.0.0.5 > 10.0.0.255:9', '172.16.4.1 > 172.16.7.255:9']);
  t.same(to({}, 'fe80::9%wg0'), ['* > fe80::9%wg0:9', '* > ff02::1%wg0:9', '* > 255.255.255.255:9'], 'no IPv4 there');
  t.same(to({}, 'fe80::9'), ['10.0.0.5 > 10.0.0.255:9', '172.16.4.1 > 172.16.7.255:9', ...all], 'as a resolver tells it: on all');
  t.end();
});

await t.test('by all interfaces', (t) => {
  const all = ['10.0.0.5 > 10.0.0.255:9', '172.16.4.1 > 172.16.7.255:9', '192.168.7.2 > 255.255.255.255:9'];
  t.same(to({ interfaces: 'all' }, '8.8.8.8'), all);
  t.same(to({ interfaces: 'all', address: '10.9.9.1' }), [...all, '* > 10.9.9.1:9']);
  t.throws(() => destinations({ interfaces: 'all' }, [], () => ({ lo: interfaces!.lo })), { message: 'no network interface has an IPv4 address' });
  t.end();
});

await t.test('where it is said', (t) => {
  t.same(to({ broadcast: ['10.9.9.255', '10.9.8.255'] }, '10.0.0.77'), ['* > 10.9.9.255:9', '* > 10.9.8.255:9']);
  t.same(to({ address: '10.9.9.1', broadcast: ['10.9.9.255'] }), ['* > 10.9.9.255:9', '* > 10.9.9.1:9']);
  t.same(to({ interface: 'eth0' }), ['10.0.0.5 > 10.0.0.255:9', '172.16.4.1 > 172.16.7.255:9']);
  t.same(to({ interface: 'eth0', broadcast: ['255.255.255.255'] }), ['10.0.0.5 > 255.255.255.255:9']);
  t.same(to({ interface: 'eth0', broadcast: ['172.16.7.255'] }), ['172.16.4.1 > 172.16.7.255:9']);
  t.same(to({ interface: 'wg0', broadcast: ['ff02::1'] }), ['* > ff02::1%wg0:9']);
  t.same(to({ interface: 'wg0', broadcast: ['ff02::1%eth0'] }), ['* > ff02::1%eth0:9']);
  t.end();
});

await t.test('where there is no way', (t) => {
  t.throws(() => to({ interface: 'eth7' }), { message: 'there is no network interface eth7, or it is down' });
  t.throws(() => to({ interface: 'wg0' }), { message: 'the network interface wg0 has no IPv4 address' });
  t.throws(() => to({ interface: 'wg0', broadcast: ['10.0.0.255'] }), { message: /no IPv4 address/ });
  t.end();
});

await t.test('where the system shows no interfaces', (t) => {
  const blind = (route: WakeRoute) => destinations(route, ['10.0.0.77'], () => undefined).map(({ address }) => address);
  t.same(blind({}), ['10.0.0.77', '255.255.255.255']);
  t.same(blind({ broadcast: ['10.0.0.255'] }), ['10.0.0.255']);
  t.throws(() => blind({ interfaces: 'all' }), { message: /does not let its network interfaces be seen/ });
  t.throws(() => blind({ interface: 'eth0' }), { message: /does not let its network interfaces be seen/ });
  t.end();
});
