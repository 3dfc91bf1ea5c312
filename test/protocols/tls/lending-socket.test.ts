import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { isLender, type Lender } from '../../../src/kit/lender.js';
import { connectConsole } from '../../../src/protocols/tls/lending-socket.js';
import { freePort } from '../../support/ports.js';
import { until } from '../../support/until.js';

const { signal } = new AbortController();
const MANY = randomBytes(3 * 1024 * 1024);
const WITHIN = 10_000;

/** A connection, and its other end. @param isRead whether that reads what comes */
async function connected(t: Test, isRead = true): Promise<{ readonly stream: Lender; readonly peer: Socket }> {
  const server = createServer({ pauseOnConnect: !isRead }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [stream, [peer]] = await Promise.all([connectConsole({ host: '127.0.0.1', port }, signal), once(server, 'connection') as Promise<[Socket]>]);
  peer.on('error', () => undefined);
  t.teardown(() => {
    stream.destroy();
    peer.destroy();
    server.close();
  });
  if (!isLender(stream)) throw new Error('it lends nothing');
  return { stream, peer };
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

await t.test('what is lent is what came, whoever gives it back when, and the end is told behind it', async (t) => {
  const { stream, peer } = await connected(t);
  peer.write('first');
  await once(stream, 'readable');
  const got = createHash('sha256');
  let bytes = 0;
  let lent = 0;
  let mostLent = 0;
  const chunks: Buffer[] = [];
  stream.lend((chunk, giveBack) => {
    got.update(chunk);
    bytes += chunk.length;
    lent += 1;
    mostLent = Math.max(mostLent, lent);
    chunks.push(chunk);
    const later = async (): Promise<void> => {
      for (let turn = 0; turn < bytes % 3; turn += 1) await nextTurn();
      lent -= 1;
      giveBack();
    };
    void later();
  });
  peer.end(MANY);
  await once(stream, 'end');
  t.equal(bytes, 'first'.length + MANY.length);
  t.equal(got.digest('hex'), digest(Buffer.concat([Buffer.from('first'), MANY])), 'in order, and nothing twice');
  t.ok(mostLent <= 3, 'the memory is bounded: two pieces, and what had come before');
  t.ok(new Set(chunks.map(({ buffer }) => buffer)).size <= 3, 'and it is the same memory all the time');
});

await t.test('nothing more is read while nothing is given back', async (t) => {
  const { stream, peer } = await connected(t);
  const held: (() => void)[] = [];
  stream.lend((_, giveBack) => void held.push(giveBack));
  while (peer.write(MANY));
  await until(() => held.length === 2, WITHIN, 'both pieces');
  const { bytesRead } = stream as unknown as { bytesRead?: number };
  t.equal(bytesRead, undefined, 'nothing of the connection is shown');
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  t.equal(held.length, 2);
  held.shift()!();
  await until(() => held.length === 2, WITHIN, 'one more');
  t.ok(peer.writableNeedDrain, 'the other side is not read faster than it is taken');
});

await t.test('who asks for no loan reads as of any stream, and may keep what he got', async (t) => {
  const { stream, peer } = await connected(t);
  peer.end(MANY);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
    if (chunks.length % 5 === 0) await nextTurn();
  }
  t.equal(digest(Buffer.concat(chunks)), digest(MANY));
});

await t.test('what is written arrives, and its end', async (t) => {
  const { stream, peer } = await connected(t);
  stream.lend((_, giveBack) => giveBack());
  stream.end(MANY);
  const chunks: Buffer[] = [];
  for await (const chunk of peer) chunks.push(chunk as Buffer);
  t.equal(digest(Buffer.concat(chunks)), digest(MANY));
  await until(() => stream.destroyed, WITHIN, 'the end');
});

await t.test('a connection that is cut off fails, and one that is refused or given up is none', async (t) => {
  const { stream, peer } = await connected(t, false);
  const lost = once(stream, 'error').catch((error: unknown) => [error]);
  stream.lend((_, giveBack) => giveBack());
  // what was not read is lost with the connection, and the kernel says so by a reset
  await new Promise((resolve) => { stream.write('x', resolve); });
  peer.destroy();
  t.match(await lost, [{ code: 'ECONNRESET' }]);
  const port = await freePort();
  await t.rejects(connectConsole({ host: '127.0.0.1', port }, signal), { code: 'ECONNREFUSED' });
  const aborted = AbortSignal.abort(new Error('nobody waits'));
  await t.rejects(connectConsole({ host: '127.0.0.1', port }, aborted), { message: 'nobody waits' });
});
