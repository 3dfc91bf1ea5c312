import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { ADMIN, descriptors, fillDisk, goesOn, logIn, LONG, residentMegabytes } from '../support/faults.js';
import type { LineClient } from '../support/line-client.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { receive, type Receiver } from '../support/webhook-receiver.js';

/** Receivers that are down, slow, elsewhere or hostile; a disk that is full. */

const config = (tables: string): string => `${ADMIN}
[providers.demo]
type = "sim"
instances = ["lj", "web1"]
${tables}`;

const table = (name: string, { url }: Pick<Receiver, 'url'>, keys = 'events = ["action"]'): string => `[[webhooks]]\nname = "${name}"\nurl = "${url}"\n${keys}\n`;

async function start(t: Test, tables: string, folder?: string): Promise<Daemon> {
  const daemon = await startDaemon({ config: config(tables), ...(folder === undefined ? {} : { folder }) });
  t.after(() => daemon.stop());
  return daemon;
}

/** Four events of the type `action`. */
async function cycle(client: LineClient): Promise<void> {
  for (const command of ['stop lj --force --wait', 'start lj --wait']) {
    const reply = await client.ask(command, LONG);
    if (reply.code !== 300) throw new Error(`${command}: ${reply.comment}`);
  }
}

async function reload(daemon: Daemon, tables: string): Promise<void> {
  const before = daemon.stderr().length;
  daemon.reconfigure(config(tables));
  daemon.signal('SIGHUP');
  await until(() => daemon.stderr().slice(before).includes('"reloaded"'), LONG, 'the reload');
}

// they mostly wait
t.jobs = 4;

void t.test('redirects are not followed', async (t) => {
  const [receiver, other] = [await receive(t), await receive(t)];
  const statuses = [301, 302, 303, 307, 308];
  receiver.answer = (index) =>
    index < statuses.length
      ? (_request, response) => void response.writeHead(statuses[index]!, { location: other.url }).end()
      : undefined;
  const daemon = await start(t, table('main', receiver));
  await cycle(await logIn(daemon));
  await receiver.has(4);
  t.same(receiver.deliveries.slice(0, 6).map(({ status }) => status), [...statuses, 204]);
  t.same([other.connections(), other.deliveries.length], [0, 0]);
});

void t.test('one that answers badly holds up nobody else', async (t) => {
  const [good, slow, silent, closing, huge, garbled] = (await Promise.all(Array.from({ length: 6 }, () => receive(t)))) as [
    Receiver,
    Receiver,
    Receiver,
    Receiver,
    Receiver,
    Receiver,
  ];
  const open: NodeJS.Timeout[] = [];
  t.after(() => open.forEach((timer) => clearTimeout(timer)));
  slow.answer = (index) => (index < 2 ? (_request, response) => void open.push(setTimeout(() => response.writeHead(204).end(), 1500)) : undefined);
  silent.answer = () => () => undefined;
  closing.answer = (index) => (index < 3 ? (request) => request.socket.destroy() : undefined);
  huge.answer = () => (_request, response) => {
    response.writeHead(200, { 'content-length': '1000000000' });
    const more = (): void => { while (!response.destroyed && response.write(Buffer.alloc(65_536))) continue; };
    response.on('drain', more).on('error', () => undefined);
    more();
  };
  garbled.answer = (index) => (index < 2 ? (request) => request.socket.end('what do you want\r\n\r\n') : undefined);
  const keys = 'events = ["action"]\ntimeout = "500ms"';
  const daemon = await start(t, table('good', good) + table('slow', slow, keys) + table('silent', silent, keys) + table('closing', closing, keys)
    + table('huge', huge, keys) + table('garbled', garbled, keys));
  const client = await logIn(daemon);
  await cycle(client);
  await good.has(4);
  t.ok(silent.deliveries.length <= 3, 'before the others had their turns');
  await Promise.all([slow.has(4), closing.has(4), garbled.has(4)]);
  for (const one of [slow, closing, garbled]) {
    const outcomes = one.accepted().map(({ data }) => `${String(data.command)} ${String(data.outcome)}`);
    t.same(outcomes.filter((each, index) => outcomes.indexOf(each) === index), ['stop begun', 'stop done', 'start begun', 'start done'], 'in order');
  }
  await until(() => huge.deliveries.length >= 4, LONG, 'all for the one that answers too much');
  t.equal(new Set(huge.deliveries.map(({ event }) => event.id)).size, huge.deliveries.length, 'it said 200, so each comes once');
  await until(() => silent.deliveries.length >= 3, LONG, 'further attempts');
  t.equal(new Set(silent.deliveries.map(({ event }) => event.id)).size, 1, 'the first one again');
  t.ok(residentMegabytes(daemon) < 200, `${residentMegabytes(daemon)} MB`);
  t.ok(descriptors(daemon) < 60);
  const began = performance.now();
  t.equal((await daemon.stop()).code, 0);
  t.ok(performance.now() - began < 15_000, 'its end does not wait for them');
});

