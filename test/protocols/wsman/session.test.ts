import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import t, { type Test } from 'tap';
import { ConnectionLostError } from '../../../src/protocols/tls/errors.js';
import { WmiAccessError, WmiAnswerError, WmiFault, WmiLoginRefusedError } from '../../../src/protocols/wmi/errors.js';
import { WsmanSession } from '../../../src/protocols/wsman/session.js';
import { until } from '../../support/until.js';
import { envelope, never, OS, PASSWORD, serve, SOAP_TYPE, type Answer } from './service.js';

const OUTPUT = '<p:Win32Shutdown_OUTPUT><p:ReturnValue>0</p:ReturnValue></p:Win32Shutdown_OUTPUT>';
const shutDown = (session: WsmanSession, signal = never()): Promise<unknown> => session.invoke(OS, 'Win32Shutdown', { Flags: '12', Reserved: '0' }, signal);

void t.test('what would show a password is refused before anything is sent', async (t) => {
  for (const kind of ['basic', 'kerberos'] as const) {
    const options = { origin: new URL('http://127.0.0.1:1/wsman'), trust: { kind: 'anyone' }, login: { kind, user: 'u', password: 'p' } } as const;
    t.throws(() => new WsmanSession(options), WmiAccessError, kind);
    t.throws(() => new WsmanSession({ ...options, allowUnencrypted: false }), WmiAccessError, kind);
  }
});

void t.test('many callers, one socket, one request at a time, in their order', async (t) => {
  let underWay = 0;
  let most = 0;
  const service = await serve(t, async ({ text }) => {
    most = Math.max(most, ++underWay);
    await new Promise(setImmediate);
    underWay--;
    return `<p:X><p:Name>${/Name="Name">(\d+)</.exec(text)?.[1]}</p:Name></p:X>`;
  });
  const session = service.session();
  const names = Array.from({ length: 50 }, (_, index) => String(index));
  const found = await Promise.all(names.map((Name) => session.get({ ...OS, keys: { Name } }, never())));
  t.same(found.map(({ Name }) => Name), names);
  t.same(service.asked.map(({ text }) => /Name="Name">(\d+)</.exec(text)?.[1]), names);
  t.equal(most, 1);
  t.equal(service.connections(), 1);
});

void t.test('those who wait are limited', async (t) => {
  const service = await serve(t, () => 'hang');
  const session = service.session({ limits: { queue: 2 } });
  const waiting = [1, 2, 3].map(() => session.get(OS, never()).catch((error: unknown) => error));
  const error = await session.get(OS, never()).catch((error: unknown) => error);
  t.ok(error instanceof WmiFault && error.kind === 'quota');
  await until(() => service.asked.length === 1, 60_000, 'a request');
  await session.close();
  const [sent, ...unsent] = await Promise.all(waiting);
  t.ok(sent instanceof ConnectionLostError && sent.sent, 'what was under way may have been carried out');
  for (const each of unsent) t.ok(each instanceof ConnectionLostError && !each.sent, 'what waited was not');
  await t.rejects(session.get(OS, never()), ConnectionLostError, 'nothing goes on after the end');
});

void t.test('a signal ends the wait, in the queue and for an answer; others go on', async (t) => {
  const service = await serve(t, ({ action }) => (action === 'Win32Shutdown' ? 'hang' : '<p:X/>'));
  const session = service.session();
  const [first, second] = [new AbortController(), new AbortController()];
  const asked = shutDown(session, first.signal);
  const waiting = session.get(OS, second.signal);
  await until(() => service.asked.length === 1, 60_000, 'a request');
  second.abort(new Error('no more'));
  await t.rejects(waiting, { message: 'no more' });
  first.abort(new Error('nor this'));
  await t.rejects(asked, { message: 'nor this' });
  t.same(await session.get(OS, never()), {});
  t.equal(service.connections(), 2, 'the answer that never came is given up');
  t.equal(service.asked.length, 2, 'what left the queue was not sent');
  const gone = new AbortController();
  gone.abort(new Error('before it began'));
  await t.rejects(session.get(OS, gone.signal), { message: 'before it began' });
  t.equal(service.asked.length, 2);
});

void t.test('what is given up before it was sent is not sent later', async (t) => {
  const service = await serve(t, ({ action }) => (action === 'Get' ? '<p:X/>' : OUTPUT));
  const session = service.session();
  const aborter = new AbortController();
  const asked = shutDown(session, aborter.signal);
  aborter.abort(new Error('no, wait'));
  await t.rejects(asked, { message: 'no, wait' });
  t.same(await session.get(OS, never()), {});
  t.same(service.asked.map(({ action }) => action), ['Get']);
});

void t.test('an answer that does not come in time', async (t) => {
  const service = await serve(t, () => 'hang');
  const error = await shutDown(service.session({ limits: { requestTimeout: 200 } })).catch((error: unknown) => error);
  t.ok(error instanceof ConnectionLostError && error.sent);
  t.equal(service.asked.length, 1);
});

