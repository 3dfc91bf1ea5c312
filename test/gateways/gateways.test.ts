import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { mock } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import t from 'tap';
import { GatewayCatalogue } from '../../src/gateways/catalogue.js';
import type { Gateway, GatewayHost } from '../../src/gateways/contract.js';
import { Gateways } from '../../src/gateways/gateways.js';
import { GATEWAY_CLOSE_TIMEOUT, GATEWAY_PREPARE_TIMEOUT } from '../../src/kit/limits.js';
import type { Change } from '../../src/listening/change.js';
import { startDaemon } from '../support/daemon.js';
import { ROOT } from '../support/paths.js';
import { until } from '../support/until.js';

/** A gateway that greets with a word and stays connected. */
const greeter = (word: string): string => `
import { entranceEntries, entranceSettings } from 'argo-server';
class Greeter {
  constructor(host) {
    this.sockets = new Set();
    this.entrance = host.doors.sockets({ connected: (socket) => { this.sockets.add(socket); socket.on('error', () => undefined); socket.write('${word}\\n'); } });
  }
  prepare(options) { return this.entrance.prepare(entranceSettings(options)); }
  async drain() { this.entrance.close(); }
  async close() { this.sockets.forEach((socket) => socket.destroy()); }
}
export default { options: entranceEntries, open: (_options, host) => new Greeter(host) };
`;

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}

async function greeting(port: number): Promise<{ word: string; socket: Socket }> {
  const socket = createConnection(port, '127.0.0.1');
  const [chunk] = await once(socket, 'data') as [Buffer];
  return { word: chunk.toString(), socket };
}

await t.test('a gateway whose file has changed takes over the port of the one before', async (t) => {
  const plugins = mkdtempSync(join(tmpdir(), 'argo-gateways-'));
  t.teardown(() => rmSync(plugins, { recursive: true }));
  mkdirSync(join(plugins, 'node_modules'));
  symlinkSync(ROOT, join(plugins, 'node_modules', 'argo-server'));
  writeFileSync(join(plugins, 'greet.mjs'), greeter('first'));
  const port = await freePort();
  const configuration = (name: string, at: number): string => `[server]\nplugin-path = [${JSON.stringify(plugins)}]\n[gateways.${name}]\ntype = "greet"\nlisten = ["127.0.0.1:${at}"]\n`;
  const daemon = await startDaemon({ config: configuration('door', port), listeners: 2 });
  t.teardown(() => daemon.stop());
  const before = await greeting(port);
  t.equal(before.word, 'first\n');
  const ended = once(before.socket, 'close');
  for (const word of ['second', 'the third']) {
    writeFileSync(join(plugins, 'greet.mjs'), greeter(word));
    const said = daemon.stderr().length;
    daemon.signal('SIGHUP');
    await until(() => daemon.stderr().slice(said).includes('"reloaded"'), 10_000, 'reloaded');
    t.notMatch(daemon.stderr().slice(said), /EADDRINUSE|listens there already/);
    const after = await greeting(port);
    t.equal(after.word, `${word}\n`);
    after.socket.destroy();
  }
  await ended;
  daemon.reconfigure(configuration('gate', port));
  const said = daemon.stderr().length;
  daemon.signal('SIGHUP');
  await until(() => daemon.stderr().slice(said).includes('"reloaded"'), 10_000, 'reloaded');
  t.equal((await greeting(port)).word, 'the third\n', 'under another name');
});

await t.test('two gateways swap their ports in one reload, or none of them moves', async (t) => {
  const plugins = mkdtempSync(join(tmpdir(), 'argo-gateways-'));
  t.teardown(() => rmSync(plugins, { recursive: true }));
  mkdirSync(join(plugins, 'node_modules'));
  symlinkSync(ROOT, join(plugins, 'node_modules', 'argo-server'));
  for (const type of ['red', 'blue']) writeFileSync(join(plugins, `${type}.mjs`), greeter(type));
  const [one, other] = [await freePort(), await freePort()];
  const table = (type: string, ...ports: readonly number[]): string => `[gateways.${type}]\ntype = "${type}"\nlisten = [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}]\n`;
  const configuration = (red: readonly number[], blue: readonly number[]): string => `[server]\nplugin-path = [${JSON.stringify(plugins)}]\n${table('red', ...red)}${table('blue', ...blue)}`;
  const words = async (): Promise<string> => {
    const found = await Promise.all([one, other].map(greeting));
    found.forEach(({ socket }) => socket.destroy());
    return found.map(({ word }) => word.trim()).join(' ');
  };
  const daemon = await startDaemon({ config: configuration([one], [other]), listeners: 3 });
  t.teardown(() => daemon.stop());
  t.equal(await words(), 'red blue');
  const reload = async (red: readonly number[], blue: readonly number[]): Promise<string> => {
    const said = daemon.stderr().length;
    daemon.reconfigure(configuration(red, blue));
    daemon.signal('SIGHUP');
    await until(() => /"reload(ed"| refused)/.test(daemon.stderr().slice(said)), 10_000, 'the reload has ended');
    return daemon.stderr().slice(said);
  };
  t.match(await reload([other], [one]), /"reloaded"/);
  t.equal(await words(), 'blue red');
  t.match(await reload([other, one], [one, other]), /gateway blue: another gateway is to listen on .*reload refused/, 'both want both');
  t.equal(await words(), 'blue red');
  t.match(await reload([one], [one, other]), /gateway blue: another gateway is to listen on .*reload refused/, 'the one takes what the other is to keep');
  t.equal(await words(), 'blue red');
  t.match(await reload([one], [other]), /"reloaded"/);
  t.equal(await words(), 'red blue');
});

