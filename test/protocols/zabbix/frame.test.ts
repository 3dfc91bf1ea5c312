import { execFileSync } from 'node:child_process';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { deflateSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { ZABBIX_ENCODED_AT_ONCE } from '../../../src/kit/zabbix-limits.js';
import { ZabbixError, type ZabbixFault } from '../../../src/protocols/zabbix/errors.js';
import { BegunFrame, CONFIGURATION_LIMITS, encodeFrame, MESSAGE_LIMITS, parseMessage, readHeader, type Frame, type FrameLimits, unpack } from '../../../src/protocols/zabbix/frame.js';
import { readFrame } from '../../../src/protocols/zabbix/frame-reader.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';

const NEVER = new AbortController().signal;
const PATIENCE_MS = 20_000;
const MESSAGE = JSON.stringify({ request: 'proxy heartbeat', host: 'west', version: '6.0.14', note: 'näme "q" 漢' });

/** A header as the protocol has it, made by hand. */
function header(flags: number, length: number | bigint, second: number | bigint): Buffer {
  const isLarge = (flags & 4) !== 0;
  const bytes = Buffer.alloc(isLarge ? 21 : 13);
  bytes.write('ZBXD', 'latin1');
  bytes[4] = flags;
  if (isLarge) {
    bytes.writeBigUInt64LE(BigInt(length), 5);
    bytes.writeBigUInt64LE(BigInt(second), 13);
  } else {
    bytes.writeUInt32LE(Number(length), 5);
    bytes.writeUInt32LE(Number(second), 9);
  }
  return bytes;
}

const read = (stream: PassThrough | Socket, limits: FrameLimits = MESSAGE_LIMITS, ms = PATIENCE_MS): Promise<Frame | undefined> =>
  readFrame(stream, limits, ms, NEVER);

/** What the pieces, one after the other, and then the end of the stream are read as. */
function readPieces(pieces: readonly Buffer[], limits?: FrameLimits): Promise<Frame | undefined> {
  const stream = new PassThrough();
  const asked = read(stream, limits);
  for (const piece of pieces) stream.write(piece);
  stream.end();
  return asked;
}

async function refusal(asked: Promise<unknown>): Promise<ZabbixError> {
  const thrown = await asked.then(() => undefined, (error: unknown) => error);
  if (thrown instanceof ZabbixError) return thrown;
  throw new Error(`not refused in plain words: ${String(thrown)}`);
}

void t.test('a message comes as it was sent, in each form and in any pieces', async (t) => {
  for (const [flags, options] of [
    [1, { packed: false }],
    [3, { packed: true }],
    [5, { packed: false, large: true }],
    [7, { packed: true, large: true }],
  ] as const) {
    const wire = await encodeFrame(MESSAGE, options);
    t.equal(wire[4], flags);
    t.equal(readHeader(wire, MESSAGE_LIMITS)?.wire, wire.length - (flags & 4 ? 21 : 13), 'its length is that of what follows');
    for (const size of [1, 7, 13, 20, wire.length]) {
      const pieces = Array.from({ length: Math.ceil(wire.length / size) }, (_, at) => wire.subarray(at * size, (at + 1) * size));
      const frame = await readPieces(pieces);
      t.same(
        { ...frame, content: frame?.content.toString() },
        { content: MESSAGE, packed: (flags & 2) !== 0, large: (flags & 4) !== 0 },
        `flags ${flags}, pieces of ${size}`,
      );
    }
  }
  t.equal(await readPieces([]), undefined, 'an end before a frame begins is none');
});

void t.test('what is wrong is refused in plain words, as soon as it is seen', async (t) => {
  const packed = deflateSync(Buffer.from(MESSAGE));
  const raw = Buffer.byteLength(MESSAGE);
  const bomb = deflateSync(Buffer.alloc(1_000_000));
  const wrong: readonly (readonly [string, ZabbixFault, RegExp, readonly Buffer[]])[] = [
    ['a page of HTTP', 'GARBAGE', /does not begin/, [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
    ['one wrong byte', 'GARBAGE', /does not begin/, [Buffer.from('ZBX'), Buffer.from('E')]],
    ['no flag', 'GARBAGE', /without the flag/, [header(0, 2, 0), Buffer.from('{}')]],
    ['an unknown flag', 'GARBAGE', /flags that are not known \(9\)/, [header(9, 2, 0), Buffer.from('{}')]],
    ['no content', 'GARBAGE', /without content/, [header(1, 0, 0)]],
    ['too long', 'LARGE', /4\.0 GiB, which is more than/, [header(1, 0xffff_ffff, 0)]],
    ['too long for anything', 'LARGE', /16\.0 EiB, which is more than/, [header(5, 0xffff_ffff_ffff_ffffn, 0)]],
    ['unpacks to too much', 'LARGE', /unpacks to 4\.0 GiB, which is more than/, [header(3, 4_000_000, 0xffff_ffff), packed]],
    ['claims what cannot be', 'GARBAGE', /cannot unpack to the/, [header(3, packed.length, 4_000_000), packed]],
    ['a bomb', 'GARBAGE', /unpacks to more than the 100\.0 KiB/, [header(3, bomb.length, 102_400), bomb]],
    ['claims one byte too few', 'GARBAGE', /unpacks to \d+ bytes and claims/, [header(3, packed.length, raw - 1), packed]],
    ['claims one byte too many', 'GARBAGE', /unpacks to \d+ bytes and claims/, [header(3, packed.length, raw + 1), packed]],
    ['not packed at all', 'GARBAGE', /cannot be unpacked/, [header(3, raw, raw), Buffer.from(MESSAGE)]],
    ['packed and cut', 'GARBAGE', /cannot be unpacked/, [header(3, packed.length - 5, raw), packed.subarray(0, -5)]],
    ['bytes after it', 'GARBAGE', /3 bytes more/, [header(1, 2, 0), Buffer.from('{}{}\n')]],
    ['cut in its header', 'CUT', /middle of a message, after 7 bytes/, [header(1, 2, 0).subarray(0, 7)]],
    ['cut in its content', 'CUT', /middle of a message, after 4 of 10 bytes/, [header(1, 10, 0), Buffer.from('{"a"')]],
  ];
  for (const [what, code, words, pieces] of wrong) {
    const error = await refusal(readPieces(pieces));
    t.equal(error.code, code, what);
    t.match(error.message, words, what);
  }
});

void t.test('megabytes that unpack to nothing are worked on in a thread, whatever they claim', async (t) => {
  // blocks without content, after the two bytes that zlib begins with
  const content = Buffer.concat([Buffer.from([0x78, 0x9c]), Buffer.alloc(1_000_000, Buffer.from([0, 0, 0, 0xff, 0xff]))]);
  let turns = 0;
  const count = (): void => {
    turns += 1;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  const error = await refusal(unpack({ packed: true, large: false, header: 13, wire: content.length, raw: 100 }, content));
  clearImmediate(counting);
  t.equal(error.code, 'GARBAGE');
  t.ok(turns > 0, 'others have their turns meanwhile');
});

void t.test('nothing of what is too long is waited for', async (t) => {
  const stream = new PassThrough();
  const asked = refusal(read(stream));
  stream.write(header(1, 100_000_000, 0));
  t.equal((await asked).code, 'LARGE', 'with its header alone');
  t.equal((await refusal(readPieces([header(1, 5_000_000, 0)]))).code, 'LARGE');
  t.equal((await refusal(readPieces([header(1, 5_000_000, 0)], CONFIGURATION_LIMITS))).code, 'CUT', 'which is not too long for a configuration');
});

void t.test('the deadline is for the whole frame', async (t) => {
  const stream = new PassThrough();
  const asked = refusal(read(stream, MESSAGE_LIMITS, 300));
  const wire = Buffer.concat([header(1, 1000, 0), Buffer.alloc(1000, 0x20)]);
  let at = 0;
  const drip = setInterval(() => stream.write(wire.subarray(at, ++at)), 20);
  const error = await asked;
  clearInterval(drip);
  t.equal(error.code, 'LATE');
  t.match(error.message, /no whole message within 300 ms: \d+ /);
  t.equal(stream.listenerCount('readable') + stream.listenerCount('end') + stream.listenerCount('error'), new PassThrough().listenerCount('end'), 'and nothing listens any more');
});

void t.test('who gives up is not kept', async (t) => {
  const controller = new AbortController();
  const asked = refusal(readFrame(new PassThrough(), MESSAGE_LIMITS, PATIENCE_MS, controller.signal));
  controller.abort();
  t.equal((await asked).code, 'ABORTED');
  t.equal((await refusal(readFrame(new PassThrough(), MESSAGE_LIMITS, PATIENCE_MS, controller.signal))).code, 'ABORTED');
});

void t.test('one connection carries one frame after the other', async (t) => {
  const stream = new PassThrough();
  for (const text of ['{"a":1}', '{"b":2}']) {
    const asked = read(stream);
    stream.write(await encodeFrame(text, { packed: true }));
    t.equal((await asked)?.content.toString(), text);
  }
  stream.end();
  t.equal(await read(stream), undefined);
  t.equal(await read(stream), undefined, 'also when its end was seen already');
});

void t.test('a message that was begun before its end was known is as any other', async (t) => {
  const [beginning, end] = [`{"rows":[${'{"näme":"漢"},'.repeat(50_000)}`, '1],"q":"é"}'];
  // a character whose halves lie on both sides of where a text is parted
  const parted = `${'x'.repeat(ZABBIX_ENCODED_AT_ONCE - 1)}\u{1f50c}`;
  t.equal((await readPieces([await new BegunFrame(['{"a":"', parted]).finish(`${parted}"}`)]))?.content.toString(), `{"a":"${parted}${parted}"}`);
  const frame = new BegunFrame([beginning.slice(0, 9), beginning.slice(9)]);
  const wire = await frame.finish(end);
  const head = readHeader(wire, MESSAGE_LIMITS);
  t.match(head, { packed: true, large: false, wire: wire.length - 13, raw: Buffer.byteLength(beginning + end) });
  t.equal((await readPieces([wire]))?.content.toString(), beginning + end);
  t.ok(wire.length < 20_000, 'and packed as one');
  new BegunFrame([beginning]).drop();
});

void t.test('a message is a JSON object', (t) => {
  t.same(parseMessage(Buffer.from('{"a":"ä"}')), { a: 'ä' });
  for (const text of ['', '{', '[]', 'null', '"x"', '1']) t.throws(() => parseMessage(Buffer.from(text)), { code: 'GARBAGE' }, text);
  t.end();
});

/** A server of one connection, whose other end is the given program's. */
async function accept(t: Test): Promise<{ port: number; first: Promise<Socket> }> {
  const server = createServer();
  const first = new Promise<Socket>((resolve) => { server.once('connection', resolve); });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => server.close());
  return { port: (server.address() as AddressInfo).port, first };
}

/** Frames by Python's struct and zlib, with nothing of ours: writes one of each form, and takes one apart. */
const PYTHON = `
import struct, sys, zlib
def frame(text, flags):
    raw = text.encode(); body = zlib.compress(raw) if flags & 2 else raw; second = len(raw) if flags & 2 else 0
    return b'ZBXD' + bytes([flags]) + struct.pack('<QQ' if flags & 4 else '<II', len(body), second) + body
if sys.argv[1] == 'make': print(frame(sys.argv[2], int(sys.argv[3])).hex())
else:
    data = bytes.fromhex(sys.argv[2]); assert data[:4] == b'ZBXD'; flags = data[4]
    size = 16 if flags & 4 else 8; length, second = struct.unpack('<QQ' if flags & 4 else '<II', data[5:5 + size])
    body = data[5 + size:]; assert len(body) == length; raw = zlib.decompress(body) if flags & 2 else body
    assert not flags & 2 or len(raw) == second; print(raw.decode())
`;
const python = (...args: readonly string[]): string => execFileSync('python3', ['-c', PYTHON, ...args], { encoding: 'utf8', timeout: PATIENCE_MS, env: { ...process.env, PYTHONIOENCODING: 'utf-8' } }).trim();

void t.test('frames of Python are read, and ours are read by Python', { skip: lacks('python3') }, async (t) => {
  for (const flags of [1, 3, 5, 7]) {
    t.equal((await readPieces([Buffer.from(python('make', MESSAGE, String(flags)), 'hex')]))?.content.toString(), MESSAGE);
    const ours = await encodeFrame(MESSAGE, { packed: (flags & 2) !== 0, large: (flags & 4) !== 0 });
    t.equal(python('read', ours.toString('hex')), MESSAGE);
  }
});

void t.test('over a socket, where it ends at once', async (t) => {
  const { port, first } = await accept(t);
  const client = connect(port, '127.0.0.1');
  client.on('error', () => undefined);
  client.end(await encodeFrame(MESSAGE, { packed: true }));
  const socket = await first;
  t.equal((await read(socket))?.content.toString(), MESSAGE);
  t.equal(await read(socket), undefined);
  socket.destroy();
});

void t.test('a long message is unpacked piece by piece, and is what it says or refused', async (t) => {
  const text = Buffer.from(JSON.stringify({ data: 'x'.repeat(3_000_000) }));
  const packed = deflateSync(text);
  t.ok((await readPieces([header(3, packed.length, text.length), packed]))?.content.equals(text));
  const bomb = deflateSync(Buffer.alloc(8_000_000));
  for (const [what, words, wire, raw] of [
    ['a bomb', /unpacks to more than/, bomb, 2_000_000],
    ['one byte too few', /unpacks to more than|unpacks to \d+ bytes/, packed, text.length - 1],
    ['one byte too many', /unpacks to \d+ bytes and claims/, packed, text.length + 1],
    ['cut', /cannot be unpacked/, packed.subarray(0, -5), text.length],
    ['not packed', /cannot be unpacked/, Buffer.alloc(4000, 7), 2_000_000],
  ] as const) {
    const error = await refusal(readPieces([header(3, wire.length, raw), wire]));
    t.equal(error.code, 'GARBAGE', what);
    t.match(error.message, words, what);
  }
});

void t.test('what is long waits until there is room, and what is not does not', async (t) => {
  const raw = 5_000_000;
  const wire = deflateSync(Buffer.alloc(raw, 0x20));
  let asked = 0;
  let admit = (): void => undefined;
  const limits = { ...CONFIGURATION_LIMITS, admitLong: () => new Promise<void>((resolve) => { asked += 1; admit = resolve; }) };
  const short = new PassThrough();
  short.end(await encodeFrame(MESSAGE, { packed: true }));
  t.equal((await readFrame(short, limits, PATIENCE_MS, NEVER))?.content.toString(), MESSAGE);
  t.equal(asked, 0);
  for (const pieces of [[Buffer.concat([header(3, wire.length, raw), wire])], [header(3, wire.length, raw), wire]]) {
    asked = 0;
    const stream = new PassThrough({ highWaterMark: 64 });
    const reading = readFrame(stream, limits, PATIENCE_MS, NEVER);
    for (const piece of pieces) stream.write(piece);
    stream.end();
    await until(() => asked === 1, PATIENCE_MS, 'the question for room');
    let isRead = false;
    void reading.then(() => { isRead = true; });
    await new Promise((resolve) => { setImmediate(resolve); });
    t.notOk(isRead);
    admit();
    t.equal((await reading)?.content.length, raw);
    t.equal(asked, 1);
  }
  const refused = new PassThrough();
  refused.write(header(1, 5_000_000, 0));
  t.equal((await refusal(readFrame(refused, { ...limits, admitLong: () => Promise.reject(new ZabbixError('LARGE', 'no room')) }, PATIENCE_MS, NEVER))).message, 'no room');
});

void t.test('whoever says nothing at all has less time', async (t) => {
  const silent = await refusal(readFrame(new PassThrough(), { ...MESSAGE_LIMITS, firstMs: 100 }, PATIENCE_MS, NEVER));
  t.match(silent, { code: 'LATE', message: 'no whole message within 100 ms: nothing came' });
  const slow = new PassThrough();
  const asked = refusal(readFrame(slow, { ...MESSAGE_LIMITS, firstMs: 100 }, 300, NEVER));
  slow.write('ZBXD');
  t.match((await asked).message, /within 300 ms: 4 bytes came/);
});
