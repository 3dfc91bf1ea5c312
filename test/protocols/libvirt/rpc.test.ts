import { getEventListeners } from 'node:events';
import t from 'tap';
import { ConnectionLostError, LibvirtError, QueueFullError } from '../../../src/protocols/libvirt/errors.js';
import { encodePacket, Program, type Packet } from '../../../src/protocols/libvirt/packet.js';
import { MAX_IN_FLIGHT, MAX_QUEUED, MAX_SLOW_IN_FLIGHT, RpcConnection, type Pace } from '../../../src/protocols/libvirt/rpc.js';
import { XdrWriter, type XdrReader } from '../../../src/protocols/libvirt/xdr.js';
import { until } from '../../support/until.js';
import { FakeLibvirtd, wire } from './fake.js';

const EMPTY = Buffer.alloc(0);
const SOON_MS = 30_000;
const asIs = (): undefined => undefined;
const number = (reply: XdrReader): number => reply.int();

const opened: RpcConnection[] = [];
t.teardown(() => opened.forEach((rpc) => rpc.destroy(new Error('the test is over'))));

function converse(onCall?: (call: Packet, peer: FakeLibvirtd) => void, pace?: Pace) {
  const [near, far] = wire();
  const events: number[] = [];
  const rpc = new RpcConnection(near, (procedure, body) => { events.push(procedure, body.int()); }, pace);
  opened.push(rpc);
  return { rpc, peer: new FakeLibvirtd(far, onCall), events };
}

/** A call whose failure somebody will look at later. */
function kept<T>(promise: Promise<T>): Promise<T | Error> {
  return promise.catch((error: Error) => error);
}

await t.test('replies find their calls in whatever order they come', async (t) => {
  const { rpc, peer } = converse();
  const calls = [1, 2, 3].map((procedure) => rpc.call(procedure, EMPTY, number));
  await until(() => peer.calls.length === 3, SOON_MS, 'three calls');
  for (const call of peer.calls.toReversed()) peer.reply(call, new XdrWriter().int(call.procedure * 10).bytes());
  t.same(await Promise.all(calls), [10, 20, 30]);
});

await t.test('an error of libvirt\'s has its numbers and words', async (t) => {
  const { rpc } = converse((call, peer) => peer.fail(call, 42, 'Domain not found'));
  const error = await kept(rpc.call(24, EMPTY, asIs));
  t.match(error, new LibvirtError(42, 10, 'Domain not found'));
});

await t.test('at most so many calls fly, and slow ones leave a place for a quick one', async (t) => {
  const { rpc, peer } = converse();
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < 6; i += 1) all.push(rpc.call(9, EMPTY, asIs, { slow: true }));
  for (let i = 0; i < 2; i += 1) all.push(rpc.call(212, EMPTY, asIs));
  await until(() => peer.calls.length === MAX_IN_FLIGHT, SOON_MS, 'the first calls');
  t.same(peer.calls.map((call) => call.procedure), [...Array<number>(MAX_SLOW_IN_FLIGHT).fill(9), 212]);
  let answered = 0;
  const answer = (): boolean => {
    while (answered < peer.calls.length) peer.reply(peer.calls[answered++]!);
    return answered === all.length;
  };
  await until(answer, SOON_MS, 'all calls');
  await Promise.all(all);
});

await t.test('a call that is given up before it is sent never goes out', async (t) => {
  const { rpc, peer } = converse();
  const underWay = Array.from({ length: MAX_IN_FLIGHT }, () => rpc.call(1, EMPTY, asIs));
  const stop = new AbortController();
  const waiting = kept(rpc.call(2, EMPTY, asIs, { signal: stop.signal }));
  const last = rpc.call(3, EMPTY, asIs);
  stop.abort(new Error('enough'));
  t.match(await waiting, { name: 'UnsentError', cause: { message: 'enough' } });
  await until(() => peer.calls.length === MAX_IN_FLIGHT, SOON_MS, 'the first calls');
  peer.calls.slice().forEach((call) => peer.reply(call));
  await Promise.all(underWay);
  await until(() => peer.calls.length === MAX_IN_FLIGHT + 1, SOON_MS, 'the last call');
  t.equal(peer.calls.at(-1)!.procedure, 3);
  peer.reply(peer.calls.at(-1)!);
  await last;
});

await t.test('a call that is given up after it was sent rejects at once and keeps its place', async (t) => {
  const { rpc, peer } = converse();
  const stop = new AbortController();
  const given = kept(rpc.call(1, EMPTY, number, { signal: stop.signal }));
  await until(() => peer.calls.length === 1, SOON_MS, 'the call');
  stop.abort(new Error('enough'));
  t.match(await given, { message: 'enough' });
  const rest = Array.from({ length: MAX_IN_FLIGHT }, () => rpc.call(2, EMPTY, asIs));
  await until(() => peer.calls.length === MAX_IN_FLIGHT, SOON_MS, 'the places to be taken');
  peer.reply(peer.calls[0]!);
  await until(() => peer.calls.length === MAX_IN_FLIGHT + 1, SOON_MS, 'the place to be free again');
  peer.calls.slice(1).forEach((call) => peer.reply(call));
  await Promise.all(rest);
});

await t.test('many calls share a signal, and none holds on to it', async (t) => {
  const { rpc } = converse((call, peer) => peer.reply(call));
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on('warning', note);
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 100 }, () => rpc.call(1, EMPTY, asIs, { signal })));
  t.equal(getEventListeners(signal, 'abort').length, 0);
  process.off('warning', note);
  t.same(warnings, []);
});

