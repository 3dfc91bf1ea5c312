import t from 'tap';
import { BACKGROUND_IN_FLIGHT } from '../../../src/protocols/ping/limits.js';
import { EchoSession, type EchoOptions } from '../../../src/protocols/ping/session.js';
import { SendFailure } from '../../../src/protocols/ping/socket.js';
import { until } from '../../support/until.js';
import { FakeSocket, type Sent } from './fake-socket.js';
import { errorAbout, replyTo } from './packets.js';

const WAIT_MS = 30_000;
const HOST = '10.0.0.1';
const never = new AbortController().signal;
const patient: EchoOptions = { signal: never, retries: 3, timeout: 60_000, background: false };
const hasty: EchoOptions = { ...patient, timeout: 40 };

/** A session whose socket does the same with every request. */
function session(onSend?: (socket: FakeSocket, sent: Sent) => void, interval = 0) {
  const { open, sockets } = FakeSocket.opener((socket) => {
    if (onSend) socket.onSend = (sent) => onSend(socket, sent);
  });
  const echo = new EchoSession(4, open, interval);
  return { echo, sockets, sent: () => sockets.flatMap((socket) => socket.sent) };
}

const later = (act: () => void): void => void setImmediate(act);
const answering = (socket: FakeSocket, { packet, address }: Sent): void => later(() => socket.receive(replyTo(packet, address), address));

await t.test('a reply', async (t) => {
  const { echo, sockets } = session(answering);
  t.match(await echo.ask(HOST, patient), { alive: true, ms: Number });
  t.equal(sockets[0]!.reading, false, 'nothing is read when nothing is awaited');
  t.match(await echo.ask(HOST, patient), { alive: true });
  t.equal(sockets.length, 1, 'one socket serves all');
});

await t.test('silence is the outcome of four requests', async (t) => {
  const { echo, sent } = session();
  t.same(await echo.ask(HOST, hasty), { alive: false, reason: 'no answer to 4 requests' });
  t.equal(sent().length, 4);
  t.same(await echo.ask(HOST, { ...hasty, retries: 0 }), { alive: false, reason: 'no answer to 1 requests' });
});

await t.test('any of the requests may be answered', async (t) => {
  const { echo, sent } = session((socket, { packet }) => {
    if (socket.sent.length === 2) later(() => socket.receive(replyTo(socket.sent[0]!.packet, HOST), HOST));
    t.ok(packet.length > 0);
  });
  t.match(await echo.ask(HOST, { ...patient, timeout: 2000 }), { alive: true });
  t.equal(sent().length, 3, 'the first one was answered after the third had been sent');
});

await t.test('a reply that lies in the kernel when its time is over counts', async (t) => {
  const { echo } = session((socket, { packet }) => { socket.held.push([replyTo(packet, HOST), HOST]); });
  t.match(await echo.ask(HOST, { ...hasty, retries: 0 }), { alive: true });
});

await t.test('others\' packets are no answer', async (t) => {
  const other = session();
  void other.echo.ask(HOST, { ...patient, retries: 0 }).catch(() => undefined);
  await until(() => other.sent().length > 0, WAIT_MS, 'another session\'s request');
  const { echo } = session((socket, { packet }) => {
    socket.receive(replyTo(other.sent()[0]!.packet, HOST), HOST);
    socket.receive(replyTo(packet, '10.0.0.2'), '10.0.0.2');
    socket.receive(errorAbout(packet, '10.0.0.2', '10.0.0.254', [3, 1]), '10.0.0.254');
  });
  t.match(await echo.ask(HOST, hasty), { alive: false, reason: 'no answer to 4 requests' });
  other.echo.close();
});

await t.test('a reply to an earlier question is none to this one', async (t) => {
  let old: Uint8Array | undefined;
  const { echo } = session((socket, { packet }) => {
    old ??= packet;
    const forged = Buffer.from(packet);
    forged.set(old.subarray(16, 20), 16);
    if (packet !== old) socket.receive(replyTo(forged, HOST), HOST);
  });
  await echo.ask(HOST, { ...hasty, retries: 0 });
  t.match(await echo.ask(HOST, hasty), { alive: false });
});

await t.test('errors', async (t) => {
  const telling = (source: string, word: readonly [number, number]) => session((socket, { packet, address }) => {
    later(() => socket.receive(errorAbout(packet, address, source, word), source));
  }).echo;
  t.same(await telling('10.0.0.254', [3, 1]).ask(HOST, patient), { alive: false, isTold: true, reason: 'host unreachable, says 10.0.0.254' });
  await t.rejects(telling('10.0.0.254', [3, 0]).ask(HOST, patient), { kind: 'not sent', message: 'network unreachable, says 10.0.0.254' });
  t.match(await telling(HOST, [3, 3]).ask(HOST, patient), { alive: true }, 'who refuses in his own name is up');
  await t.rejects(telling('10.0.0.254', [3, 13]).ask(HOST, patient), { kind: 'prohibited', message: /prohibited, says 10\.0\.0\.254/ });
});

