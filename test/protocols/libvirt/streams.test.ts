import t from 'tap';
import { ConnectionLostError, LibvirtError } from '../../../src/protocols/libvirt/errors.js';
import { MessageType, Status, type Packet } from '../../../src/protocols/libvirt/packet.js';
import { RpcConnection } from '../../../src/protocols/libvirt/rpc.js';
import { until } from '../../support/until.js';
import { errorBody, FakeLibvirtd, wire } from './fake.js';

const SOON_MS = 30_000;
const OPEN = 201;
const EMPTY = Buffer.alloc(0);

function converse(onCall: (call: Packet, peer: FakeLibvirtd) => void = (call, peer) => { if (call.type === MessageType.CALL) peer.reply(call); }) {
  const [near, far] = wire();
  const rpc = new RpcConnection(near, () => undefined);
  t.teardown(() => rpc.destroy(new Error('the test is over')));
  return { rpc, near, peer: new FakeLibvirtd(far, onCall) };
}

const data = (serial: number, body: Buffer, status: number = Status.CONTINUE): Partial<Packet> => ({
  procedure: OPEN,
  type: MessageType.STREAM,
  serial,
  status,
  body,
});
const streamed = ({ calls }: FakeLibvirtd): Packet[] => calls.filter(({ type }) => type === MessageType.STREAM);

await t.test('several streams beside calls, each with its own bytes', async (t) => {
  const { rpc, peer } = converse();
  const streams = await Promise.all([1, 2].map(() => rpc.openStream(OPEN, EMPTY, {})));
  const seen = streams.map((stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  });
  peer.send(data(2, Buffer.from('two')));
  peer.send(data(1, Buffer.from('one')));
  peer.send(data(99, Buffer.from('of one that is over')));
  await rpc.call(7, EMPTY, () => undefined);
  t.same(seen.map((chunks) => Buffer.concat(chunks).toString()), ['one', 'two']);
  streams[0]!.write(Buffer.alloc(300_000, 1));
  await until(() => streamed(peer).length === 2, SOON_MS, 'its packets');
  t.same(streamed(peer).map(({ serial, status, body }) => [serial, status, body.length]), [[1, Status.CONTINUE, 262_120], [1, Status.CONTINUE, 37_880]]);
  streams[1]!.destroy();
  await until(() => streamed(peer).length === 3, SOON_MS, 'the word that it is over');
  t.match(streamed(peer)[2], { serial: 2, status: Status.OK });
});

await t.test('data that comes with the answer, and ends of all kinds', async (t) => {
  const { rpc, peer } = converse((call, self) => {
    if (call.type !== MessageType.CALL) return;
    self.reply(call);
    self.send(data(call.serial, Buffer.from('at once')));
  });
  const first = await rpc.openStream(OPEN, EMPTY, {});
  const text: string[] = [];
  first.on('data', (chunk: Buffer) => text.push(chunk.toString()));
  peer.send(data(1, EMPTY, Status.OK));
  await until(() => first.readableEnded, SOON_MS, 'its end');
  t.same(text, ['at once']);
  for (const [end, wanted] of [
    [(serial: number) => peer.send(data(serial, errorBody(38, 'it broke'), Status.ERROR)), LibvirtError], [() => rpc.destroy(new Error('gone')), ConnectionLostError],
  ] as const) {
    const stream = await rpc.openStream(OPEN, EMPTY, {});
    const failed = new Promise((resolve) => { stream.on('error', resolve); });
    end(wanted === LibvirtError ? 2 : 3);
    t.type(await failed, wanted);
  }
});

await t.test('one that is refused or given up leaves nothing behind', async (t) => {
  const { rpc, peer } = converse((call, self) => { if (call.type === MessageType.CALL && call.procedure === OPEN && call.serial === 1) self.fail(call, 55, 'not running'); });
  await t.rejects(rpc.openStream(OPEN, EMPTY, {}), LibvirtError);
  const given = new AbortController();
  const opening = rpc.openStream(OPEN, EMPTY, { signal: given.signal });
  await until(() => peer.calls.length >= 2, SOON_MS, 'the call');
  given.abort(new Error('given up'));
  await t.rejects(opening, /given up/);
  await until(() => streamed(peer).some(({ serial }) => serial === 2), SOON_MS, 'libvirt to be told that nobody wants it');
});

await t.test('a reader that is slow holds libvirt up, and is no sign of a dead one', async (t) => {
  const { rpc, near, peer } = converse();
  const stream = await rpc.openStream(OPEN, EMPTY, {});
  for (let sent = 0; sent < 16; sent += 1) peer.send(data(1, Buffer.alloc(16_384, sent)));
  await until(() => near.isPaused(), SOON_MS, 'the connection to be held up');
  t.ok(stream.readableLength < 16 * 16_384, 'not all of it is taken');
  let length = 0;
  stream.on('data', (chunk: Buffer) => { length += chunk.length; });
  await until(() => length === 16 * 16_384, SOON_MS, 'all of it');
});