await t.test('a signal that is aborted already', async (t) => {
  const { rpc, peer } = converse();
  t.match(await kept(rpc.call(1, EMPTY, asIs, { signal: AbortSignal.abort(new Error('too late')) })), { name: 'UnsentError', cause: { message: 'too late' } });
  t.equal(peer.calls.length, 0);
});

await t.test('given-up calls that hold every place end the connection', async (t) => {
  const { rpc, peer } = converse(undefined, { tickMs: 20, abandonedMs: 30 });
  const stop = new AbortController();
  const hung = Array.from({ length: MAX_SLOW_IN_FLIGHT }, () => kept(rpc.call(1, EMPTY, asIs, { slow: true, signal: stop.signal })));
  await until(() => peer.calls.length === MAX_SLOW_IN_FLIGHT, SOON_MS, 'the calls');
  stop.abort(new Error('enough'));
  await Promise.all(hung);
  const quick = rpc.call(2, EMPTY, asIs);
  await until(() => peer.calls.length === MAX_SLOW_IN_FLIGHT + 1, SOON_MS, 'the quick call');
  peer.reply(peer.calls.at(-1)!);
  await quick;
  const waiting = await kept(rpc.call(3, EMPTY, asIs, { slow: true }));
  t.match(waiting, new ConnectionLostError(false, 'calls that were given up hold every place on the connection'));
});

await t.test('the queue has an end', async (t) => {
  const { rpc } = converse();
  const calls = Array.from({ length: MAX_QUEUED + MAX_IN_FLIGHT }, () => kept(rpc.call(1, EMPTY, asIs)));
  t.type(await kept(rpc.call(1, EMPTY, asIs)), QueueFullError);
  rpc.destroy(new Error('done'));
  const ends = await Promise.all(calls);
  t.equal(ends.filter((end) => end instanceof ConnectionLostError && end.sent).length, MAX_IN_FLIGHT);
  t.equal(ends.filter((end) => end instanceof ConnectionLostError && !end.sent).length, MAX_QUEUED);
});

await t.test('a cut connection says of each call whether it was sent', async (t) => {
  const { rpc, peer } = converse();
  const calls = Array.from({ length: MAX_IN_FLIGHT + 1 }, () => kept(rpc.call(1, EMPTY, asIs)));
  await until(() => peer.calls.length === MAX_IN_FLIGHT, SOON_MS, 'the calls');
  peer.stream.destroy();
  const ends = await Promise.all(calls);
  t.same(ends.map((end) => (end as ConnectionLostError).sent), [...Array<boolean>(MAX_IN_FLIGHT).fill(true), false]);
  t.match(await kept(rpc.call(1, EMPTY, asIs)), { sent: false }, 'nor is anything sent later');
});

await t.test('events', async (t) => {
  const { peer, events } = converse();
  peer.event(318, new XdrWriter().int(7).bytes());
  await until(() => events.length > 0, SOON_MS, 'the event');
  t.same(events, [318, 7]);
});

await t.test('a ping is answered', async (t) => {
  const { peer } = converse();
  peer.ping();
  await until(() => peer.keepalives.length === 1, SOON_MS, 'the pong');
  t.same(peer.keepalives, [2]);
});

await t.test('a peer that answers no ping is dead', async (t) => {
  const { rpc, peer } = converse(undefined, { tickMs: 20, abandonedMs: 1000 });
  rpc.startPinging();
  const waiting = kept(rpc.call(1, EMPTY, asIs));
  t.match((await rpc.closed).message, /said nothing/);
  t.ok(peer.keepalives.includes(1), 'it was pinged');
  t.match(await waiting, { sent: true });
});

await t.test('what is not libvirt\'s protocol ends the connection', async (t) => {
  const reply = { program: Program.REMOTE, procedure: 1, type: 1, serial: 1, status: 0, body: EMPTY };
  const rubbish: Record<string, Buffer> = {
    'another protocol': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    'a reply to a call that was not made': encodePacket({ ...reply, serial: 99 }),
    'a reply from another procedure': encodePacket({ ...reply, procedure: 2 }),
    'a status that does not exist': encodePacket({ ...reply, status: 9 }),
    'a type that does not exist': encodePacket({ ...reply, type: 7 }),
    'another program': encodePacket({ ...reply, program: 0x20008087 }),
    'an empty reply': encodePacket(reply),
    'an error that is cut off': encodePacket({ ...reply, status: 1, body: Buffer.alloc(6) }),
    'an event that is cut off': encodePacket({ ...reply, type: 2 }),
  };
  for (const [what, bytes] of Object.entries(rubbish)) {
    const { rpc, peer } = converse();
    const call = kept(rpc.call(1, EMPTY, number));
    await until(() => peer.calls.length === 1, SOON_MS, 'the call');
    peer.stream.write(bytes);
    t.match(await call, { name: 'ConnectionLostError', sent: true }, what);
    t.match((await rpc.closed).message, /not libvirt's protocol/, what);
  }
});

await t.test('random bytes never do more than end the connection', async (t) => {
  for (let round = 0; round < 200; round += 1) {
    const { rpc, peer } = converse();
    const call = kept(rpc.call(1, EMPTY, number));
    await until(() => peer.calls.length === 1, SOON_MS, 'the call');
    peer.stream.write(Buffer.from(Array.from({ length: 64 }, (_, at) => (at === 0 ? 255 : Math.floor(Math.random() * 256)))));
    t.type(await call, ConnectionLostError);
  }
});
