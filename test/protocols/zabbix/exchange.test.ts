import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askConfiguration, sendData, sendHeartbeat } from '../../../src/protocols/zabbix/active.js';
import type { DataParts } from '../../../src/protocols/zabbix/conversation.js';
import { ZabbixError } from '../../../src/protocols/zabbix/errors.js';
import { exchange, MESSAGE_EXCHANGE, type ExchangeLimits, type ServerAddress } from '../../../src/protocols/zabbix/exchange.js';
import { encodeFrame, MESSAGE_LIMITS, parseMessage } from '../../../src/protocols/zabbix/frame.js';
import { readFrame } from '../../../src/protocols/zabbix/frame-reader.js';
import { answerServer, type PassiveProxy } from '../../../src/protocols/zabbix/passive.js';
import { acceptSecure, distinguishedNames, parsePsk, pskIdentityFault, type CertificateSettings, type TlsSettings } from '../../../src/protocols/zabbix/tls.js';
import { Places } from '../../../src/kit/places.js';
import { Authority } from '../../support/authority.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';

const HOST = '127.0.0.1';
const NEVER = new AbortController().signal;
const PATIENCE_MS = 20_000;
/** The header of a frame that is longer than any message but a configuration, and the first bytes of it. */
const LONG = Buffer.concat([Buffer.from('ZBXD\x01\0\0\0\x01\0\0\0\0', 'latin1'), Buffer.from('{"request":')]);
const SHORT: ExchangeLimits = { ...MESSAGE_EXCHANGE, connectMs: 300, answerMs: 300 };

/** Takes connections. @param serve with each; what it throws is forgotten */
async function listen(t: Test, serve: (socket: Socket) => unknown): Promise<ServerAddress> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    void (async () => serve(socket))().catch(() => undefined);
  });
  await new Promise<void>((resolve) => { server.listen(0, HOST, resolve); });
  t.teardown(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return { host: HOST, port: (server.address() as AddressInfo).port };
}

/** A server that answers each message with what is given. */
const answering = (answer: string) => async (socket: Socket): Promise<void> => {
  const frame = await readFrame(socket, MESSAGE_LIMITS, PATIENCE_MS, NEVER);
  if (frame) socket.end(await encodeFrame(answer, { packed: frame.packed }));
};

async function refusal(asked: Promise<unknown>): Promise<ZabbixError> {
  const thrown = await asked.then((value) => value, (error: unknown) => error);
  if (thrown instanceof ZabbixError) return thrown;
  throw new Error(`not refused in plain words: ${String(thrown)}`);
}

const ask = async (where: ServerAddress, limits = MESSAGE_EXCHANGE): Promise<unknown> =>
  parseMessage((await exchange(where, await encodeFrame('{"request":"x"}', { packed: true }), limits, NEVER)).content);

void t.test('one connection, one message, one answer', async (t) => {
  t.same(await ask(await listen(t, answering('{"response":"success"}'))), { response: 'success' });
});

void t.test('what goes wrong is told apart', async (t) => {
  const free = createServer();
  const port = await new Promise<number>((resolve) => { free.listen(0, HOST, () => resolve((free.address() as AddressInfo).port)); });
  await new Promise((resolve) => { free.close(resolve); });
  const faults: readonly (readonly [string, string, RegExp, ServerAddress])[] = [
    ['nobody there', 'UNREACHABLE', /nobody listens there/, { host: HOST, port }],
    ['no such host', 'UNREACHABLE', /no such host|cannot be looked up|none within/, { host: 'nobody.invalid', port: 1 }],
    ['closed', 'SILENT', /no active proxy of this name/, await listen(t, (socket) => socket.once('data', () => socket.end()))],
    ['reset', 'SILENT', /without an answer/, await listen(t, (socket) => socket.once('data', () => socket.resetAndDestroy()))],
    ['says nothing', 'LATE', /nothing came/, await listen(t, () => undefined)],
    ['says half', 'CUT', /middle of a message/, await listen(t, async (socket) => socket.end((await encodeFrame('{}', { packed: true })).subarray(0, 15)))],
    ['another protocol', 'GARBAGE', /does not begin/, await listen(t, (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))],
    ['no JSON', 'GARBAGE', /not JSON/, await listen(t, answering('OK'))],
  ];
  for (const [what, code, words, where] of faults) {
    const error = await refusal(ask(where, what === 'says nothing' ? SHORT : MESSAGE_EXCHANGE));
    t.equal(error.code, code, what);
    t.match(error.message, words, what);
    t.equal(error.nothingSent, code === 'UNREACHABLE', what);
  }
  t.equal((await refusal(exchange({ host: HOST, port }, await encodeFrame('{}', { packed: true }), SHORT, AbortSignal.abort()))).code, 'UNREACHABLE');
});