void t.test('410 switches a webhook off until its table changes, over a restart too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-webhooks-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [receiver, other] = [await receive(t), await receive(t)];
  receiver.answer = () => 410;
  const tables = table('main', receiver) + table('other', other);
  const first = await start(t, tables, folder);
  await cycle(await logIn(first));
  await until(() => first.stderr().includes('its receiver says that it is gone'), LONG, 'the line of the log');
  await cycle(await logIn(first));
  await other.has(8);
  t.equal(receiver.deliveries.length, 1, 'nothing more is sent');
  await reload(first, `${tables}# a comment\n`);
  t.equal((await first.stop()).code, 0);
  const second = await start(t, tables, folder);
  await until(() => second.stderr().includes('webhook is switched off'), LONG, 'the line of the log');
  await cycle(await logIn(second));
  await other.has(12);
  t.equal(receiver.deliveries.length, 1);
  receiver.answer = () => undefined;
  await reload(second, table('main', receiver, 'events = ["action"]\ntimeout = "4s"') + table('other', other));
  // one whose answer came too late comes again
  const different = () => [...new Map(receiver.accepted().map((event) => [event.id, event])).values()];
  const hasAll = (): boolean => different().length > 5 || (different().length === 5 && different().at(-1)!.data.outcome === 'done');
  await until(hasAll, LONG, 'what waited');
  const events = different();
  t.same(events[0]!.id, receiver.deliveries[0]!.event.id, 'what it did not take comes first');
  t.equal(events.at(-1)!.data.outcome === 'done' || events.length > 5, true, 'and what happened since the start');
});

void t.test('Retry-After, and events that are given up', async (t) => {
  const receiver = await receive(t);
  receiver.answer = (index) => (index === 0 ? (_request, response) => void response.writeHead(429, { 'retry-after': '5' }).end() : index < 5 ? 503 : undefined);
  const daemon = await start(t, table('main', receiver, 'events = ["action"]\ngive-up-after = "1s"'));
  const client = await logIn(daemon);
  await cycle(client);
  await until(() => receiver.deliveries.length >= 2, LONG, 'the second attempt');
  // by then, what a slow machine takes for two actions is too old as well
  t.ok(receiver.deliveries[1]!.at - receiver.deliveries[0]!.at >= 4900, 'not before it asked for it');
  const [lost] = await receiver.has(1);
  t.match(lost, { type: 'org.xen-tools.argo.events.lost.v1', data: { dropped: 4, reason: 'too-old' } });
  t.ok(await daemon.logs(/"reason":"too-old","msg":"webhook: events were dropped"/));
  await cycle(client);
  const events = await receiver.has(5);
  t.same(events.slice(1).map(({ data }) => data.outcome), ['begun', 'done', 'begun', 'done'], 'later ones arrive');
});

