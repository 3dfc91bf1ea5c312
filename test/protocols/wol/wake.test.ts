import { createSocket } from 'node:dgram';
import t, { type Test } from 'tap';
import { magicPacket, parseMagicPacket } from '../../../src/protocols/wol/magic-packet.js';
import { sendPackets } from '../../../src/protocols/wol/wake.js';
import { until } from '../../support/until.js';

const WAIT_MS = 30_000;
const never = new AbortController().signal;
const packet = magicPacket({ mac: '52:54:00:aa:00:11' });

async function receiver(t: Test): Promise<{ port: number; received: Buffer[]; from: string[] }> {
  const socket = createSocket('udp4');
  const received: Buffer[] = [];
  const from: string[] = [];
  socket.on('message', (bytes, { address }) => {
    received.push(bytes);
    from.push(address);
  });
  await new Promise<void>((resolve) => { socket.bind(0, '0.0.0.0', resolve); });
  t.teardown(() => socket.close());
  return { port: socket.address().port, received, from };
}

await t.test('several packets to each destination', async (t) => {
  const { port, received, from } = await receiver(t);
  const to = [{ address: '127.0.0.1', port }, { address: '127.0.0.2', port, from: '127.0.0.3' }];
  t.same(await sendPackets(packet, to, { signal: never, packets: 2, gap: 1 }), { sent: 4, failures: [] });
  await until(() => received.length === 4, WAIT_MS, 'the packets');
  t.ok(received.every((bytes) => parseMagicPacket(bytes)?.mac === '52:54:00:aa:00:11'));
  t.equal(from.filter((address) => address === '127.0.0.3').length, 2);
});

await t.test('a destination that fails does not keep the others from theirs', async (t) => {
  const { port, received } = await receiver(t);
  const to = [{ address: '127.0.0.1', port, from: '192.0.2.254' }, { address: '127.0.0.1', port }];
  t.same(await sendPackets(packet, to, { signal: never, packets: 1 }),
    { sent: 1, failures: ['127.0.0.1: the address to send from is not ours'] });
  await until(() => received.length === 1, WAIT_MS, 'the packet');
});

await t.test('aborted', async (t) => {
  const { port, received } = await receiver(t);
  await t.rejects(sendPackets(packet, [{ address: '127.0.0.1', port }], { signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' });
  const controller = new AbortController();
  const report = sendPackets(packet, [{ address: '127.0.0.1', port }], { signal: controller.signal, packets: 100, gap: 3_600_000 });
  await until(() => received.length === 1, WAIT_MS, 'the first packet');
  controller.abort();
  t.same(await report, { sent: 1, failures: [] });
});