const SESSION = 'a'.repeat(32);
const PROXY = { name: 'west', version: '6.0.14' };
const PARTS: DataParts = { session: SESSION, clock: 5, ns: 6 };

void t.test('what an active proxy asks', async (t) => {
  const success = await listen(t, answering('{"response":"success","tasks":[{"type":6,"itemid":3}]}'));
  await sendHeartbeat(success, PROXY, NEVER);
  t.match(await sendData(success, PROXY, PARTS, NEVER), { accepted: true, tasks: [{ kind: 'check now', itemid: '3' }] });
  const configurations: string[] = [];
  await askConfiguration(await listen(t, answering('{"hosts":{}}')), PROXY, { session: SESSION, revision: 0 }, NEVER, (content) => Promise.resolve(void configurations.push(content.toString())));
  t.same(configurations, ['{"hosts":{}}']);
  const unknown = await listen(t, answering('{"response":"failed","info":"proxy \\"west\\" not found"}'));
  t.match((await refusal(sendHeartbeat(unknown, PROXY, NEVER))).message, /proxy "west" not found/);
});

/** What a passive proxy under test was told. */
interface Told {
  readonly asked: string[];
  readonly settled: unknown[];
  readonly configured: string[];
}

function passive(told: Told): PassiveProxy {
  const upload = <Parts>(parts: Parts) =>
    Promise.resolve({
      parts,
      settle: (answer: unknown): Promise<void> => {
        told.settled.push(answer);
        return Promise.resolve();
      },
    });
  return {
    known: { session: SESSION, revision: 3 },
    room: () => Promise.resolve(() => undefined),
    asked: (what) => {
      told.asked.push(what);
      return '6.0.14';
    },
    configure: (content) => {
      if (content.includes('wrong')) return Promise.reject(new ZabbixError('GARBAGE', 'tables that are none'));
      told.configured.push(content.toString());
      return Promise.resolve();
    },
    data: () => upload({ ...PARTS, history: ['{"id":1}'] }),
    tasks: () => upload({ clock: 5, ns: 6 }),
  };
}

/** Plays the server: says each message after the answer to the one before. @returns the answers; undefined: closed */
async function playServer(t: Test, told: Told, messages: readonly string[]): Promise<{ answers: unknown[] }> {
  let isOver = false;
  const where = await listen(t, async (socket) => {
    await answerServer(socket, passive(told), NEVER).catch(() => undefined);
    isOver = true;
  });
  const socket = connect(where.port, HOST).on('error', () => undefined);
  const answers: unknown[] = [];
  for (const message of messages) {
    socket.write(await encodeFrame(message, { packed: true }));
    const frame = await readFrame(socket, MESSAGE_LIMITS, PATIENCE_MS, NEVER).catch(() => undefined);
    answers.push(frame && parseMessage(frame.content));
  }
  socket.end();
  await until(() => isOver, PATIENCE_MS, 'the proxy to be done');
  socket.destroy();
  return { answers };
}

void t.test('what a passive proxy answers', async (t) => {
  const told: Told = { asked: [], settled: [], configured: [] };
  const play = (...messages: string[]) => playServer(t, told, messages);
  t.same((await play('{"request":"proxy config","data":{"hosts":{}}}')).answers, [{ response: 'success', version: '6.0.14' }]);
  t.same((await play('{"request":"proxy config"}', '{"full_sync":1,"data":{},"config_revision":4}')).answers, [{ version: '6.0.14', session: SESSION, config_revision: 3 }, { response: 'success', version: '6.0.14' }]);
  t.same(told.configured, ['{"request":"proxy config","data":{"hosts":{}}}', '{"full_sync":1,"data":{},"config_revision":4}']);
  t.same((await play('{"request":"proxy config","data":"wrong"}')).answers, [{ response: 'failed', info: 'tables that are none', version: '6.0.14' }]);
  t.same((await play('{"request":"proxy data"}', '{"response":"success","tasks":[{"type":6,"itemid":1}]}')).answers, [{ session: SESSION, 'history data': [{ id: 1 }], version: '6.0.14', clock: 5, ns: 6 }, undefined]);
  t.match(told.settled.pop(), { accepted: true, tasks: [{ itemid: '1' }] });
  t.same((await play('{"request":"proxy tasks"}', '{"response":"success"}')).answers[0], { version: '6.0.14', clock: 5, ns: 6 });
  t.match(told.settled.pop(), { accepted: true });
  await play('{"request":"proxy data"}');
  t.same(told.settled, [undefined], 'a server that goes away may have it, or not');
  t.match((await play('{"request":"agent.ping"}')).answers, [{ response: 'failed' }]);
  t.same(told.asked, ['whole configuration', 'changes of the configuration', 'whole configuration', 'data', 'tasks', 'data'], 'what each showed of the server');
});

