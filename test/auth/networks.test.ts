import t from 'tap';
import { networkTest, originOf, sourceOf } from '../../src/auth/networks.js';
import { plainAddress } from '../../src/kit/addresses.js';
import { parseNetwork, type Network } from '../../src/config/values.js';

const networks = (...texts: string[]): Network[] => texts.map((text) => {
  const network = parseNetwork(text);
  if (!network) throw new Error(text);
  return network;
});

await t.test('addresses of IPv4 peers on sockets of both families', async (t) => {
  t.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1');
  for (const address of ['192.0.2.1', '::1', 'fe80::1%eth0', '::ffff:c000:201', '::ffff:', '::ffff:nonsense', '']) t.equal(plainAddress(address), address);
});

await t.test('which addresses lie in networks', async (t) => {
  const inside = networkTest(networks('127.0.0.0/8', '192.0.2.7', '10.1.2.3/16', '2001:db8::/32', 'fe80::/10', '::1'));
  for (const address of ['127.0.0.1', '127.255.255.255', '192.0.2.7', '10.1.255.1', '2001:db8:ffff::1', 'fe80::1', 'fe80::1%eth0', '::1']) {
    t.equal(inside(address), true, address);
  }
  for (const address of ['128.0.0.1', '192.0.2.8', '10.2.0.1', '2001:db9::1', '::2', '', 'localhost', '127.1', '127.0.0.1:22', '0']) {
    t.equal(inside(address), false, JSON.stringify(address));
  }
});

await t.test('an IPv4 network also takes its addresses in their IPv6 form, and the other way round', async (t) => {
  t.equal(networkTest(networks('10.0.0.0/8'))('::ffff:10.1.2.3'), true);
  t.equal(networkTest(networks('::ffff:10.0.0.0/104'))('10.1.2.3'), true);
  t.equal(networkTest(networks('::ffff:10.0.0.0/104'))('11.1.2.3'), false);
  t.equal(networkTest(networks('::/0'))('10.1.2.3'), true);
  t.equal(networkTest(networks('0.0.0.0/0'))('2001:db8::1'), false);
});

await t.test('no networks: nowhere', async (t) => {
  t.equal(networkTest([])('127.0.0.1'), false);
});

await t.test('what clients are counted by', async (t) => {
  for (const [address, source] of [
    ['192.0.2.1', '192.0.2.1'], ['', ''],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'], ['2001:DB8:1:02::', '2001:db8:1:2::/64'], ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8:1::2:3', '2001:db8:1:0::/64'], ['2001:db8::1', '2001:db8:0:0::/64'], ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
    ['::', '0:0:0:0::/64'], ['::1', '0:0:0:0::/64'], ['fe80::1%eth0', 'fe80:0:0:0::/64'], ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
  ] as const) t.equal(sourceOf(address), source, address);
});

await t.test('the networks and regions that addresses are of', async (t) => {
  for (const [address, source, network, region, isNewBy] of [
    ['192.0.2.1', '192.0.2.1', '192.0.2/24', '192.0/16', 'source'],
    ['2001:DB8:1:02::9', '2001:db8:1:2::/64', '2001:db8:1::/48', '2001:db8::/32', 'network'],
    ['::1', '0:0:0:0::/64', '0:0:0::/48', '0:0::/32', 'network'],
    ['', '', '', '', 'source'],
  ] as const) t.same(originOf(address), { source, network, region, isNewBy }, address);
});