void t.test('order = false: one that is not taken does not hold up the others', async (t) => {
  const receiver = await receive(t);
  let under = 0;
  let most = 0;
  receiver.answer = (_index, { event: { data } }) => (data.command === 'stop' && data.outcome === 'begun' ? 400 : (_request, response) => {
    most = Math.max(most, under += 1);
    setTimeout(() => { under -= 1; response.writeHead(204).end(); }, 50);
  });
  const daemon = await start(t, table('main', receiver, 'events = ["action"]\norder = false'));
  const client = await logIn(daemon);
  for (let turn = 0; turn < 8; turn += 1) await cycle(client);
  await until(() => receiver.accepted().length >= 20, LONG, 'most of the others').catch(() => undefined);
  t.ok(receiver.accepted().length >= 20, `${receiver.accepted().length} others`);
  t.ok(most <= 8, `${most} at a time`);
});

void t.test('the disk is full: events wait where they are, and what is forgotten meanwhile is told', { skip: lacksRoot('mount', 'umount') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-webhooks-'));
  const state = join(folder, 'state');
  mkdirSync(state);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16384k,mode=700', 'tmpfs', state]);
  t.after(() => {
    spawnSync('umount', ['-l', state]);
    rmSync(folder, { recursive: true, force: true });
  });
  const receiver = await receive(t);
  const tables = table('main', receiver, 'events = ["server"]');
  const daemon = await start(t, tables, folder);
  await receiver.has(1);
  const filler = join(state, 'filler');
  fillDisk(filler);
  for (let turn = 0; turn < 5; turn += 1) await reload(daemon, tables);
  await until(() => daemon.stderr().includes('events cannot be kept for the webhook') || receiver.accepted().length >= 6, LONG, 'the disk to be missed');
  t.ok(await daemon.logs(/events cannot be kept for the webhook/));
  t.ok(receiver.accepted().length < 6);
  unlinkSync(filler);
  const events = await receiver.has(6);
  t.same(events.map(({ data }) => data.now), ['started', ...Array<string>(5).fill('reloaded')], 'all of them, in order, once');
  t.equal((await daemon.stop()).code, 0);
});

void t.test('a table that is taken away and put back at once loses nothing of what happens then', async (t) => {
  const receiver = await receive(t);
  let isUp = false;
  receiver.answer = (index) => (index === 0 ? () => undefined : isUp ? undefined : 503);
  const figures = '[gateways.metrics]\ntype = "metrics"\nlisten = ["127.0.0.1:0"]\n';
  const tables = `${table('main', receiver, 'events = ["server", "action"]\ntimeout = "30s"')}${figures}`;
  const daemon = await startDaemon({ config: config(tables), listeners: 2 });
  t.after(() => daemon.stop());
  const client = await logIn(daemon);
  await until(() => receiver.deliveries.length > 0, LONG, 'an attempt that hangs');
  await reload(daemon, figures);
  await reload(daemon, tables);
  await cycle(client);
  t.ok(await daemon.logs('webhook was taken away, what waited is dropped'), 'the former one has ended');
  await until(async () => /^argo_webhook_backlog\{sink="main"\} [1-9]/m.test(await (await fetch(`http://127.0.0.1:${daemon.ports[1]}/metrics`)).text()), LONG, 'the figure of the later one');
  isUp = true;
  const events = await receiver.has(5);
  t.same(events.map(({ data }) => data.now ?? data.outcome), ['reloaded', 'begun', 'done', 'begun', 'done']);
  t.notMatch(daemon.stderr(), /did not drain/);
});

void t.test('the end of the server waits neither for one that is switched off nor for one that hangs', async (t) => {
  const [off, hanging] = [await receive(t), await receive(t)];
  off.answer = () => 410;
  hanging.answer = () => () => undefined;
  const daemon = await start(t, table('off', off, '') + table('hanging', hanging, 'timeout = "60s"'));
  t.ok(await daemon.logs('webhook is switched off'));
  await until(() => hanging.deliveries.length > 0, LONG, 'an attempt that hangs');
  t.equal((await daemon.stop()).code, 0);
  t.notMatch(daemon.stderr(), /did not drain|did not close/);
});

void t.test('after all that it serves', async (t) => {
  const receiver = await receive(t);
  await receiver.close();
  const daemon = await start(t, table('main', receiver));
  await cycle(await logIn(daemon));
  await goesOn(t, daemon, 'a receiver that is down is no fault of the server');
});
