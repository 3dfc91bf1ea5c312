import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { Authority } from '../support/authority.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect, LineClient } from '../support/line-client.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';

const WITHIN = 20_000;
const DEMO = '[providers.demo]\ntype = "sim"\ninstances = ["lj", "dev"]\n';

const skip = lacks('openssl');
/** Of two authorities and what they have signed, by name: `server.pem`, `server.key`. */
const files = new Map<string, Buffer>();
const read = (name: string): Buffer => files.get(name)!;

async function makeFiles(folder: string, name: string, signed: readonly string[]): Promise<void> {
  const authority = await Authority.make(join(folder, name), `/CN=${name}`);
  files.set(`${name}.pem`, readFileSync(authority.cert));
  await Promise.all(signed.map(async (one) => {
    const { cert, key } = await authority.sign(one, 'subjectAltName = DNS:localhost, IP:127.0.0.1');
    files.set(`${one}.pem`, readFileSync(cert)).set(`${one}.key`, readFileSync(key));
  }));
}

if (skip === false) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  await Promise.all([makeFiles(folder, 'ca', ['server', 'other', 'client']), makeFiles(folder, 'stranger', ['impostor'])]);
}

/** A connection inside TLS that trusts our authority. */
async function secure(t: Test, port: number, options: ConnectionOptions = {}): Promise<{ client: LineClient; socket: TLSSocket }> {
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const one = connectTls({ port, host: '127.0.0.1', ca: read('ca.pem'), ...options }, () => resolve(one));
    one.once('error', reject);
  });
  t.teardown(() => socket.destroy());
  return { client: LineClient.over(socket), socket };
}

const withClient = (name: string): ConnectionOptions => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });

const config = (...lines: string[]): string => ['[server]', 'listen = ["127.0.0.1:0"]', 'tls-listen = ["127.0.0.1:0"]', 'tls-cert = "server.pem"', 'tls-key = "server.key"', ...lines, DEMO].join('\n');

async function start(t: Test, text: string): Promise<{ daemon: Daemon; plain: number; tls: number }> {
  const own = Object.fromEntries(['server.pem', 'server.key', 'ca.pem'].map((name) => [name, read(name)]));
  const daemon = await startDaemon({ config: text, files: own, listeners: 2 });
  t.teardown(() => daemon.stop());
  const [plain = 0, tls = 0] = daemon.ports;
  return { daemon, plain, tls };
}

async function hangUp(daemon: Daemon, count: number): Promise<string> {
  daemon.signal('SIGHUP');
  const said = (): string[] => daemon.stderr().split('\n').filter((line) => /"msg":"reload(ed| refused)/.test(line));
  await until(() => said().length >= count, WITHIN, 'the reload');
  return said()[count - 1] ?? '';
}

await t.test('the same protocol inside TLS', { skip }, async (t) => {
  const { daemon, plain, tls } = await start(t, config());
  const { client, socket } = await secure(t, tls);
  t.match(socket.getProtocol(), /^TLSv1\.[23]$/);
  client.send('nop\r\nlist\n');
  t.equal(await client.expect('300 DONE\n'), '200 OK\r\n300 DONE\r\n200 OK\nlj\ndev\n300 DONE\n');
  client.line('exit');
  t.equal(await client.closed(WITHIN), '200 OK\n300 DONE\n');
  const open = await connect(plain);
  t.equal((await open.ask('nop')).code, 300, 'beside the plain one');
  open.destroy();
  await t.rejects(secure(t, tls, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }), 'old versions are refused');
  await t.rejects(secure(t, tls, { ca: read('stranger.pem') }), 'a client that knows another authority');
  const confused = await connect(tls);
  confused.line('list');
  t.notMatch(await confused.closed(WITHIN), /200 OK/, 'plain text on the TLS port');
  confused.destroy();
  t.notMatch(daemon.stderr(), /uncaught|unhandled/);
});

await t.test('a half-closed TLS connection still gets its replies', { skip }, async (t) => {
  const { tls } = await start(t, config());
  const { client } = await secure(t, tls, { allowHalfOpen: true } as ConnectionOptions);
  client.send('list\n');
  client.end();
  t.equal(await client.closed(WITHIN), '200 OK\nlj\ndev\n300 DONE\n');
});

