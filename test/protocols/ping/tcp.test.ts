import { createServer } from 'node:net';
import t from 'tap';
import { probeTcp } from '../../../src/protocols/ping/tcp.js';

const never = new AbortController().signal;

/** A port of 127.0.0.1, and what closes it. */
async function port(): Promise<{ port: number; close: () => Promise<unknown> }> {
  const server = createServer();
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, close: () => new Promise((resolve) => server.close(resolve)) };
}

await t.test('a port that is open, and one that is closed, tell of a host that is up', async (t) => {
  const server = await port();
  t.match(await probeTcp('127.0.0.1', server.port, { signal: never }), { alive: true, open: true });
  await server.close();
  t.match(await probeTcp('127.0.0.1', server.port, { signal: never }), { alive: true, open: false });
});

await t.test('nothing can be told where no connection can be tried', async (t) => {
  await t.rejects(probeTcp('255.255.255.255', 22, { signal: never }), { kind: 'not sent', message: /no connection could be tried to 255/ });
});

await t.test('aborted', async (t) => {
  await t.rejects(probeTcp('127.0.0.1', 9, { signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' });
});
