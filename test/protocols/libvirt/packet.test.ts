import t from 'tap';
import { ProtocolError } from '../../../src/protocols/libvirt/errors.js';
import { encodePacket, HEADER_BYTES, MAX_PACKET_BYTES, PacketReader, type Packet } from '../../../src/protocols/libvirt/packet.js';

const packet = (serial: number, text: string): Packet => ({
  program: 0x20008086, procedure: 16, type: 1, serial, status: 0, body: Buffer.from(text),
});

const twoPackets = Buffer.concat([encodePacket(packet(1, 'first')), encodePacket(packet(2, ''))]);

await t.test('the header is libvirt\'s', async (t) => {
  t.equal(encodePacket(packet(5, 'abcd')).toString('hex'), '00000020' + '20008086' + '00000001' + '00000010' + '00000001' + '00000005' + '00000000' + '61626364');
});

await t.test('packets are found however the stream is cut', async (t) => {
  for (let cut = 0; cut <= twoPackets.length; cut += 1) {
    const reader = new PacketReader();
    const found = [...reader.push(twoPackets.subarray(0, cut)), ...reader.push(twoPackets.subarray(cut))];
    t.same(found.map(({ serial, body }) => [serial, body.toString()]), [[1, 'first'], [2, '']], `cut at ${cut}`);
  }
  const reader = new PacketReader();
  const found = [...twoPackets].flatMap((byte) => reader.push(Buffer.from([byte])));
  t.same(found.map(({ serial }) => serial), [1, 2], 'byte by byte');
});

await t.test('a length that no packet can have', async (t) => {
  for (const length of [0, 4, HEADER_BYTES - 1, MAX_PACKET_BYTES + 1, 0xffffffff, 0x48545450]) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    t.throws(() => new PacketReader().push(bytes), ProtocolError, `${length}`);
  }
});

await t.test('another version of the protocol', async (t) => {
  const bytes = encodePacket(packet(1, ''));
  bytes.writeUInt32BE(2, 8);
  t.throws(() => new PacketReader().push(bytes), ProtocolError);
});
