import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { Connection } from '../../src/client/connection.js';
import type { ReplyEvent } from '../../src/client/replies.js';
import { requestFromLine } from '../../src/client/request.js';
import { Session } from '../../src/client/session.js';
import { settle, type Settings } from '../../src/client/settings.js';
import { body, LineServer, OK } from './support/line-server.js';

const WITHIN_MS = 30_000;

const settingsFor = (port: number, more: Partial<Settings> = {}): Settings =>
  ({ ...settle({ base: {}, servers: new Map() }, { server: `127.0.0.1:${port}` }, {}), ...more });

async function ask(connection: Connection, line: string, silence: number | undefined = WITHIN_MS, signal?: AbortSignal): Promise<ReplyEvent[]> {
  const events: ReplyEvent[] = [];
  for await (const batch of connection.request(line, { silence, signal })) events.push(...batch);
  return events;
}

void t.test('replies of one connection, one after the other', async (t) => {
  const server = await LineServer.start({ list: body('lj', 'dev'), slow: (socket) => {
    for (const [at, piece] of ['200 O', 'K\nli', 'ne\n30', '0 DONE\n'].entries()) setTimeout(() => socket.write(piece), at * 5);
  } });
  t.teardown(() => server.stop());
  const connection = await Connection.open(settingsFor(server.port));
  t.equal(connection.exposed, false, 'nobody listens in on the loopback');
  t.equal((await ask(connection, 'list')).length, 4);
  t.same(await ask(connection, 'slow'), [{ kind: 'accepted' }, { kind: 'body', text: 'line' }, { kind: 'done', note: '' }]);
  t.equal((await ask(connection, 'what')).length, 1);
  connection.close();
  await t.rejects(ask(connection, 'list'), { message: /^UNREACHABLE/ });
  t.equal(server.connections, 1);
});

void t.test('a server that goes away', async (t) => {
  const server = await LineServer.start({ die: (socket) => socket.destroy(), half: (socket) => { socket.end('200 OK\nlj\n'); } });
  t.teardown(() => server.stop());
  for (const line of ['die', 'half']) {
    const connection = await Connection.open(settingsFor(server.port));
    await t.rejects(ask(connection, line), { message: /^UNCERTAIN: .*was lost before the end of the reply/ });
    t.equal(connection.usable, false);
  }
});

void t.test('a server that turns us away before we asked', async (t) => {
  const server = await LineServer.start({}, { onConnect: (socket) => socket.end('400 TOO MANY CONNECTIONS\n') });
  t.teardown(() => server.stop());
  const connection = await Connection.open(settingsFor(server.port));
  t.same(await ask(connection, 'list'), [{ kind: 'error', phrase: 'TOO MANY CONNECTIONS', detail: '' }]);
});

void t.test('deadlines', async (t) => {
  const server = await LineServer.start({ hang: '200 OK\n' });
  t.teardown(() => server.stop());
  const connection = await Connection.open(settingsFor(server.port));
  await t.rejects(ask(connection, 'hang', 30), { message: /^TIMEOUT: .*said nothing for 0.03 s; what was asked for goes on there/ });
  t.equal(connection.usable, false, 'the rest of its reply must not be taken for the next one');
  const other = await Connection.open(settingsFor(server.port));
  const reason = new Error('enough');
  await t.rejects(ask(other, 'hang', undefined, AbortSignal.abort(reason)), reason);
});

void t.test('no server, and one that takes connections and never a TLS handshake', async (t) => {
  const deaf = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => { deaf.listen(0, '127.0.0.1', resolve); });
  const { port } = deaf.address() as AddressInfo;
  await t.rejects(Connection.open(settingsFor(port, { tls: {}, connectTimeout: 50 })), { message: /^TIMEOUT: .*nothing was done/ });
  await new Promise((resolve) => { deaf.close(resolve); });
  await t.rejects(Connection.open(settingsFor(port)), { message: /^UNREACHABLE: .*nothing listens at 127\.0\.0\.1/ });
});