void t.test('long messages are taken one after the other, and a connection gives its room back however it ends', async (t) => {
  const places = new Places(1, 1);
  const told: Told = { asked: [], settled: [], configured: [] };
  let asked = 0;
  let given = 0;
  const room = async (signal: AbortSignal): Promise<() => void> => {
    asked += 1;
    return places.take(signal).finally(() => { given += 1; });
  };
  const where = await listen(t, (socket) => answerServer(socket, { ...passive(told), room }, NEVER));
  const begin = (): Socket => {
    const socket = connect(where.port, HOST).on('error', () => undefined).resume();
    socket.write(LONG);
    return socket;
  };
  const first = begin();
  await until(() => places.taken === 1, PATIENCE_MS, 'the first one to have room');
  const second = begin();
  await until(() => asked === 2, PATIENCE_MS, 'the second one to wait');
  t.equal(given, 1);
  first.destroy();
  await until(() => given === 2, PATIENCE_MS, 'the second one to have room');
  t.equal(places.taken, 1);
  const third = begin();
  await until(() => asked === 3, PATIENCE_MS, 'the third one to wait');
  third.destroy();
  await until(() => given === 3, PATIENCE_MS, 'it to be gone');
  second.destroy();
  await until(() => places.taken === 0, PATIENCE_MS, 'all room to be free');
  t.same(told.configured, []);
});

void t.test('pre-shared keys', async (t) => {
  const hex = '0123456789abcdef'.repeat(4);
  t.equal(parsePsk(`${hex}\n`).toString('hex'), hex);
  for (const [text, words] of [['', /empty/], ['\n', /empty/], [`${hex}\n\n`, /more than one line/], [`${hex} `, /other signs/], ['a'.repeat(33), /odd/], ['ab'.repeat(15), /15 bytes/], ['ab'.repeat(257), /257 bytes/]] as const) {
    t.throws(() => parsePsk(text), { code: 'OWN', message: words }, JSON.stringify(text.slice(0, 20)));
  }
  t.equal(parsePsk('ab'.repeat(256)).length, 256);
  t.same(['x', '', 'ü'.repeat(65), 'a\0'].map(pskIdentityFault), [undefined, 'is empty', 'is longer than 128 bytes', 'has a NUL']);
});

/** A server that speaks TLS as told, and answers. @param refused is told why it refused one */
const secured = (settings: TlsSettings, refused: string[]) => async (socket: Socket): Promise<void> => {
  try {
    await answering('{"response":"success"}')(await acceptSecure(socket, settings, PATIENCE_MS, NEVER));
  } catch (error) {
    refused.push((error as Error).message);
  }
};

void t.test('TLS with a pre-shared key', async (t) => {
  const psk: TlsSettings = { kind: 'psk', identity: 'west', key: Buffer.alloc(32, 7) };
  const refused: string[] = [];
  const where = await listen(t, secured(psk, refused));
  t.same(await ask({ ...where, tls: psk }), { response: 'success' });
  for (const [what, tls] of [['another identity', { ...psk, identity: 'east' }], ['another key', { ...psk, key: Buffer.alloc(32, 8) }]] as const) {
    t.match(await refusal(ask({ ...where, tls })), { code: 'TLS', message: /identity, key or certificates/ }, what);
  }
  t.equal(refused.length, 2);
  t.match(await refusal(ask(where)), { code: /SILENT|CUT|GARBAGE/ }, 'no TLS where it is wanted');
  t.match(await refusal(ask({ ...await listen(t, answering('{}')), tls: psk }, SHORT)), { code: /TLS|UNREACHABLE/ }, 'TLS where there is none');
  const late: ZabbixError[] = [];
  const patient = await listen(t, async (socket) => { late.push(await refusal(acceptSecure(socket, psk, 300, NEVER))); });
  const slow = connect(patient.port, HOST).on('error', () => undefined).resume();
  // the beginning of a long record, and then a byte now and then
  slow.write(Buffer.from([0x16, 3, 1, 0x3f, 0xff, 1]));
  const drip = setInterval(() => slow.write(Buffer.alloc(1)), 50);
  await until(() => late.length === 1, PATIENCE_MS, 'the handshake that never ends to be given up');
  clearInterval(drip);
  slow.destroy();
  t.match(late[0], { code: 'LATE', message: 'the TLS handshake did not end within 300 ms' });
  t.match(await refusal(ask({ ...await listen(t, () => undefined), tls: psk }, SHORT)), { code: 'UNREACHABLE', message: /none within 300 ms/ });
});

