import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { ZABBIX_TAIL_VALUES } from '../../../src/kit/zabbix-gateway-limits.js';
import { Configurations } from '../../../src/gateways/zabbix/speaking/configurations.js';
import { Contact } from '../../../src/gateways/zabbix/speaking/contact.js';
import { Passive } from '../../../src/gateways/zabbix/speaking/passive.js';
import { HalfOpen } from '../../../src/listening/half-open.js';
import type { TlsSettings } from '../../../src/protocols/zabbix/tls.js';
import { encodeFrame, MESSAGE_LIMITS, parseMessage } from '../../../src/protocols/zabbix/frame.js';
import { readFrame } from '../../../src/protocols/zabbix/frame-reader.js';
import type { HistoryRow } from '../../../src/protocols/zabbix/messages.js';
import { until } from '../../support/until.js';
import { half, scratch, value, type Half } from './speaking.js';

/** Passive mode with servers of which there is no real one here. Each message is read whole, and judged. */

const WITHIN = 30_000;
const NEVER = new AbortController().signal;

interface Proxy extends Half {
  readonly port: number;
  /** Plays a server: says each message after the answer to the one before. @returns the answers */
  ask(...messages: readonly object[]): Promise<Readonly<Record<string, unknown>>[]>;
}

/** A proxy in passive mode that listens. */
async function listening(
  t: Test,
  { folder = scratch(t), serverVersion, ...given }: { folder?: string; serverVersion?: string; tls?: TlsSettings | undefined; absentAfter?: number } = {},
): Promise<Proxy> {
  const parts = half(t, folder);
  const { sender, tasks, history, logged, values } = parts;
  await values.open().catch(() => undefined);
  const log = (level: string, message: string, facts?: object): void => void logged.push(`${level} ${message} ${JSON.stringify(facts)}`);
  const configurations = new Configurations({
    history,
    log,
    changed: () => undefined,
    doubt: () => sender.doubt(),
    incoming: { serves: () => true, configured: () => undefined },
  });
  const contact = new Contact({ log, count: () => undefined, doubt: () => sender.doubt() });
  const halfOpen = new HalfOpen();
  halfOpen.resize(8, 4);
  const passive = new Passive({
    history, sender, tasks, configurations, contact, log, halfOpen, absentAfter: given.absentAfter, tls: () => given.tls, serverVersion: () => serverVersion,
  });
  t.teardown(() => passive.stop());
  const server = createServer((socket) => passive.connected(socket, '127.0.0.1')).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address() as AddressInfo;
  const ask: Proxy['ask'] = async (...messages) => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    const answers: Readonly<Record<string, unknown>>[] = [];
    for (const message of messages) {
      socket.write(await encodeFrame(JSON.stringify(message), { packed: true }));
      const frame = await readFrame(socket, MESSAGE_LIMITS, WITHIN, NEVER).catch(() => undefined);
      if (frame !== undefined) answers.push(parseMessage(frame.content));
    }
    socket.destroy();
    return answers;
  };
  return { ...parts, port, ask };
}

const TABLES = { hosts: { fields: ['hostid', 'host', 'status', 'name'], data: [[1, 'lj', 0, 'lj']] } };
const SUCCESS = { response: 'success' };
const DATA = { request: 'proxy data' };
const TASKS = { request: 'proxy tasks' };
const WHOLE = { request: 'proxy config', data: TABLES };
const ASKS_FIRST = { request: 'proxy config' };
const CHANGES = { full_sync: 1, data: TABLES, config_revision: 4 };

const texts = (answer: Readonly<Record<string, unknown>> | undefined): string[] => ((answer?.['history data'] ?? []) as readonly HistoryRow[]).map(({ value: text }) => text);

