import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { RfbAuthenticationError, RfbError } from '../../../src/protocols/rfb/errors.js';
import { answerTo, logInToRfb } from '../../../src/protocols/rfb/server-side.js';

const WAIT_MS = 30_000;
const NO_PASSWORD = 1;
const PASSWORD = 2;
const CHALLENGE = Buffer.from('0123456789abcdef', 'latin1');
const DONE = [0, 0, 0, 0];

/** What a server says, and how much of an answer it waits for before it goes on. */
type Line = readonly [said: string | readonly number[] | Buffer, awaited: number];

/** A server that says its lines and keeps what it hears, a connection to it, and what comes of a login there. */
async function logIn(t: Test, lines: readonly Line[], password?: string): Promise<{ stream: Duplex; heard: () => Buffer; outcome: unknown }> {
  let heard = Buffer.alloc(0);
  const server = createServer((socket) => {
    const script = [...lines];
    let due = 0;
    const go = (): void => {
      while (heard.length >= due) {
        const line = script.shift();
        if (line === undefined) return;
        const [said, awaited] = line;
        // a byte a packet: what comes in pieces is the same
        for (const byte of typeof said === 'string' ? Buffer.from(said, 'latin1') : said) socket.write(Buffer.from([byte]));
        due += awaited;
      }
    };
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => { heard = Buffer.concat([heard, chunk]); go(); });
    go();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stream = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.teardown(() => { stream.destroy(); server.close(); });
  const outcome = await logInToRfb(stream, password, AbortSignal.timeout(WAIT_MS)).catch((error: unknown) => error);
  return { stream, heard: () => heard, outcome };
}

await t.test('servers of each version, without a password', async (t) => {
  for (const [version, ours, lines, answer] of [
    ['003', '003', [[[0, 0, 0, NO_PASSWORD], 0]], []],
    ['007', '007', [[[1, NO_PASSWORD], 1]], [NO_PASSWORD]],
    ['008', '008', [[[2, PASSWORD, NO_PASSWORD], 1], [DONE, 0]], [NO_PASSWORD]],
    ['889', '008', [[[1, NO_PASSWORD], 1], [DONE, 0]], [NO_PASSWORD]],
  ] as const) {
    const { stream, heard, outcome } = await logIn(t, [[`RFB 003.${version}\n`, 12], ...lines, ['next', 0]]);
    t.equal(outcome, undefined, version);
    let rest = '';
    stream.on('data', (chunk: Buffer) => { rest += chunk.toString('latin1'); });
    while (rest.length < 4) await once(stream, 'data', { signal: AbortSignal.timeout(WAIT_MS) });
    t.equal(rest, 'next', 'what follows is whole');
    t.equal(heard().toString('latin1'), `RFB 003.${ours}\n${String.fromCharCode(...answer)}`);
  }
});

await t.test('a password, right and wrong, and none where one is asked for', async (t) => {
  const lines: readonly Line[] = [['RFB 003.008\n', 12], [[1, PASSWORD], 1], [CHALLENGE, 16]];
  const { heard, outcome } = await logIn(t, [...lines, [DONE, 0]], 'sesame');
  t.equal(outcome, undefined);
  t.same(heard().subarray(13), answerTo(CHALLENGE, 'sesame'));
  t.type((await logIn(t, [...lines, [[0, 0, 0, 1], 0]], 'guess')).outcome, RfbAuthenticationError);
  t.match((await logIn(t, lines)).outcome, { name: 'RfbAuthenticationError', message: /not known/ });
  t.same(answerTo(CHALLENGE, 'longer than eight'), answerTo(CHALLENGE, 'longer t'), 'of which eight bytes count');
});

await t.test('what refuses, asks for other things, or is none', async (t) => {
  t.match((await logIn(t, [['RFB 003.008\n', 12], [[0, 0, 0, 0, 4, 98, 117, 115, 121], 0]])).outcome, { message: /refused: busy/ });
  t.match((await logIn(t, [['RFB 003.003\n', 12], [[0, 0, 0, 0, 0, 0, 0, 4, 98, 117, 115, 121], 0]])).outcome, { message: /refused: busy/ });
  t.match((await logIn(t, [['RFB 003.008\n', 12], [[1, 19], 0]])).outcome, { message: /another kind \(19\)/ });
  const { outcome } = await logIn(t, [['SSH-2.0-OpenSSH_9.2\r\n', 0]]);
  t.type(outcome, RfbError);
});