/** Certificates of one authority for each of the given subjects. @returns PEM */
async function authority(t: Test, name: string, subjects: readonly string[]): Promise<{ ca: string; issued: { cert: string; key: string }[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'argo-zabbix-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const made = await Authority.make(folder, name);
  const signed = await Promise.all(subjects.map((subject, at) => made.sign(String(at), undefined, subject)));
  const read = (path: string): string => readFileSync(path, 'utf8');
  return { ca: read(made.cert), issued: signed.map(({ cert, key }) => ({ cert: read(cert), key: read(key) })) };
}

void t.test('TLS with certificates', { skip: lacks('openssl') }, async (t) => {
  const { ca, issued: [server, proxy] } = await authority(t, '/DC=com/DC=example/O=Example, Inc./CN=Signing CA', ['/DC=com/DC=example/CN=Zabbix server', '/DC=com/DC=example/CN=Argo']);
  const stranger = await authority(t, '/CN=Stranger CA', ['/DC=com/DC=example/CN=Zabbix server']);
  const refused: string[] = [];
  const theirs: CertificateSettings = { kind: 'certificate', ca, ...server!, issuer: 'CN=Signing CA,O=Example\\, Inc.,DC=example,DC=com', subject: 'CN=Argo,DC=example,DC=com' };
  const ours: CertificateSettings = { kind: 'certificate', ca, ...proxy!, issuer: theirs.issuer, subject: 'CN=Zabbix server,DC=example,DC=com' };
  const where = await listen(t, secured(theirs, refused));
  t.same(await ask({ ...where, tls: ours }), { response: 'success' }, 'each knows the other by issuer and subject');
  t.match(await refusal(ask({ ...where, tls: { ...ours, subject: 'DC=com,DC=example,CN=Zabbix server' } })), { code: 'TLS', nothingSent: true, message: /the subject of the other side's certificate is "CN=Zabbix server,DC=example,DC=com", and not "DC=com/ });
  t.match(await refusal(ask({ ...where, tls: { ...ours, issuer: 'CN=Other' } })), { code: 'TLS', message: /the issuer/ });
  t.match(await refusal(ask({ ...where, tls: { ...ours, ca: stranger.ca } })), { code: 'TLS', nothingSent: true });
  t.match(await refusal(ask({ ...where, tls: { ...ours, ...stranger.issued[0]! } })), { code: /TLS|SILENT/ }, 'one that the server does not know');
  await until(() => refused.some((reason) => reason.includes('is not trusted')), PATIENCE_MS, 'the server to say why');
  t.match(await refusal(ask({ ...where, tls: { kind: 'psk', identity: 'west', key: Buffer.alloc(32) } })), { code: 'TLS' }, 'the other kind');
  t.match(await refusal(ask({ ...where, tls: { ...ours, key: 'none' } })), { code: 'OWN' }, 'a key that is none');
});

void t.test('names of certificates', (t) => {
  const lines = 'DC=com\nO=Ex\\, Inc.\nOU=Dev + OU=Ops\nCN=\\#srv ü \\+ x\nemailAddress=a@b.example';
  t.same(distinguishedNames(lines).slice(0, 2), [
    'emailAddress=a@b.example,CN=\\#srv ü \\+ x,OU=Ops+OU=Dev,O=Ex\\, Inc.,DC=com', 'EMAIL=a@b.example,CN=\\#srv ü \\+ x,OU=Dev+OU=Ops,O=Ex\\, Inc.,DC=com',
  ]);
  t.end();
});