const settings = (name: string) => new Map([[name, { name, type: 'test', options: {}, fingerprint: name }]]);

/** Gateways of one type, whose parts a test gives. */
function arrange(parts: Partial<Gateway>): { gateways: Gateways; catalogue: GatewayCatalogue; logged: string[] } {
  const logged: string[] = [];
  const none = (): Promise<void> => Promise.resolve();
  const gateway: Gateway = { prepare: () => Promise.resolve({ commit: () => undefined, cancel: none }), drain: none, close: none, ...parts };
  const catalogue = new GatewayCatalogue(new Map([['test', { options: {}, open: () => gateway }]]));
  return { gateways: new Gateways(() => Promise.resolve((name) => ({ name }) as GatewayHost), (_level, message) => logged.push(message)), catalogue, logged };
}

void t.test('what a gateway prepares too late is undone', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const done: string[] = [];
  let settle: (() => void) | undefined;
  const { gateways, catalogue } = arrange({
    prepare: () => new Promise((resolve) => {
      settle = () => resolve({ commit: () => done.push('commit'), cancel: () => { done.push('cancel'); return Promise.resolve(); } });
    }),
  });
  const failed = t.rejects(gateways.prepare(settings('slow'), catalogue), { message: /^gateway slow: deadline of 15 s exceeded/ });
  while (settle === undefined) await new Promise(setImmediate);
  mock.timers.tick(GATEWAY_PREPARE_TIMEOUT);
  await failed;
  settle();
  await new Promise(setImmediate);
  t.same(done, ['cancel']);
});

void t.test('one that does not undo what it prepared holds nobody up', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const { gateways, catalogue, logged } = arrange({ prepare: () => Promise.resolve({ commit: () => undefined, cancel: () => new Promise(() => undefined) }) });
  const change = await gateways.prepare(settings('stuck'), catalogue);
  const cancelled = change.cancel();
  mock.timers.tick(GATEWAY_CLOSE_TIMEOUT);
  await cancelled;
  t.same(logged, ['gateway did not undo what it had prepared']);
});

void t.test('what is no gateway, or prepares nothing, is told by what it lacks', async (t) => {
  const wrong = <T>(value: unknown): T => value as T;
  for (const [parts, words] of [
    [{ drain: wrong<Gateway['drain']>(undefined) }, /^gateway odd: its open gives nothing with drain$/], [{ prepare: wrong<Gateway['prepare']>(5) }, /its open gives nothing with prepare$/],
    [{ prepare: () => wrong<Promise<Change>>(undefined) }, /^gateway odd: its prepare gives nothing with commit and cancel$/], [{ prepare: () => Promise.reject(wrong<Error>(undefined)) }, /^gateway odd: undefined$/],
    [{ prepare: () => { throw wrong<Error>('spilt'); } }, /^gateway odd: spilt$/],
  ] as [Partial<Gateway>, RegExp][]) {
    const { gateways, catalogue } = arrange(parts);
    await t.rejects(gateways.prepare(settings('odd'), catalogue), { message: words });
  }
});

void t.test('a client with whom a gateway\'s own code fails is let go', async (t) => {
  const plugins = mkdtempSync(join(tmpdir(), 'argo-gateways-'));
  t.teardown(() => rmSync(plugins, { recursive: true }));
  mkdirSync(join(plugins, 'node_modules'));
  symlinkSync(ROOT, join(plugins, 'node_modules', 'argo-server'));
  const ways = {
    throws: 'connected() { throw new Error("at once"); }',
    rejects: 'async connected() { await null; throw "later"; }',
    refuses: 'connected() {}, refusal(reason) { throw new Error("for " + reason); }',
    says: 'connected() {}, refusal: (reason) => "no: " + reason',
  };
  const table = (name: string): string => `[gateways.${name}]\ntype = "${name}"\nlisten = ["127.0.0.1:0"]\n${name === 'throws' || name === 'rejects' ? '' : 'from = ["192.0.2.1"]\n'}`;
  for (const [name, how] of Object.entries(ways)) writeFileSync(join(plugins, `${name}.mjs`), greeter('x').replace(/connected: .* \}\);/, `${how} });`));
  const daemon = await startDaemon({ config: `[server]\nplugin-path = [${JSON.stringify(plugins)}]\n${Object.keys(ways).map(table).join('')}`, listeners: 1 + Object.keys(ways).length });
  t.teardown(() => daemon.stop());
  const said: string[] = [];
  for (const port of daemon.ports.slice(1)) {
    const socket = createConnection(port, '127.0.0.1').on('error', () => undefined);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
    await once(socket, 'close');
    said.push(text);
  }
  t.same(said, ['', '', '', 'no: not from there'], 'what a gateway says to whom it refuses');
  t.ok(await daemon.logs(/"gateway":"refuses".*for not from there.*"connection failed"/));
  t.ok(await daemon.logs(/"gateway":"throws".*at once.*"connection failed"/));
  t.ok(await daemon.logs(/"gateway":"rejects".*later.*"connection failed"/));
});