await t.test('a server that has not shown that it takes our version gets nothing that it may throw away', async (t) => {
  const { values, tasks, counts, logged, ask, reports } = await listening(t);
  await values.values([value('5', 'a')]);
  tasks.take([{ kind: 'diagnostics', parentTaskId: 9, data: '{"historycache":{}}' }], 'there');
  await tasks.drain(WITHIN);
  reports.registration([{ clock: 1, host: 'lj', ip: '', dns: '', port: '10050' }]);
  for (const request of [DATA, TASKS]) {
    const [answer] = await ask(request, SUCCESS);
    t.same(Object.keys(answer!).sort(), [...(request === DATA ? ['session'] : []), 'clock', 'ns', 'version'].sort(), request.request);
    t.equal(answer!.version, '6.0.14');
  }
  t.equal(counts.sent, 0);
  t.match(await ask(WHOLE), [{ response: 'success', version: '6.0.14' }]);
  const [told] = await ask(DATA, SUCCESS);
  t.match(told, { tasks: [{ type: 8, parent_taskid: 9 }], 'auto registration': [{ host: 'lj' }] });
  t.same(texts(told), ['a']);
  await until(() => counts.sent === 1, WITHIN, 'the value to count as sent');
  t.equal(logged.filter((line) => line.includes('takes the version')).length, 1);
});

await t.test('one since 6.4 shows it by asking first, and that is remembered', async (t) => {
  const folder = scratch(t);
  const first = await listening(t, { folder });
  await first.values.values([value('5', 'a')]);
  const [known, done] = await first.ask(ASKS_FIRST, CHANGES);
  t.match(known, { version: '6.0.14', config_revision: 0 });
  t.match(done, { response: 'success', version: '6.0.14' });
  t.same(texts((await first.ask(DATA, SUCCESS))[0]), ['a']);
  await until(async () => await first.state.history('gateway z').note('version') !== undefined, WITHIN, 'the version to be noted');
  await first.values.close();
  await first.state.close();
  const later = await listening(t, { folder });
  await later.values.values([value('5', 'b')]);
  t.same(texts((await later.ask(DATA, SUCCESS))[0]), ['a', 'b'], 'no configuration is waited for');
});

await t.test('what was noted beside the values is noted again where it could not be, or another file has begun, though nothing changes', async (t) => {
  const folder = join(scratch(t), 'state');
  writeFileSync(folder, 'a file in the way');
  const { values, history, ask } = await listening(t, { folder });
  const areNoted = (): Promise<void> => until(async () => {
    await ask(WHOLE);
    const notes = await Promise.all(['configuration', 'version'].map((key) => history.note(key).catch(() => undefined)));
    return notes.every((note) => note !== undefined);
  }, WITHIN, 'both notes');
  t.match(await ask(WHOLE), [{ response: 'success' }], 'it cannot be noted, and is in force');
  rmSync(folder);
  await areNoted();
  const before = values.session;
  for (const name of readdirSync(folder)) if (name.startsWith('history.')) rmSync(join(folder, name));
  await t.rejects(values.values([value('5', 'a')]));
  await areNoted();
  await values.values([value('5', 'a')]);
  t.not(values.session, before);
});

await t.test('where people know the version, it is claimed, and rows are written as it has them', async (t) => {
  const { values, reports, ask } = await listening(t, { serverVersion: '5.4' });
  await values.values([value('5', 'a')]);
  reports.discovery([{ clock: 1, drule: 2, dcheck: 3, type: 12, ip: '10.3.0.10', dns: '' }, { clock: 1, drule: 2, dcheck: null, type: -1, ip: '10.3.0.10', dns: '' }]);
  const [answer] = await ask(DATA, SUCCESS);
  t.match(answer, { version: '5.4.0', 'discovery data': [{ type: 12 }, { type: -1 }] });
  t.same(texts(answer), ['a']);
});

