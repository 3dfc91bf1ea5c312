import { createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { CODES } from '../../../src/protocols/vmserverd/codes.js';
import { VmserverdClient } from '../../../src/protocols/vmserverd/client.js';
import type { VmserverdAddress } from '../../../src/protocols/vmserverd/login.js';
import { GET_CONNECTED_VM_LIST, INC } from '../../../src/protocols/vmserverd/messages.js';
import { fields, text } from '../../../src/protocols/vmserverd/shape.js';
import { makeCertificate, VmserverdDouble, type DoubleOptions } from '../../peers/vmserverd-double.js';
import { lacks } from '../../support/peers.js';

const HOST = '127.0.0.1';
const LOGIN = { user: 'operator', password: 'sesame' };
const { signal } = new AbortController();
const PLAIN = { host: HOST, trust: { kind: 'anyone' }, isPlainAllowed: true } as const;

async function doubleOf(t: Test, options: DoubleOptions = {}): Promise<VmserverdDouble> {
  const double = await VmserverdDouble.start(options);
  t.teardown(() => double.stop());
  return double;
}

async function clientOf(t: Test, port: number, more: Partial<VmserverdAddress> = {}): Promise<VmserverdClient> {
  const client = await VmserverdClient.connect({ ...PLAIN, port, ...more }, LOGIN, signal);
  t.teardown(() => client.close());
  return client;
}

const inc = (client: VmserverdClient, number: number, by = signal): Promise<{ readonly number: number }> => client.call('inc', INC, { number }, by);

await t.test('the seed\'s exchange with an old server', async (t) => {
  for (const space of ['', ' \n   ']) {
    const double = await doubleOf(t, { space });
    const client = await clientOf(t, double.port);
    t.same(await inc(client, 42), { number: 43 });
    const { product } = await client.exec('inc', INC.in.write('in', { number: 1 }), signal);
    t.same(product, { title: 'VMware Server', version: '1.0.3 build-44356', build: '44356' });
    t.same(double.faults, []);
  }
});

await t.test('many at a time are asked one after the other, and each has its answer', async (t) => {
  const double = await doubleOf(t);
  const client = await clientOf(t, double.port);
  t.same(await Promise.all(Array.from({ length: 200 }, async (_, at) => (await inc(client, at)).number)), Array.from({ length: 200 }, (_, at) => at + 1));
  t.equal(double.logins, 1);
  const many = Array.from({ length: 300 }, (_, at) => inc(client, at).then(() => 'done', (error: unknown) => error));
  t.match((await Promise.all(many)).at(-1), { name: 'ConnectionLostError', sent: false, message: /too many/ });
  t.same(double.faults, []);
});

await t.test('a refusal is the server\'s, and the connection goes on', async (t) => {
  const double = await doubleOf(t);
  const client = await clientOf(t, double.port);
  await t.rejects(client.exec('nosuch', [], signal), { name: 'OperationError', code: CODES.UNKNOWN_OPERATION });
  double.does('inc', { kind: 'fail', code: -8, words: 'Invalid operation for virtual machine\'s current state' });
  await t.rejects(inc(client, 1), { code: CODES.WRONG_STATE, message: 'Invalid operation for virtual machine\'s current state' });
  await t.rejects(client.call('inc', { ...INC, out: fields({ other: text() }) }, { number: 1 }, signal), { name: 'VmserverdAnswerError', sent: true });
  t.same(await inc(client, 1), { number: 2 });
});

await t.test('a wrong password, a name that cannot be sent, a server that is none', async (t) => {
  const double = await doubleOf(t);
  const own = double.port;
  const connect = (login: typeof LOGIN, port = own): Promise<VmserverdClient> => VmserverdClient.connect({ ...PLAIN, port }, login, signal);
  await t.rejects(connect({ ...LOGIN, password: 'wrong' }), { name: 'AuthdRefusal', isLogin: true, message: 'the user or the password is wrong' });
  await t.rejects(connect({ ...LOGIN, password: 'a\r\nGLOBAL server' }), RangeError);
  await t.rejects(connect({ ...LOGIN, user: 'a\nb' }), RangeError);
  t.equal(double.logins, 1);
  await double.stop();
  await t.rejects(connect(LOGIN), { name: 'ConnectionLostError', sent: false, message: 'nobody listens there' });
  for (const [greeting, expected] of [
    ['SSH-2.0-x\r\n', { name: 'VmserverdAnswerError', message: /no vmware-authd/ }],
    ['220 VMware Authentication Daemon Version 1.00\r\n230 User x logged in.\r\n', { name: 'VmserverdAnswerError', message: /more than it was asked/ }],
    ['220 VMware Authentication Daemon Version 1.10: SSL Required\r\nxx', { name: 'VmserverdAnswerError', message: /more than it was asked/ }],
    ['421 Too many connections, try again later.\r\n', { name: 'AuthdRefusal', isLogin: false, message: 'vmware-authd says: 421 Too many connections, try again later.' }],
    ['x'.repeat(5000), { name: 'VmserverdAnswerError', message: /a line has more/ }],
  ] as const) {
    const { port } = await serve(t, (socket) => socket.write(greeting));
    await t.rejects(connect(LOGIN, port), expected, greeting.slice(0, 60));
  }
  const authd = await serve(t, (socket) => {
    socket.write('220 VMware Authentication Daemon Version 1.00\r\n');
    let lines = 0;
    socket.on('data', () => socket.write(['331 Password required for operator.\r\n', '230 User operator logged in.\r\n', '511 Error connecting to /usr/sbin/vmware-serverd process.\r\n'][lines++]!));
  });
  await t.rejects(connect(LOGIN, authd.port), { name: 'AuthdRefusal', isLogin: false, message: 'vmware-authd says: 511 Error connecting to /usr/sbin/vmware-serverd process.' });
});

await t.test('in the clear only where that is wanted: no name and no password is sent', async (t) => {
  const double = await doubleOf(t);
  await t.rejects(VmserverdClient.connect({ ...PLAIN, port: double.port, isPlainAllowed: false }, LOGIN, signal), { name: 'PlainTextError' });
  t.equal(double.logins, 0);
  t.same(double.faults, []);
});

await t.test('TLS behind the banner, with the certificate that is meant', { skip: lacks('openssl') }, async (t) => {
  const tls = makeCertificate();
  const double = await doubleOf(t, { tls });
  const connect = (trust: VmserverdAddress['trust']): Promise<VmserverdClient> => clientOf(t, double.port, { trust, isPlainAllowed: false });
  t.same(await inc(await connect({ kind: 'fingerprints', fingerprints: [tls.fingerprint] }), 42), { number: 43 });
  t.same(await inc(await connect({ kind: 'authorities', ca: tls.cert }), 1), { number: 2 });
  const { logins } = double;
  await t.rejects(connect({ kind: 'fingerprints', fingerprints: ['x'.repeat(43)] }), { name: 'CertificateError', message: new RegExp(tls.fingerprint.replaceAll('+', '\\+')) });
  await t.rejects(connect({ kind: 'authorities' }), { name: 'CertificateError' });
  t.equal(double.logins, logins, 'who is not trusted is told nothing');
});

await t.test('TLS of the time of VMware Server 1, only where it is allowed', { skip: lacks('openssl') }, async (t) => {
  const tls = makeCertificate(['-newkey', 'rsa:1024', '-sha1']);
  const double = await doubleOf(t, { tls: { ...tls, minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'AES256-SHA:@SECLEVEL=0' } });
  const trust = { kind: 'fingerprints', fingerprints: [tls.fingerprint] } as const;
  await t.rejects(clientOf(t, double.port, { trust }), { name: 'ConnectionLostError', sent: false });
  t.same(await inc(await clientOf(t, double.port, { trust, isOldTlsAllowed: true }), 42), { number: 43 });
});

await t.test('what was sent and has no answer is told as such; what was not sent, too; nothing is sent twice', async (t) => {
  const double = await doubleOf(t);
  const client = await clientOf(t, double.port);
  double.does('inc', { kind: 'cut' });
  const [first, second] = await Promise.allSettled([inc(client, 1), inc(client, 2)]);
  t.match(first, { reason: { name: 'ConnectionLostError', sent: true } });
  t.match(second, { reason: { name: 'ConnectionLostError', sent: false } });
  t.ok(client.isClosed);
  await t.rejects(inc(client, 3), { name: 'ConnectionLostError', sent: false });
  t.same(double.calls, ['inc']);
});

await t.test('who gives up does not spoil the answers of others', async (t) => {
  const double = await doubleOf(t);
  const client = await clientOf(t, double.port);
  const [now, waiting] = [new AbortController(), new AbortController()];
  let sent = 0;
  const asked = client.exec('inc', INC.in.write('in', { number: 1 }), now.signal, { onSend: () => { sent += 1; } }).catch((error: unknown) => error);
  const unsent = client.exec('inc', INC.in.write('in', { number: 2 }), waiting.signal, { onSend: () => { sent += 1; } }).catch((error: unknown) => error);
  const third = inc(client, 40);
  now.abort(new Error('enough'));
  waiting.abort(new Error('enough'));
  t.match(await asked, { message: 'enough' });
  t.match(await unsent, { message: 'enough' });
  t.same(await third, { number: 41 });
  t.equal(sent, 1);
  t.same(double.calls, ['inc', 'inc'], 'what waited was not sent');
});

await t.test('silence has an end, and so has the connection: a late answer is nobody else\'s', async (t) => {
  const double = await doubleOf(t);
  const client = await clientOf(t, double.port);
  double.does('inc', { kind: 'silent' });
  await t.rejects(client.exec('inc', INC.in.write('in', { number: 1 }), signal, { answerTimeout: 50 }), { name: 'ConnectionLostError', sent: true, message: 'no answer within 0.05 s' });
  t.ok(client.isClosed);
  const mute = await serve(t, () => undefined);
  await t.rejects(VmserverdClient.connect({ ...PLAIN, port: mute.port }, LOGIN, AbortSignal.timeout(50)), { name: 'TimeoutError' });
});

await t.test('one that answers wrongly is not listened to any more', async (t) => {
  for (const [what, words] of Object.entries({
    'no XML': '<exec><returncode>1</out></exec>', lines: '200 done\r\n', 'a bomb': '<exec>'.repeat(100), 'a document type': '<!DOCTYPE exec><exec/>\0',
    'two answers': '<exec><returncode>1</returncode></exec>\0<exec><returncode>1</returncode></exec>\0',
  })) {
    const double = await doubleOf(t);
    const client = await clientOf(t, double.port);
    double.does('inc', { kind: 'say', words });
    const first = await client.exec('inc', [], signal).catch((error: unknown) => error);
    if (what !== 'two answers') t.match(first, { name: 'VmserverdAnswerError', sent: true }, what);
    t.ok(client.isClosed, what);
  }
  const double = await doubleOf(t);
  const client = await clientOf(t, double.port);
  double.does('inc', { kind: 'say', words: '<html><body>no</body></html>\0' });
  await t.rejects(inc(client, 1), { code: CODES.UNEXPECTED_RESPONSE });
});

await t.test('a list of ten thousand machines', async (t) => {
  const machines = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`/vms/host1/machine-${at}.vmx`, { name: `machine <${at}>`, state: 1 }]));
  const double = await doubleOf(t, { machines, isExtended: true });
  const { vms } = await (await clientOf(t, double.port)).call('VMServerd_GetConnectedVMList', GET_CONNECTED_VM_LIST, {}, signal);
  t.match([...vms].at(-1), { config: '/vms/host1/machine-9999.vmx', displayName: 'machine <9999>', state: 1 });
});

/** Somebody who takes connections and does as he likes. */
async function serve(t: Test, greet: (socket: Socket) => void): Promise<{ readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    greet(socket);
  });
  await new Promise<void>((resolve) => { server.listen(0, HOST, resolve); });
  t.teardown(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return { port: (server.address() as AddressInfo).port };
}