void t.test('the service hung up between two requests', async (t) => {
  const service = await serve(t, ({ action }) => (action === 'Win32Shutdown' ? OUTPUT : '<p:X/>'));
  const session = service.session();
  for (const ask of [() => session.get(OS, never()), () => shutDown(session)]) {
    await session.get(OS, never());
    const before = service.asked.length;
    service.sockets.forEach((socket) => socket.destroy());
    await until(() => service.sockets.size === 0, 60_000, 'the end of the connection');
    // Our own end of it hears of that in the next round of the event loop.
    for (let round = 0; round < 3; round++) await new Promise(setImmediate);
    await ask();
    t.equal(service.asked.length, before + 1);
  }
});

void t.test('the service hangs up on a kept connection as the next request comes', async (t) => {
  const answers: Answer[] = [];
  const service = await serve(t, () => answers.shift() ?? '<p:X/>');
  const session = service.session();
  await session.get(OS, never());
  answers.push('cut');
  t.same(await session.get(OS, never()), {}, 'a read goes out once more');
  t.equal(service.connections(), 2);
  answers.push('cut', 'cut');
  const twice: unknown = await session.get(OS, never()).catch((error: unknown) => error);
  t.ok(twice instanceof ConnectionLostError && twice.sent, 'but not again and again');
  await session.get(OS, never());
  const before = service.asked.length;
  answers.push('cut', OUTPUT);
  const error: unknown = await shutDown(session).catch((error: unknown) => error);
  t.ok(error instanceof ConnectionLostError && error.sent, 'a method may have been called');
  t.equal(service.asked.length, before + 1, 'and is not called again');
  answers.shift();
  t.same(await session.get(OS, never()), {}, 'then all goes on');
});

void t.test('a first request that is cut off is not repeated', async (t) => {
  const service = await serve(t, () => 'cut');
  const error: unknown = await service.session().get(OS, never()).catch((error: unknown) => error);
  t.ok(error instanceof ConnectionLostError && error.sent);
  t.equal(service.asked.length, 1);
});

void t.test('nobody listens', async (t) => {
  const server = await listen(t, () => undefined);
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const session = new WsmanSession({ origin: new URL(`http://127.0.0.1:${port}/wsman`), trust: { kind: 'anyone' }, login: { kind: 'ntlm', user: 'u', password: 'p' } });
  const error: unknown = await shutDown(session).catch((error: unknown) => error);
  t.ok(error instanceof ConnectionLostError && !error.sent);
});

void t.test('an unused connection is let go', async (t) => {
  const service = await serve(t, () => '<p:X/>');
  const session = service.session({ limits: { idleTimeout: 50 } });
  await session.get(OS, never());
  await until(() => service.sockets.size === 0, 60_000, 'the end of the connection');
  t.same(await session.get(OS, never()), {});
});

void t.test('a service that closes after each answer', async (t) => {
  const service = await serve(t, () => ({ status: 200, headers: { 'content-type': SOAP_TYPE, connection: 'close' }, body: envelope(OUTPUT) }));
  const session = service.session();
  for (let count = 1; count <= 3; count++) {
    await shutDown(session);
    t.equal(service.connections(), count);
  }
});

void t.test('a refused password is not sent again by itself', async (t) => {
  let answer: Answer = { status: 401, headers: { 'www-authenticate': ['Negotiate', 'Basic realm="WSMAN"'] } };
  const service = await serve(t, () => answer);
  const session = service.session();
  const error: unknown = await session.get(OS, never()).catch((error: unknown) => error);
  t.ok(error instanceof WmiLoginRefusedError);
  t.notMatch(String((error as Error).stack), PASSWORD);
  for (const ask of [() => session.get(OS, never()), () => shutDown(session), () => session.identify(never())]) await t.rejects(ask(), WmiAccessError);
  t.equal(service.asked.length, 1);
  answer = '<p:X/>';
  await t.rejects(session.get(OS, never()), WmiAccessError);
  t.same(await service.session().get(OS, never()), {}, 'a new session begins anew');
  t.equal(Buffer.from(service.asked.at(-1)?.authorization.slice('Basic '.length) ?? '', 'base64').toString(), `admin:${PASSWORD}`);
});

void t.test('a service that does not let us in says why', async (t) => {
  let answer: Answer = 'cut';
  const service = await serve(t, () => answer);
  const refusal = (): Promise<string> => service.session().get(OS, never()).then(() => 'let in', (error: unknown) => {
    t.ok(error instanceof WmiAccessError);
    return (error as Error).message;
  });
  answer = { status: 401 };
  t.match(await refusal(), /Basic is not on offer/);
  answer = { status: 401, headers: { 'www-authenticate': ['Negotiate', 'Kerberos'] } };
  t.match(await refusal(), /Basic is not on offer there; it offers Negotiate, Kerberos/);
  answer = { status: 403 };
  t.match(await refusal(), /may not use/);
  for (const body of ['', 'The WS-Management service cannot process the request: unencrypted traffic is disabled']) {
    answer = { status: 500, headers: { 'content-type': 'text/plain' }, body };
    t.match(await refusal(), /AllowUnencrypted/);
  }
  answer = { status: 404, body: '<html>' };
  await t.rejects(service.session().get(OS, never()), WmiAnswerError);
});