await t.test('SIGHUP takes a new certificate, for new connections', { skip }, async (t) => {
  const { daemon, tls } = await start(t, config());
  const before = await secure(t, tls);
  t.equal(before.socket.getPeerCertificate().subject.CN, 'server');
  for (const kind of ['pem', 'key']) writeFileSync(join(daemon.folder, `server.${kind}`), read(`other.${kind}`));
  t.match(await hangUp(daemon, 1), /"reloaded"/);
  t.equal((await secure(t, tls)).socket.getPeerCertificate().subject.CN, 'other');
  t.equal((await before.client.ask('nop')).code, 300, 'the old one goes on');
});

await t.test('a certificate that cannot be used is refused, and the former one stays', { skip }, async (t) => {
  const { daemon, tls } = await start(t, config());
  writeFileSync(join(daemon.folder, 'server.pem'), read('other.pem'));
  t.match(await hangUp(daemon, 1), /server\.pem.*cannot be used for TLS.*reload refused/, 'certificate and key of different pairs');
  writeFileSync(join(daemon.folder, 'server.pem'), 'half a file');
  t.match(await hangUp(daemon, 2), /reload refused/);
  rmSync(join(daemon.folder, 'server.key'));
  t.match(await hangUp(daemon, 3), /reload refused/);
  t.equal((await secure(t, tls)).socket.getPeerCertificate().subject.CN, 'server');
});

await t.test('clients must show a certificate where one is asked for', { skip }, async (t) => {
  const { daemon, tls } = await start(t, config('tls-client-ca = "ca.pem"'));
  const { client } = await secure(t, tls, withClient('client'));
  t.equal((await client.ask('nop')).code, 300);
  const refused = async (options: ConnectionOptions): Promise<string> => {
    // with TLS 1.3 the client hears of it only when it reads
    const outcome = await secure(t, tls, options).catch((error: Error) => error);
    if (outcome instanceof Error) return outcome.message;
    return outcome.client.ask('list').then(() => 'was let in', (error: Error) => String(error.cause ?? error));
  };
  for (const options of [{}, withClient('impostor'), { maxVersion: 'TLSv1.2' as const }]) t.not(await refused(options), 'was let in');
  t.notMatch(daemon.stderr(), /uncaught|unhandled/);
});

await t.test('a demand for certificates that comes by SIGHUP holds at once', { skip }, async (t) => {
  const first = await start(t, config());
  const port = first.tls;
  await first.daemon.stop();
  const { daemon } = await start(t, config().replace('tls-listen = ["127.0.0.1:0"]', `tls-listen = ["127.0.0.1:${port}"]`));
  t.equal((await (await secure(t, port)).client.ask('nop')).code, 300);
  daemon.reconfigure(config('tls-client-ca = "ca.pem"').replace('tls-listen = ["127.0.0.1:0"]', `tls-listen = ["127.0.0.1:${port}"]`));
  t.match(await hangUp(daemon, 1), /"reloaded"/);
  t.equal((await (await secure(t, port, withClient('client'))).client.ask('nop')).code, 300);
  await t.rejects(secure(t, port, { maxVersion: 'TLSv1.2' }), 'without one');
});

await t.test('a connection counts from its first packet, and a handshake has an end', { skip }, async (t) => {
  const { tls, daemon } = await start(t, config('max-connections-per-address = 3'));
  const silent = [await connect(tls), await connect(tls)];
  const dripping = await connect(tls);
  // the beginning of a record with a handshake, which then comes byte by byte
  dripping.send(Buffer.from('16030102000100', 'hex'));
  const drip = setInterval(() => dripping.send(Buffer.alloc(1)), 500);
  t.teardown(() => clearInterval(drip));
  await until(async () => {
    // one that is refused has to shake hands within a second
    const one = await secure(t, tls).catch(() => undefined);
    const said = await one?.client.closed(WITHIN).catch(() => '');
    one?.socket.destroy();
    return said === '400 TOO MANY CONNECTIONS\n';
  }, 60_000, 'the refusal');
  silent.forEach((client) => client.destroy());
  await until(async () => {
    const one = await secure(t, tls).catch(() => undefined);
    const reply = await one?.client.ask('nop').catch(() => undefined);
    one?.socket.destroy();
    return reply?.code === 300;
  }, 60_000, 'the places of those that left');
  await dripping.closed(60_000).catch(() => undefined);
  t.equal(dripping.socket.destroyed || dripping.socket.readableEnded, true, 'it was cut off');
  dripping.destroy();
  t.notMatch(daemon.stderr(), /uncaught|unhandled/);
});