await t.test('whoever comes with garbage has no server send anything again, and is told once', async (t) => {
  const { values, ask, port, logged } = await listening(t);
  await ask(WHOLE);
  const many = ZABBIX_TAIL_VALUES + 500;
  await values.values(Array.from({ length: many }, (_, index) => value('5', String(index))));
  t.equal(texts((await ask(DATA, SUCCESS))[0]).length, many);
  for (const garbage of ['GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'ZB']) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined).resume();
    socket.end(garbage);
    await once(socket, 'close');
  }
  await values.values([value('5', 'b')]);
  t.equal(texts((await ask(DATA, SUCCESS))[0])[0], '500', 'as always the latest ones, and not all that are kept');
  t.same(logged.filter((line) => line.includes('came to nothing')).length, 2, 'each reason once');
  t.equal(logged.filter((line) => line.includes('the Zabbix server answers')).length, 1, 'the server was there all the time');
  await ask(DATA);
  await values.values([value('5', 'c')]);
  t.equal(texts((await ask(DATA, SUCCESS))[0])[0], '0', 'one that asked and was gone may have been the server, at its end');
});

await t.test('whoever asks for values while others are on their way is answered, and has nothing sent again', async (t) => {
  const { values, ask, port, counts, logged } = await listening(t);
  await ask(WHOLE);
  const many = ZABBIX_TAIL_VALUES + 500;
  await values.values(Array.from({ length: many }, (_, index) => value('5', String(index))));
  await ask(DATA, SUCCESS);
  await until(() => counts.sent === many, WITHIN, 'the values to count as sent');
  await values.values([value('5', 'b')]);
  const first = connect(port, '127.0.0.1').on('error', () => undefined);
  t.teardown(() => first.destroy());
  first.write(await encodeFrame(JSON.stringify(DATA), { packed: true }));
  await readFrame(first, MESSAGE_LIMITS, WITHIN, NEVER);
  for (let time = 0; time < 2; time += 1) {
    const [second] = await ask(DATA, SUCCESS);
    t.match(second, { version: '6.0.14' });
    t.same(texts(second), []);
  }
  t.equal(logged.filter((line) => line.includes('it asks for values while it gets some already')).length, 1, 'which is told once');
  first.write(await encodeFrame(JSON.stringify(SUCCESS), { packed: true }));
  await until(() => counts.sent === many + 1, WITHIN, 'the last value to count as sent');
  await values.values([value('5', 'c')]);
  t.equal(texts((await ask(DATA, SUCCESS))[0])[0], '501', 'as always the latest ones, and not all that are kept');
});

for (const [what, tls] of [['say nothing', undefined], ['begin no TLS', { kind: 'psk', identity: 'argo', key: Buffer.alloc(32, 1) }]] as const) {
  await t.test(`those who only stand there and ${what} give way to further ones, and not those that have asked`, async (t) => {
    const { port, ask } = await listening(t, { tls });
    const silent = (): Promise<{ isClosed: boolean }> => new Promise((resolve) => {
      const seen = { isClosed: false };
      const socket = connect(port, '127.0.0.1', () => resolve(seen)).on('error', () => undefined).on('close', () => { seen.isClosed = true; });
      socket.resume();
      t.teardown(() => socket.destroy());
    });
    const asked = connect(port, '127.0.0.1').on('error', () => undefined);
    t.teardown(() => asked.destroy());
    if (tls === undefined) {
      asked.write(await encodeFrame(JSON.stringify(TASKS), { packed: true }));
      await readFrame(asked, MESSAGE_LIMITS, WITHIN, NEVER);
    }
    const first = [await silent(), await silent()];
    const later = [await silent(), await silent()];
    await until(() => first.every(({ isClosed }) => isClosed), 5000, 'the oldest to be closed');
    t.same(later, [{ isClosed: false }, { isClosed: false }]);
    if (tls !== undefined) return;
    t.equal(asked.destroyed, false);
    t.match(await ask(TASKS, SUCCESS), [{ version: '6.0.14' }]);
  });
}

await t.test('that no server asks is told, and so is one that asks again; strangers are none', async (t) => {
  const { ask, logged, port } = await listening(t, { absentAfter: 500 });
  const lines = (what: RegExp): number => logged.filter((line) => what.test(line)).length;
  const [absent, answers] = [/^warn no Zabbix server asks/, /^info the Zabbix server answers/];
  await until(() => lines(absent) === 1, WITHIN, 'the word that nobody asks');
  connect(port, '127.0.0.1').on('error', () => undefined).end('GET / HTTP/1.0\r\n\r\n');
  await until(() => lines(/came to nothing/) === 1, WITHIN, 'the word of a stranger');
  t.equal(lines(answers), 0);
  await ask(TASKS, SUCCESS);
  await until(() => lines(answers) === 1, WITHIN, 'the word that one asks');
  await until(() => lines(absent) === 2, WITHIN, 'the word that nobody asks any more');
});