void t.test('whether a request that was answered without SOAP may have been carried out', async (t) => {
  let status = 0;
  const service = await serve(t, () => ({ status }));
  const sent = async (kind: 'basic' | 'ntlm'): Promise<unknown> => {
    const error: unknown = await shutDown(service.session({ login: { kind, user: 'u', password: PASSWORD } })).catch((error: unknown) => error);
    t.ok(error instanceof WmiAnswerError, `${kind} ${status}`);
    return (error as WmiAnswerError).sent;
  };
  for (status of [200, 204, 408, 409, 425, 429, 500, 501, 502, 503, 504, 599]) t.equal(await sent('basic'), true, String(status));
  for (status of [301, 307, 400, 404, 405, 413, 414, 415, 431]) t.equal(await sent('basic'), false, String(status));
  for (status of [200, 302, 404, 500, 502, 503]) t.equal(await sent('ntlm'), false, `${status} to a login, after which nothing was sent`);
});

void t.test('a service that hangs up on a login has got no order', async (t) => {
  for (const answer of ['cut', 'hang'] as const) {
    const service = await serve(t, () => answer);
    const error: unknown = await shutDown(service.session({ login: { kind: 'ntlm', user: 'u', password: PASSWORD }, limits: { requestTimeout: 300 } })).catch((error: unknown) => error);
    t.ok(error instanceof ConnectionLostError && !error.sent, answer);
  }
});

void t.test('NTLM over plain HTTP believes nothing that is not sealed', async (t) => {
  const service = await serve(t, () => '<p:X/>');
  const session = service.session({ login: { kind: 'ntlm', user: 'u', password: PASSWORD } });
  await t.rejects(session.get(OS, never()), WmiAnswerError, 'a service that asks for no login');
  const plain = await serve(t, () => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }));
  await t.rejects(plain.session({ login: { kind: 'ntlm', user: 'u', password: PASSWORD } }).get(OS, never()), { name: 'WmiAccessError', message: /NTLM is not on offer there; it offers Basic/ });
  const liar = await serve(t, () => ({ status: 401, headers: { 'www-authenticate': 'Negotiate aGVsbG8=' } }));
  await t.rejects(liar.session({ login: { kind: 'ntlm', user: 'u', password: PASSWORD } }).get(OS, never()), WmiAnswerError);
  for (const { text, authorization } of [...service.asked, ...plain.asked, ...liar.asked]) t.notMatch(text + authorization, /Win32|Basic/);
});

/** A server of bare bytes. */
async function listen(t: Test, serveSocket: Parameters<typeof createServer>[1]): Promise<Server> {
  const server = createServer(serveSocket as Exclude<typeof serveSocket, undefined>);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return server;
}

/** Answers each request, when all of it is there, with these bytes, and hangs up. */
async function answering(t: Test, bytes: () => Buffer | string): Promise<() => WsmanSession> {
  const server = await listen(t, (socket) => {
    let asked = '';
    socket.on('error', () => undefined).on('data', (chunk) => {
      asked += chunk.toString('latin1');
      if (asked.endsWith('</s:Envelope>')) socket.end(bytes());
    });
  });
  const { port } = server.address() as AddressInfo;
  return () => {
    const session = new WsmanSession({
      origin: new URL(`http://127.0.0.1:${port}/wsman`), trust: { kind: 'anyone' }, login: { kind: 'basic', user: 'u', password: PASSWORD }, allowUnencrypted: true,
      limits: { answer: 100_000 },
    });
    t.teardown(() => session.close());
    return session;
  };
}

void t.test('an answer that is cut off anywhere is none', async (t) => {
  const body = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><X_OUTPUT/></s:Body></s:Envelope>';
  const whole = `HTTP/1.1 200 OK\r\nContent-Type: ${SOAP_TYPE}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  let length = whole.length;
  const session = await answering(t, () => whole.slice(0, length));
  t.same(await session().invoke(OS, 'X', {}, never()), {});
  for (length = 0; length < whole.length; length++) {
    const error: unknown = await session().invoke(OS, 'X', {}, never()).catch((error: unknown) => error);
    t.ok((error instanceof ConnectionLostError && error.sent) || error instanceof WmiAnswerError, `${length} bytes`);
  }
});

void t.test('an answer without end is not waited for', async (t) => {
  const session = await answering(t, () => `HTTP/1.1 200 OK\r\nContent-Type: ${SOAP_TYPE}\r\n\r\n${' '.repeat(1_000_000)}`);
  await t.rejects(session().get(OS, never()), { name: 'WmiAnswerError', message: /longer than 100000 bytes/ });
});

void t.test('what answers is no HTTP', async (t) => {
  const session = await answering(t, () => 'SSH-2.0-OpenSSH_9.2\r\n\r\n');
  await t.rejects(session().get(OS, never()), WmiAnswerError);
});
