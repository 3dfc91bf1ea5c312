import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { TrustedAgent } from '../../../src/protocols/http/agents.js';
import { collect, HttpClient, type HttpRequest } from '../../../src/protocols/http/client.js';
import { ForeignAnswerError } from '../../../src/protocols/http/errors.js';
import { parseFingerprint, type Trust } from '../../../src/protocols/tls/connect.js';
import { CertificateError, ConnectionLostError } from '../../../src/protocols/tls/errors.js';
import { clientOf, reply, serve, untilIdle, type Behaviour } from './server.js';

const patient = (): AbortSignal => AbortSignal.timeout(60_000);

type Asked = Partial<HttpRequest> & { readonly timeout?: number };

/** What comes of a request: the text of its answer, or its error. */
const ask = (client: HttpClient, asked: Asked = {}): Promise<unknown> =>
  client.exchange({ method: 'POST', path: '/', body: 'x', signal: patient(), ...asked }, async ({ body }) => (await collect(body)).toString())
    .catch((error: unknown) => error);

/** A server of which each request gets the same words. */
const saying = (words: string): Behaviour => (socket) => socket.write(words);

void t.test('what is sent and what is answered', async (t) => {
  const server = await serve(t, (socket) => socket.write(reply(404, 'größer', ['Content-Type: Text/HTML; charset=utf-8', 'Set-Cookie: a=1', 'Set-Cookie: b=2'])));
  const client = clientOf(t, server);
  let sends = 0;
  const seen = await client.exchange(
    { method: 'PATCH', path: '/redfish/v1?only', headers: { 'x-auth-token': 'secret' }, body: 'grün', signal: patient(), onSend: () => { sends += 1; } },
    async (answer) => ({ status: answer.status, type: answer.type, cookies: answer.header('set-cookie'), none: answer.header('location'), body: (await collect(answer.body)).toString() }),
  );
  t.same(seen, { status: 404, type: 'text/html', cookies: ['a=1', 'b=2'], none: [], body: 'größer' });
  t.equal(sends, 1);
  const [request] = server.received;
  t.match(request, { line: 'PATCH /redfish/v1?only HTTP/1.1', body: 'grün' });
  t.match(Object.fromEntries(request!.headers), { host: server.origin.host, 'x-auth-token': 'secret', 'content-length': '5' });
  await client.exchange({ method: 'GET', path: '/', signal: patient() }, ({ body }) => collect(body));
  t.notOk(server.received[1]!.headers.has('content-length'), 'a question without a body');
  t.equal(server.received[1]!.connection, 1, 'over the connection that was kept');
});

void t.test('nobody is followed to another place', async (t) => {
  const elsewhere = await serve(t, saying(reply(200)));
  const server = await serve(t, saying(reply(307, 'there', [`Location: ${elsewhere.origin.href}`])));
  t.equal(await ask(clientOf(t, server)), 'there');
  t.equal(elsewhere.received.length, 0);
});

