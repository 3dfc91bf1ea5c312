import { createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { UpsdClient } from '../../../src/protocols/nut/client.js';
import { UpsdAnswerError, UpsdRefusal } from '../../../src/protocols/nut/errors.js';
import { ConnectionLostError } from '../../../src/protocols/tls/errors.js';

const HOST = '127.0.0.1';

/** Somebody who takes connections and does not keep to the protocol. @param answer to each line, on the socket that it came from */
async function serve(t: Test, answer: (socket: Socket, line: string) => void): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setEncoding('utf8').on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (text: string) => text.split('\n').filter((line) => line !== '').forEach((line) => answer(socket, line)));
  });
  await new Promise<void>((resolve) => { server.listen(0, HOST, resolve); });
  t.teardown(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

async function clientOf(t: Test, port: number, answerTimeout = 30_000): Promise<UpsdClient> {
  const client = await UpsdClient.connect({ host: HOST, port, answerTimeout });
  t.teardown(() => client.close());
  return client;
}

void t.test('one that answers wrongly is not listened to any more', async (t) => {
  const wrong: Readonly<Record<string, string>> = {
    'a line without an end': 'x'.repeat(10_000),
    'a line that is too long': `VAR rack1 a "${'x'.repeat(10_000)}"\n`,
    'another list': 'BEGIN LIST VAR rack2\n',
    'no list': 'OK\n',
    'another thing in the list': 'BEGIN LIST VAR rack1\nUPS rack1 "x"\n',
    'another UPS in the list': 'BEGIN LIST VAR rack1\nVAR rack2 ups.status "OB LB"\n',
    'a value that is missing': 'BEGIN LIST VAR rack1\nVAR rack1 ups.status\n',
    'an open quote': 'BEGIN LIST VAR rack1\nVAR rack1 ups.status "OB\n',
    'a page of HTTP': 'HTTP/1.1 400 Bad Request\r\n\r\n',
    'no text': '\x00\xff\xfe\x01\n',
    'too long a list': `BEGIN LIST VAR rack1\n${'VAR rack1 a "b"\n'.repeat(5000)}`,
  };
  for (const [what, words] of Object.entries(wrong)) {
    const server = await serve(t, (socket) => socket.write(words));
    const client = await clientOf(t, server.port);
    await t.rejects(client.variables('rack1'), UpsdAnswerError, what);
    t.ok(client.isClosed, `${what}: it is left`);
    await t.rejects(client.version(), UpsdAnswerError, 'and not asked again');
  }
});

void t.test('an endless list ends, and takes no more memory than its limit', async (t) => {
  const server = await serve(t, (socket) => {
    socket.write('BEGIN LIST VAR rack1\n');
    const more = (): void => { if (socket.writable) socket.write('VAR rack1 a "b"\n'.repeat(1000), () => setImmediate(more)); };
    more();
  });
  await t.rejects((await clientOf(t, server.port)).variables('rack1'), UpsdAnswerError);
});

void t.test('silence has an end, and so has the connection: a late answer is nobody else\'s', async (t) => {
  const server = await serve(t, () => undefined);
  const client = await clientOf(t, server.port, 50);
  const lost = await Promise.allSettled([client.version(), client.variable('rack1', 'ups.status')]);
  for (const outcome of lost) t.match(outcome, { status: 'rejected', reason: { name: 'ConnectionLostError', message: 'no answer within 0.05 s' } });
  t.ok(client.isClosed);
});

void t.test('a connection that is cut ends all that waits', async (t) => {
  const server = await serve(t, (socket) => socket.destroy());
  const client = await clientOf(t, server.port);
  const lost = await Promise.allSettled([client.version(), client.upses(), client.variables('rack1')]);
  t.ok(lost.every((outcome) => outcome.status === 'rejected' && outcome.reason instanceof ConnectionLostError));
  await t.rejects(client.version(), ConnectionLostError);
});

void t.test('closing ends what waits', async (t) => {
  const server = await serve(t, () => undefined);
  const client = await clientOf(t, server.port);
  const asked = client.version();
  client.close();
  await t.rejects(asked, ConnectionLostError);
});

void t.test('what comes unasked is no answer to what is asked later', async (t) => {
  let asked = 0;
  const server = await serve(t, (socket) => {
    asked += 1;
    socket.write('VAR rack1 ups.status "OL"\nVAR rack1 ups.status "OB LB"\n');
  });
  const client = await clientOf(t, server.port);
  t.equal(await client.variable('rack1', 'ups.status'), 'OL');
  await t.rejects(client.variable('rack1', 'ups.status'), UpsdAnswerError);
  t.equal(asked, 1, 'it was not asked any more');
});

void t.test('an answer that comes in pieces', async (t) => {
  const server = await serve(t, (socket) => {
    socket.setNoDelay(true);
    socket.write('Network U', () => setImmediate(() => socket.write('PS Tools upsd\n')));
  });
  const client = await clientOf(t, server.port);
  t.equal(await client.version(), 'Network UPS Tools upsd');
  t.equal(await client.version(), 'Network UPS Tools upsd');
});

void t.test('a server that refuses says why', async (t) => {
  const server = await serve(t, (socket) => socket.write('ERR DATA-STALE\n'));
  const client = await clientOf(t, server.port);
  const error = await client.variables('rack1').catch((thrown: unknown) => thrown);
  t.ok(error instanceof UpsdRefusal);
  t.match(error, { code: 'DATA-STALE', message: 'the driver of the UPS has no news from it (DATA-STALE)' });
  t.notOk(client.isClosed, 'it can be asked again');
});

void t.test('what stands in the clear behind the answer to STARTTLS is refused', async (t) => {
  const server = await serve(t, (socket) => socket.write('OK STARTTLS\nVAR rack1 ups.status "OB LB"\n'));
  await t.rejects(UpsdClient.connect({ host: HOST, port: server.port, trust: { kind: 'anyone' } }), UpsdAnswerError);
});

void t.test('one that says yes to STARTTLS and hangs up, or speaks no TLS', async (t) => {
  for (const after of [(socket: Socket) => socket.destroy(), (socket: Socket) => socket.write('OK\n')]) {
    let lines = 0;
    const server = await serve(t, (socket) => {
      lines += 1;
      if (lines === 1) socket.write('OK STARTTLS\n');
      else after(socket);
    });
    await t.rejects(UpsdClient.connect({ host: HOST, port: server.port, trust: { kind: 'anyone' } }), ConnectionLostError);
  }
});

void t.test('nobody listens', async (t) => {
  const server = createServer().listen(0, HOST);
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => { server.close(resolve); });
  await t.rejects(UpsdClient.connect({ host: HOST, port }), { name: 'ConnectionLostError', message: 'nobody listens there', sent: false });
});
