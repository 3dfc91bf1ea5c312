import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { ForeignAnswerError } from '../../../src/protocols/xapi/errors.js';
import { collect, HttpLink } from '../../../src/protocols/xapi/http.js';
import { ConnectionLostError } from '../../../src/protocols/tls/errors.js';

/** A server of which each connection gets the same words, whatever it says. */
async function setUp(t: Test, words: string): Promise<HttpLink> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.write(words));
    t.teardown(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = new HttpLink(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), { kind: 'anyone' });
  t.teardown(() => {
    link.close();
    server.close();
  });
  return link;
}

const ask = (link: HttpLink, signal: AbortSignal, limits: { timeout?: number; limit?: number }): Promise<unknown> =>
  link.exchange({ method: 'POST', path: '/', body: 'x', signal, ...limits }, async ({ body }) => (await collect(body)).toString())
    .catch((error: unknown) => error);

const patient = (): AbortSignal => AbortSignal.timeout(60_000);

void t.test('a call has its own end, whether nothing is answered or half of it', async (t) => {
  for (const words of ['', 'HTTP/1.1 200 OK\r\ncontent-le', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf']) {
    const lost = await ask(await setUp(t, words), patient(), { timeout: 200 });
    t.ok(lost instanceof ConnectionLostError, String(lost));
    t.match(lost, { message: 'no answer within 0.2 s', sent: true }, 'the server may have had it');
  }
});

void t.test('who gives up is told his own reason', async (t) => {
  const link = await setUp(t, '');
  const reason = new Error('enough');
  t.equal(await ask(link, AbortSignal.abort(reason), {}), reason);
  const stop = new AbortController();
  const asked = ask(link, stop.signal, {});
  setTimeout(() => stop.abort(reason), 50);
  t.equal(await asked, reason);
});

void t.test('answers that are too long, or no HTTP', async (t) => {
  const long = await ask(await setUp(t, `HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n${'x'.repeat(5000)}`), patient(), { limit: 1000 });
  t.ok(long instanceof ForeignAnswerError, String(long));
  t.ok(await ask(await setUp(t, 'SSH-2.0-OpenSSH_9.2p1\r\n'), patient(), {}) instanceof ConnectionLostError);
  t.equal(await ask(await setUp(t, 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), patient(), {}), 'ok');
});
