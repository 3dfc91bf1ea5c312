import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { ZABBIX_MESSAGE_VALUES, ZABBIX_TAIL_VALUES } from '../../../src/kit/zabbix-gateway-limits.js';
import { Active } from '../../../src/gateways/zabbix/speaking/active.js';
import { Configurations } from '../../../src/gateways/zabbix/speaking/configurations.js';
import { Contact } from '../../../src/gateways/zabbix/speaking/contact.js';
import { Servers } from '../../../src/gateways/zabbix/speaking/servers.js';
import { Bell } from '../../../src/kit/bell.js';
import { encodeFrame, MESSAGE_LIMITS, parseMessage } from '../../../src/protocols/zabbix/frame.js';
import { readFrame } from '../../../src/protocols/zabbix/frame-reader.js';
import type { ProxyConfiguration } from '../../../src/protocols/zabbix/configuration.js';
import type { HistoryRow } from '../../../src/protocols/zabbix/messages.js';
import { until } from '../../support/until.js';
import { half, value, type Half } from './speaking.js';

/** Active mode with a server that does what the real one cannot be made to do. Each message is read whole, and judged. */

const WITHIN = 30_000;

interface Told {
  readonly request: string;
  readonly host: string;
  readonly version: string;
  readonly session?: string;
  readonly 'history data'?: readonly HistoryRow[];
  readonly 'auto registration'?: readonly object[];
  readonly more?: number;
  readonly clock?: number;
}

/** Bytes, or a message; undefined: it closes without a word. */
type Reply = object | Buffer | undefined;

async function serve(t: Test, reply: (told: Told) => Reply): Promise<{ port: number; told: Told[] }> {
  const told: Told[] = [];
  const answer = async (socket: Socket): Promise<void> => {
    const frame = await readFrame(socket, MESSAGE_LIMITS, WITHIN, new AbortController().signal);
    if (frame === undefined) return;
    const message = parseMessage(frame.content) as unknown as Told;
    if (!frame.packed || message.host !== 'px') throw new Error(`a message that no proxy sends: ${frame.content.toString()}`);
    told.push(message);
    const said = reply(message);
    if (said !== undefined) socket.write(said instanceof Buffer ? said : await encodeFrame(JSON.stringify(said), { packed: true }));
    socket.end();
  };
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    answer(socket).catch((error: Error) => { t.fail(error.message); socket.destroy(); });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => server.close());
  return { port: (server.address() as AddressInfo).port, told };
}

interface Speaking extends Half {
  readonly active: Active;
  readonly configured: ProxyConfiguration[];
  readonly servers: Servers;
}

interface Started { recover(): Promise<void> }

const speak = (t: Test, ...ports: readonly number[]): Speaking => speakOnce({ recover: () => Promise.resolve() }, t, ...ports);

function speakOnce({ recover }: Started, t: Test, ...ports: readonly number[]): Speaking {
  const parts = half(t);
  const { sender, tasks, state, logged } = parts;
  const log = (level: string, message: string, facts?: object): void => void logged.push(`${level} ${message} ${JSON.stringify(facts)}`);
  const configured: ProxyConfiguration[] = [];
  const configurations = new Configurations({
    history: state.history('gateway z'), log, changed: () => undefined, doubt: () => sender.doubt(), incoming: { serves: () => true, configured: (one) => configured.push(one) },
  });
  const contact = new Contact({ log, count: () => undefined, doubt: () => sender.doubt() });
  const servers = new Servers(contact);
  servers.set(ports.map((port) => ({ host: '127.0.0.1', port })), undefined, 'px');
  const active = new Active({ servers, sender, tasks, configurations, log, bell: new Bell(), frequencies: () => ({ config: 100, heartbeat: 100, data: 50 }) });
  t.teardown(() => active.stop());
  active.start(recover);
  return { ...parts, active, configured, servers };
}

const OLD = { hosts: { fields: ['hostid', 'host', 'status', 'name'], data: [[1, 'lj', 0, 'lj']] }, items: { fields: ['itemid', 'type', 'key_', 'hostid', 'delay', 'value_type', 'status'], data: [[5, 0, 'argo.status', 1, '1s', 3, 0]] } };

await t.test('a server of another major version names its own, and is asked with that', async (t) => {
  const { port, told } = await serve(t, ({ request, version }) => {
    if (!version.startsWith('7.')) return { response: 'failed', info: 'current proxy version is not supported by server', version: '7.0.4' };
    return request === 'proxy config' ? { full_sync: 1, data: OLD, config_revision: 3 } : { response: 'success', upload: 'enabled' };
  });
  const { values, counts, configured, logged } = speak(t, port);
  await values.values([value('5')]);
  await until(() => counts.sent === 1 && configured.length > 0, WITHIN, 'a value');
  t.ok(told.some(({ version }) => version === '7.0.4'));
  t.equal(told.filter(({ request, version }) => request === 'proxy heartbeat' && version === '7.0.4').length, 0, 'it knows no heartbeat');
  t.match(configured[0]!.items, [{ itemid: '5', key: 'argo.status' }]);
  t.ok(logged.some((line) => line.startsWith('info the Zabbix server answers')));
});

