import t from 'tap';
import { echoRequest, readAnswer, wantedTypes, type Identity } from '../../../src/protocols/ping/echo.js';
import { errorAbout, ipv4Header, replyTo } from './packets.js';

const identity: Identity = { id: 0xabcd, nonce: Buffer.from('0123456789abcdef', 'hex') };
const number = { sequence: 0x1234, serial: 0xdeadbeef, attempt: 2 };
const request4 = echoRequest(4, identity, number);
const request6 = echoRequest(6, identity, number);

/** Cuts a packet at every length, as a broken network or an attacker may. */
function* cut(packet: Buffer): Generator<Buffer> {
  for (let length = 0; length < packet.length; length += 1) yield packet.subarray(0, length);
}

await t.test('requests', (t) => {
  t.match(Buffer.from(request4).toString('hex', 0, 8), /^0800....abcd1234$/);
  t.equal(Buffer.from(request6).toString('hex', 0, 8), '80000000abcd1234', 'the kernel adds the checksum of ICMPv6');
  let sum = 0;
  for (let at = 0; at < request4.length; at += 2) sum += Buffer.from(request4).readUInt16BE(at);
  t.equal((sum & 0xffff) + (sum >>> 16), 0xffff, 'the sum over all is ones, RFC 1071');
  t.end();
});

await t.test('replies', (t) => {
  const expected = { kind: 'reply', ...number };
  t.match(readAnswer(4, identity, replyTo(request4, '10.0.0.1'), '10.0.0.1'), { ...expected, source: [10, 0, 0, 1] });
  t.match(readAnswer(4, identity, replyTo(request4, '10.0.0.1', 8), '10.0.0.1'), expected, 'behind IP options');
  t.match(readAnswer(6, identity, replyTo(request6, '2001:db8::2'), '2001:db8::2'), expected);
  t.end();
});

await t.test('errors', (t) => {
  const words: [4 | 6, number, number, string, string][] = [
    [4, 3, 0, 'network unreachable', 'router'], [4, 3, 1, 'host unreachable', 'neighbour'],
    [4, 3, 13, 'communication administratively prohibited', 'filter'], [4, 3, 99, 'unreachable (code 99)', 'router'],
    [4, 11, 0, 'time to live exceeded', 'router'], [4, 12, 0, 'parameter problem', 'router'],
    [6, 1, 0, 'no route to the host', 'router'], [6, 1, 1, 'communication administratively prohibited', 'filter'], [6, 1, 3, 'address unreachable', 'neighbour'],
    [6, 3, 0, 'time to live exceeded', 'router'],
  ];
  for (const [family, type, code, reason, by] of words) {
    const [target, router] = family === 4 ? ['10.0.0.9', '10.0.0.254'] : ['2001:db8::9', '2001:db8::fe'];
    const packet = errorAbout(family === 4 ? request4 : request6, target, router, [type, code]);
    t.match(readAnswer(family, identity, packet, router), { kind: 'error', sequence: number.sequence, word: { reason, by } }, reason);
  }
  t.end();
});

await t.test('what is not for us', (t) => {
  const other = { ...identity, id: 0xabce };
  const forged = { ...identity, nonce: Buffer.alloc(8) };
  const packets: [string, Buffer][] = [
    ['another process\'s reply', replyTo(echoRequest(4, other, number), '10.0.0.1')],
    ['our numbers by chance', replyTo(echoRequest(4, forged, number), '10.0.0.1')],
    ['our own request', Buffer.concat([ipv4Header('10.0.0.1', '10.0.0.1'), request4])],
    ['a redirect', errorAbout(request4, '10.0.0.9', '10.0.0.254', [5, 1])],
    ['source quench', errorAbout(request4, '10.0.0.9', '10.0.0.254', [4, 0])],
    ['an error about another process\'s request', errorAbout(echoRequest(4, other, number), '10.0.0.9', '10.0.0.254', [3, 1])],
    ['an error about no request', errorAbout(replyTo(request4, '10.0.0.9').subarray(20), '10.0.0.9', '10.0.0.254', [3, 1])],
  ];
  for (const [what, packet] of packets) t.equal(readAnswer(4, identity, packet, '10.0.0.1'), undefined, what);
  t.equal(readAnswer(6, identity, errorAbout(request6, '2001:db8::9', '2001:db8::fe', [2, 0]), '2001:db8::fe'), undefined, 'packet too big');
  t.end();
});

await t.test('packets that were cut', (t) => {
  for (const packet of cut(replyTo(request4, '10.0.0.1'))) t.equal(readAnswer(4, identity, packet, '10.0.0.1'), undefined);
  for (const packet of cut(replyTo(request6, '::1'))) t.equal(readAnswer(6, identity, packet, '::1'), undefined);
  const quotesEnough = (packet: Buffer, header: number) => packet.length >= header + 8;
  for (const packet of cut(errorAbout(request4, '10.0.0.9', '10.0.0.254', [3, 1]))) {
    t.equal(readAnswer(4, identity, packet, '10.0.0.254') !== undefined, quotesEnough(packet, 48), `${packet.length} bytes`);
  }
  for (const packet of cut(errorAbout(request6, '2001:db8::9', '2001:db8::fe', [1, 3]))) {
    t.equal(readAnswer(6, identity, packet, '2001:db8::fe') !== undefined, quotesEnough(packet, 48), `${packet.length} bytes`);
  }
  t.end();
});

t.same(wantedTypes(4), [0, 3, 11, 12]);
t.same(wantedTypes(6), [129, 1, 3, 4]);
