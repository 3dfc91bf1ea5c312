import { connect as connectSocket, createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { Command, Plugin } from '../../src/plugins/host/contract.js';
import { Connection } from '../../src/server/connection.js';
import { connect, LineClient } from '../support/line-client.js';
import { seededRandom } from '../support/seeded-random.js';
import { until } from '../support/until.js';
import { SEED_CONFIG, startCore, type CoreOptions } from './core.js';

/** Generous: a machine under load is slow, a server that does not answer never answers. */
const WITHIN = 60_000;

/** A listening server and a client of it. */
async function serve(t: Test, options: CoreOptions = {}) {
  const core = await startCore(t, options);
  const { port, server } = await core.listen();
  const client = async (): Promise<LineClient> => {
    const one = await connect(port);
    t.teardown(() => one.destroy());
    return one;
  };
  return { ...core, port, server, client };
}

const withServer = (...lines: string[]): string => SEED_CONFIG.replace('[server]', ['[server]', ...lines].join('\n'));
const command = (word: string, run: Command['run']): Plugin => ({ commands: [{ word, usage: word, help: 'For a test.', right: 'anyone', run }] });

/** What a server sends in all to bytes that come in so many pieces, until it closes. */
async function exchange(port: number, pieces: readonly Buffer[]): Promise<string> {
  const client = await connect(port);
  client.socket.setEncoding('latin1');
  for (const piece of pieces) {
    client.send(piece);
    // one chunk a piece: the first must have been read when the second comes
    if (pieces.length > 1) await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
  client.end();
  const all = await client.closed(WITHIN);
  client.destroy();
  return all;
}

const IAC = '\xff';
/** Requests whose replies never change, in Latin-1. */
const CORPUS = [
  'list\r\n', 'LIST available\n', '  nop\t\r\n', '\n', ' \r\n', 'auth steve steve\n', 'status lj\r\n', 'pause "lj"\n', 'status l* dev\n', 'bogus\r\n',
  `sta${IAC}\xfd\x01tus${IAC}\xfa\x18\x00x\n${IAC}\xf0 lj\n`, 'nop\r\0', 'status "\xc3\xa9\\"\\\\"\n', 'status "open\n', 'nop \xff\xff\n', 'nop\x07\n', 'a\rb\n', 'x'.repeat(150) + '\r\n',
  'unpause --timeout=60 lj\n', 'stop --bogus\n', 'exit\r\n',
].join('');

await t.test('every cut of the input gives the same replies', async (t) => {
  const { port } = await serve(t, { config: withServer('max-line = 100', 'max-connections-per-address = 1000') });
  const bytes = Buffer.from(CORPUS, 'latin1');
  // how a line that is too long ends is not known yet when it is answered in pieces
  const plain = (text: string): string => text.replace(/(LINE TOO LONG[^\r\n]*)\r?\n/, '$1\n');
  const whole = plain(await exchange(port, [bytes]));
  const strip = (text: string): string => text.replace(`${IAC}\xfc\x01`, '');
  t.equal(whole.includes(`${IAC}\xfc\x01`), true, 'telnet is answered');
  const lines = strip(whole);
  t.equal(lines, [
    '200 OK\r\nlj\r\nbuilder\r\ntest\r\ndev\r\n300 DONE\r\n', '200 OK\nlj\nbuilder\ntest\ndev\n300 DONE\n', '200 OK\r\n300 DONE\r\n', '200 OK\n300 DONE\n', '200 OK\r\non\r\n300 DONE\r\n',
    '200 OK\n300 DONE\n', lines.includes('200 OK\nlj: paused\ndev: on\n') ? '200 OK\nlj: paused\ndev: on\n300 DONE\n' : '200 OK\ndev: on\nlj: paused\n300 DONE\n', '400 UNKNOWN COMMAND: help lists the commands\r\n',
    '200 OK\npaused\n300 DONE\n', '200 OK\r\n300 DONE\r\n', '400 NO SUCH INSTANCE: \xc3\xa9"\\\n', '400 BAD REQUEST: an open quote\n', '400 BAD REQUEST: not UTF-8: the byte 255 and no whole telnet command\n', '400 BAD REQUEST: control characters\n',
    '400 BAD REQUEST: control characters\n', '400 LINE TOO LONG: more than 100 bytes\n', '200 OK\n300 DONE\n', /400 USAGE[^\n]*\n/.exec(lines)?.[0] ?? '', '200 OK\r\n300 DONE\r\n',
  ].join(''));
  const cuts = Array.from({ length: bytes.length - 1 }, (_, index) => index + 1);
  const differing: number[] = [];
  for (const cut of cuts) {
    const given = plain(await exchange(port, [bytes.subarray(0, cut), bytes.subarray(cut)]));
    // answers to telnet go out at once, so where they stand depends on the cut
    if (strip(given) !== lines || !given.includes(`${IAC}\xfc\x01`)) differing.push(cut);
  }
  t.same(differing, []);
});

await t.test('replies end as the last line did', async (t) => {
  const { client } = await serve(t);
  const one = await client();
  for (const [line, reply] of [['nop\n', '200 OK\n300 DONE\n'], ['nop\r\n', '200 OK\r\n300 DONE\r\n'], ['nop\r\0', '200 OK\r\n300 DONE\r\n'], ['bogus\r\n', '400 NOT AUTHENTICATED\r\n'], ['nop\n', '200 OK\n300 DONE\n']] as const) {
    one.send(line);
    t.equal(await one.expect(/(300|400)[^\n]*\n/), reply);
  }
});

await t.test('the server says nothing first', async (t) => {
  const { client } = await serve(t);
  const one = await client();
  await t.rejects(one.expect(/./, 300), { message: /received ""/ });
  t.equal((await one.ask('nop')).code, 300);
});

await t.test('pipelined requests are answered in order, one at a time', async (t) => {
  const order: string[] = [];
  let running = 0;
  const plugin: Plugin = { commands: [{ word: 'slow', usage: 'slow', help: 'x', right: 'anyone', run: async ({ args: [ms = ''], body }) => {
    running += 1;
    order.push(`${ms} ${running}`);
    await new Promise((resolve) => { setTimeout(resolve, Number(ms)); });
    running -= 1;
    body.line(ms);
  } }] };
  const { client } = await serve(t, { plugins: { plugin } });
  const one = await client();
  one.send('slow 60\nnop\nslow 20\nslow 1\nlist bogus\nslow 5\n');
  const replies = [];
  for (let count = 0; count < 6; count += 1) replies.push((await one.reply()).body.join());
  t.same(replies, ['60', '', '20', '1', '', '5']);
  t.same(order, ['60 1', '20 1', '1 1', '5 1']);
});

await t.test('a slow request delays no other connection', async (t) => {
  let release: () => void = () => undefined;
  const { client } = await serve(t, { plugins: { plugin: command('slow', () => new Promise<void>((resolve) => { release = resolve; })) } });
  const [slow, other] = [await client(), await client()];
  slow.line('slow');
  for (let count = 0; count < 5; count += 1) t.equal((await other.ask('nop')).code, 300);
  release();
  t.equal((await slow.reply()).code, 300);
});

await t.test('who closes the sending half still gets the replies', async (t) => {
  const { client } = await serve(t);
  const one = await client();
  one.send('auth steve steve\nstatus lj\nlist\nnop');
  one.end();
  t.equal(await one.closed(WITHIN), '200 OK\n300 DONE\n200 OK\non\n300 DONE\n200 OK\nlj\nbuilder\ntest\ndev\n300 DONE\n400 BAD REQUEST: the last line has no end\n');
  const silent = await client();
  silent.end();
  t.equal(await silent.closed(WITHIN), '');
});

await t.test('exit and quit close after their reply, and what was sent behind them is dropped', async (t) => {
  const { client } = await serve(t);
  for (const line of ['exit', 'quit', 'EXIT']) {
    const one = await client();
    one.send(`nop\n${line}\nlist\nnop\n`);
    t.equal(await one.closed(WITHIN), '200 OK\n300 DONE\n200 OK\n300 DONE\n');
  }
});

await t.test('a client that keeps its half open after exit holds no place for ever', async (t) => {
  const { client } = await serve(t, { config: withServer('max-connections-per-address = 1') });
  const first = await client();
  first.line('exit');
  await first.closed(WITHIN);
  // its socket is still open for sending, as of a client that never closes
  const second = await client();
  t.equal((await second.reply()).comment, 'TOO MANY CONNECTIONS');
  let other = second;
  await until(async () => {
    other = await client();
    other.line('nop');
    return (await other.reply()).code === 300;
  }, WITHIN, 'the place of the first');
  t.ok(other);
});

await t.test('too many connections, from one address and in all', async (t) => {
  const { client, logged } = await serve(t, { config: withServer('max-connections = 3', 'max-connections-per-address = 2') });
  const [one, two] = [await client(), await client()];
  t.equal((await one.ask('nop')).code, 300);
  t.equal((await two.ask('nop')).code, 300);
  const three = await client();
  // old clients send at once; they must still come to read why
  three.send('list\n'.repeat(100));
  t.equal(await three.closed(WITHIN), '400 TOO MANY CONNECTIONS\n');
  t.equal(logged.some((line) => line.startsWith('warn connection refused')), true);
  one.line('exit');
  await one.closed();
  one.end();
  await until(async () => {
    const again = await client();
    return (await again.ask('nop')).code === 300;
  }, WITHIN, 'the place of one that left');
});

await t.test('connections from other addresses have places of their own, up to the total', async (t) => {
  const { port } = await serve(t, { config: withServer('max-connections = 3', 'max-connections-per-address = 1') });
  const from = async (localAddress: string): Promise<LineClient> => {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const one = connectSocket({ port, host: '127.0.0.1', localAddress }, () => resolve(one));
      one.once('error', reject);
    });
    t.teardown(() => socket.destroy());
    return LineClient.over(socket);
  };
  const clients = [];
  for (const last of [1, 2, 3]) clients.push(await from(`127.0.0.${last}`));
  for (const client of clients) t.equal((await client.ask('nop')).code, 300);
  t.equal((await (await from('127.0.0.4')).reply()).comment, 'TOO MANY CONNECTIONS');
});