await t.test('a server that has forgotten its configuration was started anew, and gets again what it had acknowledged', async (t) => {
  // it dies and listens again between two messages: nothing else tells
  let life = 1;
  const sent: number[] = [];
  const { port } = await serve(t, (message) => {
    const { request, version, session, config_revision: revision } = message as Told & { readonly config_revision?: number };
    if (!version.startsWith('7.')) return { response: 'failed', info: 'current proxy version is not supported by server', version: '7.0.4' };
    if (request === 'proxy config') return session !== undefined && revision === life ? {} : { full_sync: 1, data: OLD, config_revision: life };
    sent.push(...(message['history data'] ?? []).map(({ id }) => id));
    return { response: 'success', upload: 'enabled' };
  });
  const { values, counts, configured } = speak(t, port);
  // more than goes once more with each message
  const many = ZABBIX_TAIL_VALUES + 500;
  await values.values(Array.from({ length: many }, () => value('5')));
  await until(() => counts.sent === many && configured.length > 0, WITHIN, 'the values');
  const [times, known] = [sent.filter((id) => id === 1).length, configured.length];
  life = 2;
  await until(() => sent.filter((id) => id === 1).length > times, WITHIN, 'the first value once more');
  t.equal(counts.sent, many, 'it is not counted again');
  t.equal(configured.length, known + 1);
});

await t.test('of a backlog each value comes once and in order, whatever else there is to tell with it', async (t) => {
  const many = 4 * ZABBIX_MESSAGE_VALUES + 17;
  const { port, told } = await serve(t, (message) => {
    if (message.request === 'proxy config') return OLD;
    // while the next values are packed already
    if (message.more === 1) speaking.reports.registration([{ clock: 1, host: `h${told.length}`, ip: '10.0.0.1', dns: '', port: '10050' }]);
    return { response: 'success', upload: 'enabled' };
  });
  const speaking: Speaking = speakOnce({ recover: () => speaking.values.values(Array.from({ length: many }, () => value('5'))) }, t, port);
  const { counts } = speaking;
  const rows = (): number => told.reduce((sum, message) => sum + (message['auto registration']?.length ?? 0), 0);
  await until(() => counts.sent === many && rows() === 4, WITHIN, 'the values');
  const data = told.filter((message) => message['history data']?.length === ZABBIX_MESSAGE_VALUES);
  t.same(data.flatMap((message) => message['history data']!.map(({ id }) => id)), Array.from({ length: 4 * ZABBIX_MESSAGE_VALUES }, (_, index) => index + 1));
  t.same(data.map((message) => message['auto registration']?.length ?? 0), [0, 1, 1, 1], 'what is new goes with the next values');
  t.ok(data.every(({ clock }, index) => index === 0 || clock! >= data[index - 1]!.clock!));
});

await t.test('a server hears of the proxy before it is known here what was kept, and of nothing else', async (t) => {
  const { port, told } = await serve(t, ({ request }) => (request === 'proxy config' ? OLD : { response: 'success', upload: 'enabled' }));
  let isKnown = (): void => undefined;
  const { values, counts } = speakOnce({ recover: () => new Promise((resolve) => { isKnown = resolve; }) }, t, port);
  await values.values([value('5')]);
  await until(() => told.length >= 3, WITHIN, 'its heart');
  t.same([...new Set(told.map(({ request }) => request))], ['proxy heartbeat']);
  isKnown();
  await until(() => counts.sent === 1, WITHIN, 'the value');
});

await t.test('what was kept is looked for when the server has answered first, and where it hangs all the same', async (t) => {
  const answering = await serve(t, () => ({ response: 'success' }));
  const heard = await new Promise<number>((resolve) => {
    speakOnce({ recover: () => Promise.resolve(resolve(answering.told.length)) }, t, answering.port);
  });
  t.equal(heard, 1);

  const sockets: Socket[] = [];
  const hanging = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => { hanging.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => {
    sockets.forEach((socket) => socket.destroy());
    hanging.close();
  });
  await new Promise<void>((resolve) => { speakOnce({ recover: () => Promise.resolve(resolve()) }, t, (hanging.address() as AddressInfo).port); });
  t.pass('it did not wait for the answer');
});

