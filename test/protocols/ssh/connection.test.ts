import { createServer, type AddressInfo } from 'node:net';
import ssh2, { type Connection } from 'ssh2';
import t, { type Test } from 'tap';
import { quote, SshConnection, type SshOptions } from '../../../src/protocols/ssh/connection.js';
import { HostKeyError, SshAuthenticationError, SshConnectionError } from '../../../src/protocols/ssh/errors.js';
import { fingerprintOf } from '../../../src/protocols/ssh/host-keys.js';

const SOON_MS = 30_000;
const soon = (): AbortSignal => AbortSignal.timeout(SOON_MS);
const hostKey = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
const userKey = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
const hostKeyBytes = Buffer.from(hostKey.public.split(' ')[1]!, 'base64');

function publicBytes(privateKey: string): Buffer {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  return parsed.getPublicSSH();
}

/** ssh2's own server: it takes one password and one key, and runs `cat` and `fail`. */
async function serve(t: Test): Promise<{ port: number; methods: string[]; connections: Connection[] }> {
  const methods: string[] = [];
  const connections: Connection[] = [];
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    connections.push(connection);
    connection.on('error', () => undefined);
    connection.on('authentication', (attempt) => {
      methods.push(attempt.method);
      const isGood = (attempt.method === 'password' && attempt.password === 'right')
        || (attempt.method === 'publickey' && attempt.key.data.equals(publicBytes(userKey.private)));
      if (isGood) attempt.accept();
      else attempt.reject(['publickey', 'password']);
    });
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const channel = acceptExec();
        if (command === 'cat') {
          channel.pipe(channel);
          return;
        }
        channel.stderr.write('no such thing\n');
        channel.exit(3);
        channel.end();
      });
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => {
    connections.forEach((connection) => connection.end());
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, methods, connections };
}

const options = (port: number, more: Partial<SshOptions> = {}): SshOptions => ({
  host: '127.0.0.1', port, user: 'argo', privateKey: userKey.private, hostKey: { fingerprint: fingerprintOf(hostKeyBytes) }, ...more,
});

const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'no failure', (error: unknown) => error);

await t.test('a key, a password, and a command', async (t) => {
  const { port } = await serve(t);
  const knownHosts = `[127.0.0.1]:${port} ecdsa-sha2-nistp256 ${hostKey.public.split(' ')[1]}`;
  const byKey = await SshConnection.connect(options(port, { hostKey: { knownHosts } }), soon());
  const { stream, ended } = await byKey.exec('cat', soon());
  stream.end('hello');
  const [first] = await stream.take(1).toArray() as Buffer[];
  t.equal(first!.toString(), 'hello');
  byKey.close();
  await ended;
  const byPassword = await SshConnection.connect(options(port, { privateKey: userKey.private, password: 'right' }), soon());
  const failing = await byPassword.exec('fail', soon());
  failing.stream.resume();
  t.same(await failing.ended, { code: 3, stderr: 'no such thing\n' });
  byPassword.close();
});

await t.test('a host with the wrong key gets no credentials', async (t) => {
  const { port, methods } = await serve(t);
  const other = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).public.split(' ')[1];
  const policies = {
    changed: { fingerprint: 'SHA256:AAAA' },
    unknown: { knownHosts: '' },
    revoked: { knownHosts: `@revoked * ecdsa-sha2-nistp256 ${hostKeyBytes.toString('base64')}` },
  };
  for (const [kind, policy] of Object.entries(policies)) {
    t.match(await failure(SshConnection.connect(options(port, { hostKey: policy }), soon())), { kind, fingerprint: fingerprintOf(hostKeyBytes) }, kind);
  }
  const changed = { knownHosts: `[127.0.0.1]:${port} ecdsa-sha2-nistp256 ${other}` };
  t.type(await failure(SshConnection.connect(options(port, { hostKey: changed }), soon())), HostKeyError);
  t.same(methods, []);
});

await t.test('credentials that are refused', async (t) => {
  const { port } = await serve(t);
  const stranger = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).private;
  t.type(await failure(SshConnection.connect(options(port, { privateKey: stranger, password: 'wrong' }), soon())), SshAuthenticationError);
  const unreadable = await failure(SshConnection.connect(options(port, { privateKey: 'no key at all' }), soon()));
  t.type(unreadable, SshAuthenticationError);
});

await t.test('nobody there', async (t) => {
  const { port } = await serve(t);
  t.type(await failure(SshConnection.connect(options(1), soon())), SshConnectionError, 'refused');
  const closing = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => { closing.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => closing.close());
  t.type(await failure(SshConnection.connect(options((closing.address() as AddressInfo).port), soon())), SshConnectionError, 'closed at once');
  t.ok(port > 0);
});

await t.test('a host that says nothing is left at the signal', async (t) => {
  const silent = createServer();
  await new Promise<void>((resolve) => { silent.listen(0, '127.0.0.1', resolve); });
  const stop = new AbortController();
  const reason = new Error('enough');
  silent.once('connection', (socket) => {
    socket.on('error', () => undefined);
    stop.abort(reason);
  });
  t.teardown(() => silent.close());
  t.equal(await failure(SshConnection.connect(options((silent.address() as AddressInfo).port), stop.signal)), reason);
});

await t.test('what is open ends with the connection', async (t) => {
  const { port, connections } = await serve(t);
  const connection = await SshConnection.connect(options(port), soon());
  t.type(await failure(connection.openUnixSocket('/nowhere', soon())), SshConnectionError);
  const { ended, stream } = await connection.exec('cat', soon());
  stream.on('error', () => undefined);
  connections[0]!.end();
  t.ok(await connection.closed);
  t.match(await ended, { code: undefined });
  t.type(await failure(connection.exec('cat', soon())), Error);
});

await t.test('quoting for a shell', async (t) => {
  t.equal(quote('a b'), "'a b'");
  t.equal(quote("it's $HOME"), "'it'\\''s $HOME'");
});
