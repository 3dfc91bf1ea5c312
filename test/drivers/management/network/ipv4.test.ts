import t from 'tap';
import { addressFault, contains, destinationFault, interfaceAddressFault, networkOf, parseIpv4 } from '../../../../src/drivers/management/network/ipv4.js';

await t.test('addresses', async (t) => {
  for (const [text, number] of [['0.0.0.0', 0], ['10.0.0.1', 167_772_161], ['255.255.255.255', 4_294_967_295]] as const) t.equal(parseIpv4(text), number, text);
  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', '1.2.3.-4', '0x1.2.3.4', '1.2.3.4/8', '::1', '１.2.3.4']) t.equal(parseIpv4(text), undefined, text);
  for (const text of ['0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', 'a']) t.ok(addressFault(text), text);
  for (const text of ['1.0.0.1', '10.0.0.1', '223.255.255.255']) t.equal(addressFault(text), undefined, text);
});

await t.test('networks', async (t) => {
  const number = (text: string): number => parseIpv4(text)!;
  t.equal(networkOf(number('255.255.255.255'), 0), 0);
  t.equal(networkOf(number('255.255.255.255'), 32), number('255.255.255.255'));
  t.equal(networkOf(number('192.168.3.77'), 24), number('192.168.3.0'));
  t.equal(networkOf(number('192.168.3.77'), 1), number('128.0.0.0'));
  t.ok(contains(number('10.0.0.0'), 8, number('10.255.1.2')));
  t.notOk(contains(number('10.0.0.0'), 9, number('10.255.1.2')));
  t.ok(contains(0, 0, number('10.255.1.2')));
});

await t.test('where routes lead', async (t) => {
  for (const [text, prefix] of [['10.0.0.0', 8], ['10.0.0.1', 32], ['192.168.3.0', 24], ['128.0.0.0', 1]] as const) t.equal(destinationFault(text, prefix), undefined, `${text}/${prefix}`);
  for (const [text, prefix] of [['10.0.0.1', 8], ['0.0.0.0', 0], ['0.0.0.0', 8], ['127.0.0.0', 8], ['224.0.0.0', 4], ['x', 8]] as const) t.ok(destinationFault(text, prefix), `${text}/${prefix}`);
});

await t.test('addresses of interfaces', async (t) => {
  for (const [text, prefix] of [['10.0.0.1', 8], ['10.0.0.0', 31], ['10.0.0.1', 32]] as const) t.equal(interfaceAddressFault(text, prefix), undefined, `${text}/${prefix}`);
  for (const [text, prefix] of [['10.0.0.0', 8], ['10.255.255.255', 8], ['10.0.0.3', 30], ['127.0.0.2', 24]] as const) t.ok(interfaceAddressFault(text, prefix), `${text}/${prefix}`);
});
