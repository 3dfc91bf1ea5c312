import t from 'tap';
import { parseMac, parseSecureOn } from '../../../src/protocols/wol/mac.js';

await t.test('every spelling of a MAC address', (t) => {
  for (const spelling of [
    '52:54:00:aa:00:11', '52-54-00-AA-00-11', '52.54.00.aa.00.11', '52 54 00 aa 00 11', '5254.00aa.0011', '5254-00AA-0011', '5254:00aa:0011',
    '525400:aa0011', '525400-AA0011', '525400aa0011', '525400AA0011', '52:54:0:aa:0:11', ' 52:54:00:aa:00:11\t',
  ]) t.equal(parseMac(spelling), '52:54:00:aa:00:11', spelling);
  t.end();
});

await t.test('what is none', (t) => {
  for (const [text, message] of [
    ['', /not a MAC address/], ['web1', /not a MAC address/], ['52:54:00:aa:00', /not a MAC address/], ['52:54:00:aa:00:11:22', /not a MAC address/],
    ['52:54:00:aa:00:gg', /not a MAC address/], ['52:54-00:aa-00:11', /not a MAC address/], ['52:54:00:aa:00:111', /not a MAC address/],
    ['52|54|00|aa|00|11', /not a MAC address/], ['::::::::::::', /not a MAC address/], ['0x525400aa0011', /not a MAC address/],
    ['00:00:00:00:00:00', /is not the address of a network card/], ['ff:ff:ff:ff:ff:ff', /is not the address/],
    ['01:00:5e:00:00:01', /of a group/],
  ] as const) t.throws(() => parseMac(text), { message }, text);
  t.end();
});

await t.test('SecureOn passwords', (t) => {
  t.same([...parseSecureOn('01:23:45:67:89:ab')], [0x01, 0x23, 0x45, 0x67, 0x89, 0xab]);
  t.same([...parseSecureOn('ff-ff-ff-ff-ff-ff')], [255, 255, 255, 255, 255, 255]);
  t.same([...parseSecureOn('192.168.0.255')], [192, 168, 0, 255]);
  for (const text of ['sesame', '', '1.2.3', '1.2.3.256', '01:23']) {
    try {
      parseSecureOn(text);
      t.fail(text);
    } catch (error) {
      t.match(error, { message: /not a SecureOn password/ });
      t.notMatch((error as Error).message, /sesame/);
    }
  }
  t.end();
});