void t.test('what is no Argo server', async (t) => {
  const server = await LineServer.start({ list: 'HTTP/1.1 400 Bad Request\r\n', long: (socket) => { socket.write(`200 OK\n${'x'.repeat(1_200_000)}`); } });
  t.teardown(() => server.stop());
  for (const line of ['list', 'long']) {
    await t.rejects(ask(await Connection.open(settingsFor(server.port)), line), { message: /^FAILED: .*does not speak the line protocol/ });
  }
});

void t.test('a slow reader holds the server up instead of filling memory', async (t) => {
  let written = 0;
  const server = await LineServer.start({ flood: (socket) => {
    const piece = 'a line of some length, as there are many in a log\n'.repeat(1000);
    socket.write('200 OK\n');
    const fill = (): void => {
      while (written < 64 * 1024 * 1024) {
        written += piece.length;
        if (!socket.write(piece)) { socket.once('drain', fill); return; }
      }
      socket.write('300 DONE\n');
    };
    fill();
  } });
  t.teardown(() => server.stop());
  const connection = await Connection.open(settingsFor(server.port));
  const batches = connection.request('flood', { silence: WITHIN_MS });
  await batches.next();
  let before = -1;
  for (let quiet = 0; quiet < 10; quiet = written === before ? quiet + 1 : 0) {
    before = written;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  t.ok(written < 32 * 1024 * 1024, `the server got rid of ${written} bytes while nobody took them`);
  let lines = 0;
  for await (const batch of batches) lines += batch.length;
  t.ok(lines > 1_000_000, 'and all of it came when it was taken');
});

void t.test('a session logs in when it needs to, and again after it was cut off', async (t) => {
  const server = await LineServer.start({ 'auth steve "p w"': OK, auth: '400 NOT AUTHENTICATED\n', list: body('lj'), die: (socket) => socket.destroy() });
  t.teardown(() => server.stop());
  const warnings: string[] = [];
  let asked = 0;
  const session = new Session(settingsFor(server.port, { account: 'steve' }), {
    password: async () => { asked += 1; return 'p w'; },
    warn: (message) => warnings.push(message),
  });
  const run = async (line: string): Promise<void> => {
    const batches = session.run(requestFromLine(line));
    while ((await batches.next()).done !== true) { /* only the end counts */ }
  };
  await run('list');
  await t.rejects(run('die'), { message: /^UNCERTAIN/ });
  await run('list');
  session.close();
  t.same(server.received, ['auth steve "p w"', 'list', 'die', 'auth steve "p w"', 'list'], 'what was cut off is not sent again');
  t.equal(asked, 1);
  t.match(warnings, [/connected to 127\.0\.0\.1:\d+ again/]);
});

void t.test('a login that fails', async (t) => {
  const server = await LineServer.start({ 'auth busy x': '400 BUSY: too many logins\n', auth: '400 NOT AUTHENTICATED\n' });
  t.teardown(() => server.stop());
  const hooks = { password: async (): Promise<string | undefined> => 'x', warn: () => {} };
  await t.rejects(new Session(settingsFor(server.port, { account: 'steve' }), hooks).connect(), { message: /^NOT AUTHENTICATED: .*refuses the account steve/ });
  await t.rejects(new Session(settingsFor(server.port, { account: 'busy' }), hooks).connect(), { message: 'BUSY: too many logins' });
  await t.rejects(new Session(settingsFor(server.port, { account: 'steve' }), { ...hooks, password: async () => undefined }).connect(), { message: /^NOT AUTHENTICATED: .*no password for steve/ });
  await t.rejects(new Session(settingsFor(server.port, { account: 'a\nb' }), hooks).connect(), { message: /^BAD REQUEST/ });
  t.same(server.received, ['auth steve x', 'auth busy x'], 'no line end gets into a request');
});
