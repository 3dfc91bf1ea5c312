import t from 'tap';
import { magicPacket, parseMagicPacket } from '../../../src/protocols/wol/magic-packet.js';

const MAC = '52:54:00:aa:00:11';

await t.test('there and back', (t) => {
  const packet = magicPacket({ mac: '5254.00AA.0011' });
  t.equal(packet.toString('hex'), 'ff'.repeat(6) + '525400aa0011'.repeat(16));
  t.same(parseMagicPacket(packet), { mac: MAC });
  for (const password of [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(1, 2, 3, 4, 5, 6)]) {
    t.same(parseMagicPacket(magicPacket({ mac: MAC, password })), { mac: MAC, password });
  }
  t.throws(() => magicPacket({ mac: 'web1' }), { message: /not a MAC address/ });
  t.end();
});

await t.test('anywhere in a frame, also behind further FFs', (t) => {
  const packet = magicPacket({ mac: MAC });
  for (const before of [Buffer.alloc(42), Buffer.alloc(1, 0xff), Buffer.alloc(60, 0xff)]) {
    t.same(parseMagicPacket(Buffer.concat([before, packet])), { mac: MAC });
  }
  t.same(parseMagicPacket(Buffer.concat([packet, Buffer.alloc(9)])), { mac: MAC }, 'padding is no password');
  t.end();
});

await t.test('everything else', (t) => {
  const packet = magicPacket({ mac: MAC });
  for (let length = 0; length < packet.length; length += 1) t.equal(parseMagicPacket(packet.subarray(0, length)), undefined);
  for (let at = 0; at < packet.length; at += 1) {
    const broken = Buffer.from(packet);
    broken[at] = (broken[at] ?? 0) ^ 0x10;
    t.equal(parseMagicPacket(broken), undefined, `byte ${at}`);
  }
  t.equal(parseMagicPacket(Buffer.alloc(1500, 0xff)), undefined);
  t.equal(parseMagicPacket(Buffer.alloc(0)), undefined);
  t.end();
});