await t.test('what our own system does not send is not silence', async (t) => {
  const refusing = session(() => { throw new SendFailure('Network is unreachable', false); });
  await t.rejects(refusing.echo.ask(HOST, hasty), { kind: 'not sent', message: /Network is unreachable/ });
  const once = session((socket) => { if (socket.sent.length === 1) throw new SendFailure('Operation not permitted', false); });
  // The socket counts what was sent: the second request always fails.
  await t.rejects(once.echo.ask(HOST, hasty), { kind: 'not sent', message: /not permitted/ });
});

await t.test('full buffers are waited for', async (t) => {
  let busy = 3;
  const { echo } = session((socket, sent) => {
    busy -= 1;
    if (busy >= 0) throw new SendFailure('No buffer space available', true);
    answering(socket, sent);
  });
  t.match(await echo.ask(HOST, patient), { alive: true });
  const stuck = session(() => { throw new SendFailure('No buffer space available', true); });
  await t.rejects(stuck.echo.ask(HOST, { ...hasty, retries: 1 }), { kind: 'not sent', message: /buffer space/ });
});

await t.test('a socket that fails is opened again', async (t) => {
  const { echo, sockets } = session((socket, sent) => {
    if (sockets.length > 1) answering(socket, sent);
  });
  const outcome = echo.ask(HOST, { ...patient, timeout: 400 });
  await until(() => sockets[0]?.sent.length === 1, WAIT_MS, 'a request');
  sockets[0]!.lose(new Error('lost'));
  t.match(await outcome, { alive: true });
  t.equal(sockets.length, 2);
});

await t.test('a socket that cannot be opened fails those who wait, not those to come', async (t) => {
  const { open } = FakeSocket.opener((socket) => { socket.onSend = (sent) => answering(socket, sent); });
  let fail = true;
  const echo = new EchoSession(4, (onPacket, onLost) => (fail ? Promise.reject(new Error('no files left')) : open(onPacket, onLost)), 0);
  const both = await Promise.allSettled([echo.ask(HOST, patient), echo.ask('10.0.0.2', patient)]);
  t.match(both, [{ reason: { message: 'no files left' } }, { reason: { message: 'no files left' } }]);
  fail = false;
  t.match(await echo.ask(HOST, patient), { alive: true });
});

await t.test('aborted', async (t) => {
  const { echo, sent, sockets } = session();
  const controller = new AbortController();
  const outcomes = Promise.allSettled(['10.0.0.1', '10.0.0.2'].map((host) => echo.ask(host, { ...patient, signal: controller.signal })));
  await until(() => sent().length === 2, WAIT_MS, 'both requests');
  controller.abort(new Error('enough'));
  t.match(await outcomes, [{ reason: { message: 'enough' } }, { reason: { message: 'enough' } }]);
  t.equal(sockets[0]!.reading, false, 'their places are free again');
  await t.rejects(echo.ask(HOST, { ...patient, signal: controller.signal }), { message: 'enough' });
  t.equal(sent().length, 2, 'and nothing more is sent for them');
});

await t.test('closed', async (t) => {
  const { echo, sockets } = session();
  const outcome = t.rejects(echo.ask(HOST, patient), { kind: 'not sent', message: 'the pinger is closed' });
  await until(() => sockets[0]?.sent.length === 1, WAIT_MS, 'a request');
  echo.close();
  await outcome;
  t.ok(sockets[0]!.closed);
  await t.rejects(echo.ask(HOST, patient), { message: 'the pinger is closed' });
});

await t.test('a sweep is bounded, and lets questions of people pass', async (t) => {
  const { echo, sent, sockets } = session();
  const controller = new AbortController();
  const hosts = Array.from({ length: BACKGROUND_IN_FLIGHT + 500 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  const sweep = Promise.allSettled(hosts.map((host) => echo.ask(host, { ...patient, signal: controller.signal, background: true })));
  await until(() => sent().length === BACKGROUND_IN_FLIGHT, WAIT_MS, 'a full sweep');
  const asked = echo.ask(HOST, patient);
  await until(() => sockets[0]!.requests(HOST) === 1, WAIT_MS, 'the question');
  t.equal(sent().length, BACKGROUND_IN_FLIGHT + 1, 'the rest of the sweep still waits');
  sockets[0]!.receive(replyTo(sent().at(-1)!.packet, HOST), HOST);
  t.match(await asked, { alive: true });
  sockets[0]!.receive(replyTo(sent()[0]!.packet, hosts[0]!), hosts[0]!);
  await until(() => sent().length === BACKGROUND_IN_FLIGHT + 2, WAIT_MS, 'the next of the sweep');
  controller.abort();
  await sweep;
});

await t.test('two sweeps of every address keep their sequences apart', async (t) => {
  const { echo } = session(answering);
  const hosts = Array.from({ length: 40_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  const outcomes = await Promise.all([...hosts, ...hosts].map((host) => echo.ask(host, { ...patient, background: true })));
  t.ok(outcomes.every(({ alive }) => alive));
});