await t.test('garbage, half an answer and silence lose nothing, and are told once each', async (t) => {
  const half = (await encodeFrame(JSON.stringify({ response: 'success' }), { packed: true })).subarray(0, 20);
  const replies: Reply[] = [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), half, undefined, { response: 'maybe' }, { response: 'failed', info: 'proxy "px" not found' }];
  const taken: HistoryRow[] = [];
  const { port } = await serve(t, (message) => {
    if (message.request === 'proxy config') return OLD;
    if (message.request === 'proxy heartbeat') return { response: 'success' };
    const reply = replies.shift();
    if (reply !== undefined || replies.length === 2) return reply;
    taken.push(...message['history data'] ?? []);
    return { response: 'success', upload: 'enabled' };
  });
  const { values, counts, logged } = speak(t, port);
  await values.values([value('5', 'a'), value('5', 'b')]);
  await until(() => counts.sent === 2, WITHIN, 'the values');
  t.same([...new Set(taken.map(({ value: text }) => text))], ['a', 'b']);
  t.same(counts, { kept: 2, sent: 2, dropped: {} });
  const faults = logged.filter((line) => line.startsWith('warn the Zabbix server cannot be used'));
  t.ok(faults.some((line) => line.includes('not found')), 'the server\'s own words');
  t.equal(new Set(faults).size >= 3, true);
});

await t.test('answers that are dropped: the values go again, before newer ones, and none is left out', async (t) => {
  const seen = new Map<number, string>();
  let dropped = 0;
  const { port } = await serve(t, (message) => {
    if (message.request !== 'proxy data') return message.request === 'proxy config' ? OLD : { response: 'success' };
    const rows = message['history data'] ?? [];
    if (rows.some(({ id }, index) => id !== rows[0]!.id + index)) t.fail('numbers with gaps');
    for (const { id, value: text } of rows) {
      if (seen.has(id) && seen.get(id) !== text) t.fail(`another value under the number ${id}`);
      seen.set(id, text);
    }
    if (rows.length > 0 && dropped < 3) {
      dropped += 1;
      return undefined;
    }
    return { response: 'success', upload: 'enabled' };
  });
  const { values, counts } = speak(t, port);
  for (let part = 0; part < 5; part += 1) await values.values(Array.from({ length: 4000 }, (_, index) => value('5', String(part * 4000 + index))));
  await until(() => counts.sent === 20_000, WITHIN, 'all values');
  t.equal(seen.size, 20_000);
  t.same([...seen.values()], Array.from({ length: 20_000 }, (_, index) => String(index)));
});

await t.test('the first server that answers is used, until it does not', async (t) => {
  const answers = (request: string): Reply => (request === 'proxy config' ? OLD : { response: 'success', upload: 'enabled' });
  let isWell = true;
  const second = await serve(t, ({ request }) => (isWell ? answers(request) : undefined));
  const third = await serve(t, ({ request }) => answers(request));
  const { counts, values } = speak(t, 1, second.port, third.port);
  await values.values([value('5')]);
  await until(() => counts.sent === 1, WITHIN, 'a value');
  t.equal(third.told.length, 0);
  isWell = false;
  await values.values([value('5')]);
  await until(() => counts.sent === 2 && third.told.length > 0, WITHIN, 'the other one');
});

await t.test('another server, or another name at it, is asked what it wants before it gets values', async (t) => {
  const other = { ...OLD, items: { ...OLD.items, data: [[6, 0, 'argo.status', 1, '1s', 3, 0]] } };
  const taken: { readonly order: string; readonly itemids: readonly string[] }[] = [];
  const first = await serve(t, ({ request }) => (request === 'proxy config' ? OLD : { response: 'success', upload: 'enabled' }));
  let isReady = false;
  const second = await serve(t, ({ request, ...message }) => {
    if (request === 'proxy config') return isReady ? other : undefined;
    const itemids = (message['history data'] ?? []).map(({ itemid }) => itemid);
    if (itemids.length > 0) taken.push({ order: isReady ? 'after' : 'before', itemids });
    return { response: 'success', upload: 'enabled' };
  });
  const { values, counts, active, servers, sender } = speak(t, first.port);
  await values.values([value('5', 'old')]);
  await until(() => counts.sent === 1, WITHIN, 'a value at the first');
  servers.set([{ host: '127.0.0.1', port: second.port }], undefined, 'px');
  sender.doubt();
  active.unsure();
  await values.values([value('5', 'old'), value('6', 'new')]);
  await until(() => second.told.filter(({ request }) => request === 'proxy data').length >= 3, WITHIN, 'messages without values');
  t.same(taken, []);
  isReady = true;
  await until(() => taken.some(({ itemids }) => itemids.includes('6')), WITHIN, 'the values');
  t.equal(taken.every(({ order }) => order === 'after'), true);
});

await t.test('a server that takes all but values of our versions: each is told, and the first is tried again', async (t) => {
  let isOlder = false;
  const { port, told } = await serve(t, ({ request, version }) => {
    if (request === 'proxy config') return OLD;
    return request === 'proxy heartbeat' || (isOlder && version === '6.0.14') ? { response: 'success' } : { response: 'failed' };
  });
  const { values, counts, logged } = speak(t, port);
  await values.values([value('5')]);
  await until(() => told.filter(({ request, version }) => request === 'proxy data' && version === '5.4.0').length >= 2, WITHIN, 'both versions, again and again');
  t.match(logged.filter((line) => line.startsWith('warn the Zabbix server cannot be used')), [/6\.0\.14: .*; 5\.4\.0: /], 'once');
  isOlder = true;
  await until(() => counts.sent === 1, WITHIN, 'the value');
});
