import { join } from 'node:path';
import t from 'tap';
import { Neighbours } from '../../../src/protocols/ping/neighbours.js';

const TABLE = `IP address       HW type     Flags       HW address            Mask     Device
10.0.0.11        0x1         0x2         52:54:00:aa:00:11     *        eth0
10.0.0.12        0x1         0x0         00:00:00:00:00:00     *        eth0
10.0.0.1         0x1         0x6         52:54:00:aa:00:01     *        eth0
`;

await t.test('who has answered, who has not, and who was not asked', async (t) => {
  const neighbours = new Neighbours(join(t.testdir({ arp: TABLE }), 'arp'));
  const lacks = await Promise.all(['10.0.0.11', '10.0.0.12', '10.0.0.1', '10.0.0.2', '2001:db8::1'].map((address) => neighbours.lacks(address)));
  t.same(lacks, [false, true, false, false, false]);
  t.equal(await new Neighbours('/nonexistent').lacks('10.0.0.12'), false, 'without the table nothing is known');
});
