import { endianness } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Neighbours } from '../../../src/protocols/ping/neighbours.js';

const TABLE = `IP address       HW type     Flags       HW address            Mask     Device
10.0.0.11        0x1         0x2         52:54:00:aa:00:11     *        eth0
10.0.0.12        0x1         0x0         00:00:00:00:00:00     *        eth0
10.0.0.1         0x1         0x6         52:54:00:aa:00:01     *        eth0
10.0.0.13        0x1         0x2         52:54:00:aa:00:01     *        eth0
`;

const gateway = endianness() === 'LE' ? '0100000A' : '0A000001';
const ROUTES = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t${gateway}\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`;

await t.test('who has answered, for whom a router answers, who has not, and who was not asked', async (t) => {
  const folder = t.testdir({ arp: TABLE, route: ROUTES });
  const neighbours = new Neighbours(join(folder, 'arp'), join(folder, 'route'));
  const asked = ['10.0.0.11', '10.0.0.12', '10.0.0.1', '10.0.0.13', '10.0.0.2', '2001:db8::1', '127.0.0.1'];
  t.same(await Promise.all(asked.map((address) => neighbours.holderOf(address))), ['card', 'nobody', 'card', 'router', undefined, undefined, 'card']);
  t.equal(await new Neighbours('/nonexistent').holderOf('10.0.0.12'), undefined, 'without the table nothing is known');
});
