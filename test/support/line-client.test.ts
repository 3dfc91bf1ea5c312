import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { connect, type LineClient } from './line-client.js';

/** A client whose server does what the test says with its end of the connection. */
async function pair(t: Test, serve: (socket: Socket) => void): Promise<LineClient> {
  const server = createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => server.close());
  const address = server.address();
  const client = await connect(typeof address === 'object' && address !== null ? address.port : 0);
  t.teardown(() => client.destroy());
  return client;
}

await t.test('replies are read one by one, however they are cut', async (t) => {
  const client = await pair(t, (socket) => {
    socket.setNoDelay(true);
    socket.once('data', () => {
      socket.write('200 OK\r\nlj\r\n 300 x\r\n30');
      setImmediate(() => socket.write('0 DONE\r\n400 NOT ALLOWED\n200\n300\n'));
    });
  });
  client.line('list');
  t.same(await client.reply(), { code: 300, comment: 'DONE', accepted: 'OK', body: ['lj', ' 300 x'] });
  t.same(await client.reply(), { code: 400, comment: 'NOT ALLOWED', accepted: undefined, body: [] });
  t.same(await client.reply(), { code: 300, comment: '', accepted: '', body: [] });
});

await t.test('expect consumes up to what it finds', async (t) => {
  const client = await pair(t, (socket) => { socket.write('one two three'); });
  t.equal(await client.expect('two'), 'one two');
  t.equal(await client.expect(/t\w+/), ' three');
});

await t.test('a wait that is in vain says what came instead', async (t) => {
  const client = await pair(t, (socket) => { socket.write('200 OK\nhalf'); });
  await t.rejects(client.reply(100), { message: /100 ms.*200 OK\\nhalf/ });
});

await t.test('a reply that is none is refused', async (t) => {
  const client = await pair(t, (socket) => { socket.write('hello\n300 DONE\n'); });
  await t.rejects(client.reply(), { message: /hello/ });
});

await t.test('the end of the connection', async (t) => {
  const client = await pair(t, (socket) => {
    socket.resume().once('end', () => socket.end('late'));
  });
  client.end();
  t.equal(await client.closed(), 'late');
  await t.rejects(client.reply(), { message: /closed the connection/ });
});
