import t from 'tap';
import { addressBytes, formatAddress } from '../../../src/protocols/ping/address.js';

await t.test('the spellings of one address are equal', (t) => {
  const spellings: [string, ...string[]][] = [
    ['192.0.2.7'],
    ['::1', '0:0:0:0:0:0:0:1', '0000::0001', '::0.0.0.1'],
    ['::'],
    ['fe80::1', 'fe80::1%eth0', 'FE80:0::1'],
    ['2001:db8::a:b', '2001:0DB8:0:0::A:B'],
    ['2001:db8::'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['1:2:3:4:5:6:7:8'],
  ];
  for (const [canonical, ...others] of spellings) {
    t.equal(addressBytes(formatAddress(addressBytes(canonical))).join(), addressBytes(canonical).join(), canonical);
    for (const other of others) t.same(addressBytes(other), addressBytes(canonical), other);
  }
  t.equal(formatAddress(addressBytes('2001:0DB8:0:0::A:B')), '2001:db8::a:b');
  t.equal(formatAddress(addressBytes('192.0.2.7')), '192.0.2.7');
  t.end();
});