void t.test('an exchange has its own end, whether nothing is answered or half of it', async (t) => {
  for (const words of ['', 'HTTP/1.1 200 OK\r\ncontent-le', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf']) {
    const lost = await ask(clientOf(t, await serve(t, saying(words))), { timeout: 200 });
    t.ok(lost instanceof ConnectionLostError, String(lost));
    t.match(lost, { message: 'no answer within 0.2 s', sent: true }, 'the server may have had it');
  }
});

void t.test('who gives up is told his own reason, and nothing is sent for him afterwards', async (t) => {
  const server = await serve(t, () => undefined);
  const client = clientOf(t, server, 1);
  const reason = new Error('enough');
  t.equal(await ask(client, { signal: AbortSignal.abort(reason) }), reason);
  const first = new AbortController();
  const second = new AbortController();
  let sends = 0;
  const onSend = (): void => { sends += 1; };
  const asked = ask(client, { signal: first.signal, onSend });
  const waiting = ask(client, { signal: second.signal, onSend, path: '/waits' });
  second.abort(reason);
  t.equal(await waiting, reason, 'while it waits for the one connection');
  const late = await ask(client, { timeout: 100, onSend });
  t.match(late, { name: 'ConnectionLostError', sent: false }, 'it never had a connection');
  t.equal(sends, 1);
  first.abort(reason);
  t.equal(await asked, reason);
  server.behave = saying(reply(200, 'ok'));
  t.equal(await ask(client), 'ok');
  t.same(server.received.map(({ line }) => line), ['POST / HTTP/1.1', 'POST / HTTP/1.1']);
});

void t.test('answers that are too long, or no HTTP', async (t) => {
  for (const words of [
    reply(200, 'x'.repeat(5000)),
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + `3e8\r\n${'x'.repeat(1000)}\r\n`.repeat(5),
    'SSH-2.0-OpenSSH_9.2p1\r\n',
    `HTTP/1.1 200 OK\r\n${'X-Header: 12345678901234567890\r\n'.repeat(2000)}\r\n`,
  ]) {
    const foreign = await ask(clientOf(t, await serve(t, saying(words))), { limit: 1000 });
    t.ok(foreign instanceof ForeignAnswerError, String(foreign));
  }
  t.equal(await ask(clientOf(t, await serve(t, saying(reply(200, 'x'.repeat(1000))))), { limit: 1000 }), 'x'.repeat(1000));
});

void t.test('a server that goes on with another protocol, which nobody has asked for', async (t) => {
  const client = clientOf(t, await serve(t, saying('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nx')));
  for (let time = 0; time < 20; time += 1) {
    const foreign = await ask(client);
    t.ok(foreign instanceof ForeignAnswerError, String(foreign));
  }
});

void t.test('a body is taken as it comes, and one that nobody reads to its end costs the connection alone', async (t) => {
  const server = await serve(t, saying('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst'));
  const client = clientOf(t, server);
  const answer = await client.open({ method: 'GET', path: '/', signal: patient() });
  const body = answer.body[Symbol.asyncIterator]();
  t.equal(String((await body.next()).value), 'first', 'before the rest is there');
  answer.discard();
  t.match(await body.next().then(() => 'an end', (error: unknown) => error), { name: 'ConnectionLostError', sent: true });
  server.behave = saying(reply(200, 'ok'));
  t.equal(await ask(client), 'ok');
  const stop = new AbortController();
  server.behave = saying('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst');
  const given = await client.open({ method: 'GET', path: '/', signal: stop.signal });
  const reading = collect(given.body).catch((error: unknown) => error);
  const reason = new Error('enough');
  stop.abort(reason);
  t.equal(await reading, reason);
});

void t.test('connections that break', async (t) => {
  const server = await serve(t, (socket) => socket.destroy());
  const client = clientOf(t, server);
  t.match(await ask(client), { name: 'ConnectionLostError', sent: true, wasIdle: false, message: 'the connection was cut off' }, 'instead of an answer');
  server.behave = saying('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst');
  const half = ask(client);
  server.behave = (socket) => { socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'); socket.end(); };
  t.match(await ask(client), { name: 'ConnectionLostError', sent: true }, 'in the middle of one');
  client.close();
  t.match(await half, { name: 'ConnectionLostError', sent: true }, 'by our own end');

  const kept = await serve(t, saying(reply(200)));
  const patientClient = clientOf(t, kept);
  await Promise.all([ask(patientClient), ask(patientClient), ask(patientClient)]);
  await untilIdle(patientClient.agent, 3);
  kept.behave = (socket) => socket.destroy();
  t.match(await ask(patientClient), { name: 'ConnectionLostError', sent: true, wasIdle: true }, 'one that was kept');
  patientClient.agent.dropIdle();
  await untilIdle(patientClient.agent, 0);
  kept.behave = saying(reply(200, 'ok'));
  t.equal(await ask(patientClient), 'ok');
  t.equal(kept.received.at(-1)!.connection, 4, 'on a new one');
});

void t.test('connections are no more than the agent says, also when many ask at once', async (t) => {
  let most = 0;
  const server = await serve(t, (socket) => {
    most = Math.max(most, server.connections());
    setImmediate(() => socket.write(reply(200, 'ok')));
  });
  const client = clientOf(t, server, 2);
  t.same(new Set(await Promise.all(Array.from({ length: 40 }, () => ask(client)))), new Set(['ok']));
  t.equal(most, 2);
  const broken = await serve(t, (socket) => socket.destroy());
  const unlucky = clientOf(t, broken, 1);
  for (let count = 0; count < 3; count += 1) t.match(await ask(unlucky), { name: 'ConnectionLostError' });
  await t.rejects(unlucky.exchange({ method: 'GET', path: '/ no path', signal: patient() }, () => Promise.resolve()));
  broken.behave = saying(reply(200, 'ok'));
  t.equal(await ask(unlucky), 'ok', 'none is lost with what went wrong');
});

void t.test('nobody there', async (t) => {
  const server = await serve(t, saying(reply(200)));
  const origin = new URL(server.origin);
  origin.port = '1';
  t.match(await ask(new HttpClient(origin, new TrustedAgent(origin, { kind: 'anyone' }, {}))), { name: 'ConnectionLostError', sent: false, message: 'nobody listens there' });
});

void t.test('certificates', async (t) => {
  const { origin, cert } = await secureServer(t);
  const fingerprint = parseFingerprint(execFileSync('openssl', ['x509', '-noout', '-fingerprint', '-sha256'], { input: cert, encoding: 'utf8' }).split('=')[1]!.trim())!;
  const get = (trust: Trust): Promise<unknown> => {
    const client = new HttpClient(origin, new TrustedAgent(origin, trust, {}));
    t.teardown(() => client.close());
    return ask(client, { method: 'GET', body: '' });
  };
  for (const trust of [{ kind: 'authorities', ca: cert }, { kind: 'fingerprints', fingerprints: [fingerprint] }, { kind: 'anyone' }] as const) t.equal(await get(trust), 'secret', trust.kind);
  for (const trust of [{ kind: 'authorities' }, { kind: 'fingerprints', fingerprints: [fingerprint.toLowerCase()] }] as const) {
    const refused = await get(trust);
    t.ok(refused instanceof CertificateError, String(refused));
    t.match(String(refused), fingerprint, 'it is named, so that it can be compared');
  }
});

async function secureServer(t: Test): Promise<{ origin: URL; cert: string }> {
  const folder = t.testdir();
  const [keyFile, certFile] = [join(folder, 'key'), join(folder, 'cert')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
  const cert = readFileSync(certFile, 'utf8');
  const server = createServer({ key: readFileSync(keyFile), cert }, (_request, response) => response.end('secret'));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  return { origin: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`), cert };
}
