import t from 'tap';
import { md4, Rc4 } from '../../../src/protocols/ntlm/primitives.js';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

void t.test('MD4 yields what RFC 1320 lists', (t) => {
  const suite: Readonly<Record<string, string>> = {
    '': '31d6cfe0d16ae931b73c59d7e0c089c0',
    a: 'bde52cb31de33e46245e05fbdbd6fb24',
    abc: 'a448017aaf21d8525fc10ae87aa6729d',
    'message digest': 'd9130a8164549fe818874806e1c7014b',
    abcdefghijklmnopqrstuvwxyz: 'd79e1c308aa5bbcdeea8ed63df412da9',
    ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789: '043f8582f241db351ce627e153e7f0e4',
    '12345678901234567890123456789012345678901234567890123456789012345678901234567890': 'e33b4ddc9c38f2199c3e7b164fcc0536',
  };
  for (const [text, digest] of Object.entries(suite)) t.equal(md4(Buffer.from(text)).toString('hex'), digest, text || 'nothing');
  t.end();
});

void t.test('RC4 yields the streams that RFC 6229 lists', (t) => {
  const streams: readonly (readonly [string, string])[] = [
    ['0102030405', 'b2396305f03dc027ccc3524a0a1118a8 6982944f18fc82d589c403a47a0d0919'],
    ['0102030405060708090a0b0c0d0e0f10', '9ac7cc9a609d1ef7b2932899cde41b97 5248c4959014126a6e8a84f11d1a9e1c'],
    ['c109163908ebe51debb46227c6cc8b37641910833222772a', '54b64e6b5a20b5e2ec84593dc7989da7 c135eee237a85465ff97dc03924f45ce'],
  ];
  for (const [key, stream] of streams) t.equal(new Rc4(hex(key)).update(Buffer.alloc(32)).toString('hex'), hex(stream).toString('hex'), key);
  t.end();
});

void t.test('RC4 goes on where it stopped, however its input is cut', (t) => {
  const input = Buffer.from(Array.from({ length: 700 }, (_, index) => index & 255));
  const whole = new Rc4(Buffer.from('a key')).update(input);
  const pieces = new Rc4(Buffer.from('a key'));
  const cuts = [0, 1, 1, 17, 256, 300, 700];
  t.same(Buffer.concat(cuts.slice(1).map((cut, index) => pieces.update(input.subarray(cuts[index], cut)))), whole);
  t.end();
});