await t.test('an idle connection is told and closed; requests count as activity, bytes do not', async (t) => {
  const { client } = await serve(t, { config: withServer('idle-timeout = "400ms"') });
  const [idle, dripping, active] = [await client(), await client(), await client()];
  let ended = false;
  const drip = async (): Promise<void> => {
    while (!ended) {
      dripping.send('x');
      active.line('nop');
      await active.reply();
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  };
  const running = drip();
  t.equal(await idle.closed(WITHIN), '400 TIMEOUT: idle for 400 ms\n');
  t.equal(await dripping.closed(WITHIN), '400 TIMEOUT: idle for 400 ms\n');
  ended = true;
  await running;
  t.equal((await active.ask('list')).code, 300);
});

await t.test('a request under way is activity', async (t) => {
  let release: () => void = () => undefined;
  const { client } = await serve(t, { config: withServer('idle-timeout = "200ms"'), plugins: { plugin: command('slow', () => new Promise<void>((resolve) => { release = resolve; })) } });
  const [slow, idle] = [await client(), await client()];
  slow.line('slow');
  await idle.closed(WITHIN);
  const again = await client();
  await again.closed(WITHIN);
  release();
  t.equal((await slow.reply()).code, 300);
});

await t.test('a reader that stops holds up the work, and memory stays where it is', async (t) => {
  let made = 0;
  const plugin = command('flood', ({ body }) => body.lines((function* () {
    for (;;) {
      made += 1;
      yield 'a line of the body that never ends';
    }
  })()));
  const { client } = await serve(t, { plugins: { plugin } });
  const reader = await client();
  reader.socket.pause();
  reader.line('flood');
  let before = -1;
  await until(async () => {
    const still = made > 0 && made === before;
    before = made;
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    return still;
  }, WITHIN, 'the end of the work');
  const stopped = made;
  const other = await client();
  for (let count = 0; count < 50; count += 1) await other.ask('nop');
  t.equal(made, stopped, 'nothing further is made while nothing is read');
  reader.destroy();
  for (let count = 0; count < 50; count += 1) await other.ask('nop');
  t.ok(made - stopped < 2000, 'and nothing when the reader is gone');
});

/** What a client sends over and over without reading anything. */
const FLOODS: Readonly<Record<string, Buffer>> = {
  requests: Buffer.from('list\n'.repeat(10_000)),
  'telnet options': Buffer.from('\xff\xfd\x01'.repeat(20_000), 'latin1'),
  'lines that are too long': Buffer.from('x'.repeat(60_000)),
  'bad lines': Buffer.from('\u0001\n'.repeat(30_000)),
};

for (const [name, chunk] of Object.entries(FLOODS)) {
  await t.test(`memory stays where it is while a client sends ${name} and reads nothing`, async (t) => {
    const { dispatcher, session } = await startCore(t);
    const sides: Socket[] = [];
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sides.push(socket);
      void session().then((one) => new Connection(socket, one, dispatcher, 4096));
    });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    t.teardown(() => server.close());
    const client = connectSocket({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
    client.on('error', () => undefined);
    t.teardown(() => client.destroy());
    client.pause();
    let sent = 0;
    const flood = (): void => {
      // either the server takes no more, or it has taken 32 MiB
      while (sent < 32 * 1024 * 1024) {
        sent += chunk.length;
        if (!client.write(chunk)) { client.once('drain', flood); return; }
      }
    };
    flood();
    let most = 0;
    let read = -1;
    let quiet = 0;
    await until(() => {
      const bytes = sides[0]?.bytesRead ?? 0;
      most = Math.max(most, ...sides.map(({ writableLength, readableLength }) => writableLength + readableLength));
      quiet = bytes > 0 && bytes === read ? quiet + 1 : 0;
      read = bytes;
      return quiet > 15;
    }, WITHIN, 'the server to read no more');
    t.ok(most < 512 * 1024, `${most} bytes waited in the server at most, of ${sent} sent`);
  });
}

await t.test('a long reply comes whole to a slow reader, also when the server closes meanwhile', async (t) => {
  const count = 200_000;
  const plugin = command('long', ({ body }) => body.lines(Array.from({ length: count }, (_, index) => `line ${index}`)));
  const { client, server } = await serve(t, { plugins: { plugin } });
  const one = await client();
  one.socket.pause();
  one.send('long\n');
  const other = await client();
  await other.ask('nop');
  const closing = server.close(WITHIN);
  await new Promise((resolve) => { setTimeout(resolve, 100); });
  one.socket.resume();
  const text = await one.closed(WITHIN);
  t.equal(text.endsWith(`line ${count - 1}\n300 DONE\n400 SHUTTING DOWN\n`), true, text.slice(-60));
  other.end();
  one.end();
  await closing;
});

await t.test('garbage does no harm', async (t) => {
  const { client, logged } = await serve(t);
  let state = 12345;
  const random = (): number => (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 8;
  for (let round = 0; round < 20; round += 1) {
    const one = await client();
    one.send(Buffer.from(Array.from({ length: 5000 }, () => random() & 0xff)));
    one.end();
    await one.closed(WITHIN);
  }
  const one = await client();
  one.send('\u0001x\n'.repeat(100_000));
  for (let count = 0; count < 100_000; count += 1) await one.expect('400 BAD REQUEST: control characters\n');
  t.equal((await one.ask('nop')).code, 300);
  t.same(logged.filter((line) => line.startsWith('error')), []);
});

await t.test('a client that breaks off in the middle of everything', async (t) => {
  let finished = 0;
  const plugin = command('slow', async ({ body }) => {
    await new Promise((resolve) => { setTimeout(resolve, 30); });
    body.line('too late');
    finished += 1;
  });
  const { client, logged } = await serve(t, { plugins: { plugin } });
  for (let count = 0; count < 20; count += 1) {
    const one = await client();
    one.send('list\nslow\nlist\n');
    if (count % 2 === 0) one.socket.resetAndDestroy();
    else one.destroy();
  }
  const patient = await client();
  t.equal((await patient.ask('slow')).code, 300);
  t.ok(finished >= 1);
  t.same(logged.filter((line) => line.startsWith('error')), []);
});

await t.test('a line of other white space than blanks is answered, and one that may be longer than what may wait', async (t) => {
  const { client } = await serve(t, { config: withServer('max-line = 1000000') });
  const one = await client();
  one.send('\u00a0\n\u3000\n');
  for (let count = 0; count < 2; count += 1) t.equal((await one.reply()).comment, 'NOT AUTHENTICATED');
  one.send(`${'x'.repeat(500_000)}\nnop\n`);
  t.equal((await one.reply()).code, 400);
  t.equal((await one.reply()).code, 300);
});

await t.test('a subnegotiation that never ends leaves nobody without an answer', async (t) => {
  const { client } = await serve(t);
  const one = await client();
  one.send(Buffer.from('list\xff\xfa\x18\nlist\n', 'latin1'));
  for (let count = 0; count < 2; count += 1) t.equal((await one.reply(WITHIN)).comment, 'BAD REQUEST: not UTF-8: the byte 255 and no whole telnet command');
  t.equal((await one.ask('nop')).code, 300);
  const two = await client();
  two.send(Buffer.from('\xff\xfanop\n', 'latin1'));
  two.end();
  t.equal(await two.closed(WITHIN), '400 BAD REQUEST: not UTF-8: the byte 255 and no whole telnet command\n');
});

await t.test('a session tells when its client has gone, once, and at once when it has already', async (t) => {
  const { dispatcher, session } = await startCore(t);
  const one = await session();
  const server = createServer((socket) => { new Connection(socket, one, dispatcher, 4096); });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => server.close());
  const told: string[] = [];
  one.onGone(() => told.push('first'));
  one.onGone(() => told.push('taken away'))();
  const client = await connect((server.address() as AddressInfo).port);
  t.equal((await client.ask('nop')).code, 300);
  t.same(told, []);
  client.socket.resetAndDestroy();
  await until(() => one.isGone, WITHIN, 'the end of the session');
  t.same(told, ['first']);
  one.onGone(() => told.push('late'));
  t.same(told, ['first', 'late']);
});

await t.test('hostile lines: each has exactly one reply, however they are cut', async (t) => {
  const { client } = await serve(t);
  const random = seededRandom(8_2026);
  const special = ['\xff', '\xff\xfd', '\xff\xfb\x01', '\xff\xf1', '\xff\xfa\x18\xff\xf0', '\0', '\x07', '\xc3\xa9', '\xe9', '"', '\\', ' ', '\t', '\xa0', '--wait=', '*', '[1-', '@', '/', 'nop', 'list', 'status', 'auth'];
  for (let round = 0; round < 20; round += 1) {
    const one = await client();
    // the letter q keeps a line from being empty or a login, and its replies from having a body
    const lines = Array.from({ length: 500 }, () => `q${Array.from({ length: random.below(8) }, () => special[random.below(special.length)]).join('')}\n`);
    const bytes = Buffer.from(lines.join(''), 'latin1');
    for (let at = 0; at < bytes.length;) {
      const length = 1 + random.below(2000);
      one.send(bytes.subarray(at, at += length));
    }
    one.send('nop\n');
    one.end();
    const all = await one.closed(WITHIN);
    const ends = all.split('\n').filter((line) => /^(?:[^2-4]*)?[34]00(?: |$)/.test(line));
    t.equal(ends.length, lines.length + 1, `round ${round}`);
    t.equal(all.endsWith('200 OK\n300 DONE\n'), true, 'the nop after them is answered');
  }
});
