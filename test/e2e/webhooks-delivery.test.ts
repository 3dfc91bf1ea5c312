import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { ADMIN, goesOn, logIn, LONG } from '../support/faults.js';
import type { LineClient } from '../support/line-client.js';
import { until } from '../support/until.js';
import { receive, verified, type CloudEvent } from '../support/webhook-receiver.js';

/** Webhooks from a configured daemon to a receiver that verifies with the library that others wrote. */

const SECRET = randomBytes(32).toString('base64');
const OTHER = randomBytes(24).toString('base64');

const BASE = `${ADMIN}
[accounts.hooks]
password = "${'$2b$12$'}${'.'.repeat(53)}"
GRANTS
[groups]
web = ["web[1-2]"]
[providers.demo]
type = "sim"
instances = ["lj", "web1", "web2"]
`;

const grants = (...instances: string[]): string => instances.map((one) => `[[accounts.hooks.grants]]\ninstances = [${JSON.stringify(one)}]\ncommands = ["read"]`).join('\n');
const config = (tables: string, granted = grants('*')): string => `${BASE.replace('GRANTS', granted)}${tables}`;

const table = (url: string, keys = ''): string => `[[webhooks]]\nname = "main"\nurl = "${url}"\nsecret-file = "hook.key"\n${keys}\n`;

async function start(t: Test, text: string, more: { folder?: string; listeners?: number } = {}): Promise<Daemon> {
  const daemon = await startDaemon({ config: text, files: { 'hook.key': `${SECRET}\n` }, ...more });
  t.after(() => daemon.stop());
  return daemon;
}

/** Switches a machine off and on again, and waits for both. */
async function cycle(client: LineClient, name: string): Promise<void> {
  for (const command of [`stop ${name} --force --wait`, `start ${name} --wait`]) {
    const reply = await client.ask(command, LONG);
    if (reply.code !== 300) throw new Error(`${command}: ${reply.comment}`);
  }
}

async function reload(daemon: Daemon, text: string): Promise<void> {
  const before = daemon.stderr().length;
  daemon.reconfigure(text);
  daemon.signal('SIGHUP');
  await until(() => daemon.stderr().slice(before).includes('"reloaded"'), LONG, 'the reload');
}

const told = ({ type, subject, data }: CloudEvent): string => [type.replace('org.xen-tools.argo.', ''), subject ?? '', data.now ?? data.outcome].join(' ');

await t.test('two refusals, then all events in order, signed and well-formed', async (t) => {
  const receiver = await receive(t);
  receiver.answer = (index) => (index < 2 ? 503 : 204);
  const daemon = await start(t, config(table(receiver.url)));
  const client = await logIn(daemon);
  const watcher = await logIn(daemon);
  watcher.line('watch');
  await watcher.expect(/200 OK\n/);
  await cycle(client, 'lj');
  const last = await watcher.expect(/ action demo\/lj start done [^\n]*\n/, LONG);
  const watched = last.trimEnd().split('\n').map((line) => line.split(' ')[0]!);
  const events = await receiver.has(1 + watched.length);
  t.same(events.map(({ id }) => id).slice(-watched.length).map((id) => id.replace(/^.*-([0-9a-f]{6}-\d+)$/, '$1')), watched, 'the events of watch, in its order');
  t.equal(told(events[0]!), 'server.v1  started');
  t.same(receiver.deliveries.slice(0, 3).map(({ event, status }) => [event.id, status]), [[events[0]!.id, 503], [events[0]!.id, 503], [events[0]!.id, 204]], 'the first one three times, and none before it');
  t.ok(receiver.deliveries[1]!.at - receiver.deliveries[0]!.at > 350, 'after a pause');
  t.equal(new Set(events.map(({ id }) => id)).size, events.length, 'no id twice');
  for (const delivery of receiver.deliveries) {
    t.same(verified(delivery, SECRET), delivery.event, 'signed');
    t.throws(() => verified({ ...delivery, body: `${delivery.body} ` }, SECRET));
    const { method, path, headers, event } = delivery;
    t.match({ method, path, headers }, { method: 'POST', path: '/hook?key=hush', headers: { 'content-type': 'application/cloudevents+json; charset=utf-8', 'webhook-id': event.id } });
    t.match(event, { specversion: '1.0', source: /^argo:\/\/[\w-]+$/, type: /^org\.xen-tools\.argo\.[a-z.]+\.v1$/, time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/, datacontenttype: 'application/json' });
    t.same(Object.keys(event).filter((key) => !['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'data'].includes(key)), []);
  }
  t.match(events.map(told).filter((one) => one.includes('demo/lj')), [
    'instance.action.v1 demo/lj begun', /^instance\.state\.v1 demo\/lj /, /^instance\./, /^instance\./,
  ]);
  t.match(events.find(({ data }) => data.outcome === 'done'), { subject: 'demo/lj', data: { instance: 'demo/lj', command: 'stop', account: 'admin', options: '--force --wait', audit: Number, ms: Number } });
  t.notMatch(daemon.stderr(), /hush|hook\?/, 'the path is not in the log');
  t.ok(await daemon.logs(/"gateway":"webhooks\/main","receiver":"http:\/\/127\.0\.0\.1:\d+","reason":"HTTP status 503","msg":"webhook does not arrive, it is tried again"/));
  t.ok(await daemon.logs(/"failed":2,"msg":"webhook arrives again"/));
  await goesOn(t, daemon, 'it serves');

  await t.test('the end of the server is told, too', async (t) => {
    client.line('stop lj --force');
    await client.reply();
    const { code } = await daemon.stop();
    t.equal(code, 0);
    t.equal(told(receiver.accepted().at(-1)!), 'server.v1  stopping');
  });
});

await t.test('types, instances and groups', async (t) => {
  const [states, webs] = [await receive(t), await receive(t)];
  const daemon = await start(t, config(`${table(states.url, 'events = ["state"]')}[[webhooks]]\nurl = "${webs.url}"\ninstances = ["@web"]\nevents = ["action"]\n`));
  const client = await logIn(daemon);
  await cycle(client, 'lj');
  await cycle(client, 'web2');
  await webs.has(4);
  await until(() => states.accepted().some(({ subject, data }) => subject === 'demo/web2' && data.now === 'on'), LONG, 'the state');
  t.same(new Set(states.accepted().map(({ type }) => type)), new Set(['org.xen-tools.argo.instance.state.v1']));
  t.same(webs.accepted().map(told), ['instance.action.v1 demo/web2 begun', 'instance.action.v1 demo/web2 done', 'instance.action.v1 demo/web2 begun', 'instance.action.v1 demo/web2 done']);
  t.equal(webs.deliveries[0]!.headers['webhook-signature'], undefined, 'without a secret nothing is signed');
  t.equal(states.connections(), 1, 'one connection for all');

  await t.test('a reload: what is unchanged keeps its connection, a changed group counts, one that is taken away ends', async (t) => {
    const text = config(table(states.url, 'events = ["state"]'));
    await reload(daemon, text);
    const before = [webs.deliveries.length, states.accepted().length] as const;
    await cycle(client, 'web1');
    await until(() => states.accepted().some(({ subject, data }) => subject === 'demo/web1' && data.now === 'on'), LONG, 'the state');
    t.equal(webs.deliveries.length, before[0]);
    t.equal(states.connections(), 1);
  });
});

await t.test('what becomes of plans, to those who may use them', async (t) => {
  const [all, own, webs] = [await receive(t), await receive(t), await receive(t)];
  const hooks = [
    table(all.url, 'events = ["plan"]'),
    `[[webhooks]]\nname = "own"\nurl = "${own.url}"\nevents = ["plan", "server"]\naccount = "hooks"\n`,
    `[[webhooks]]\nname = "webs"\nurl = "${webs.url}"\nevents = ["plan", "server"]\ninstances = ["*"]\n`,
    '[plans.night]\naccount = "admin"\nstages = [{ name = "webs", stop = ["web1"] }, { name = "rest", stop = ["lj"], after = ["webs"] }]\n',
  ].join('\n');
  const daemon = await start(t, config(hooks));
  const [client, watcher] = [await logIn(daemon), await logIn(daemon)];
  watcher.line('watch --types=plan');
  await watcher.expect(/200 OK\n/);
  t.equal((await client.ask('plan run night --follow', LONG)).code, 300);
  const lines = (await watcher.expect(/(?:[^\n]* plan night [^\n]*\n){6}/)).trimEnd().split('\n').map((line) => line.split(' '));
  const [, , , , , run = ''] = lines[0]!;
  t.match(run, /^run=[0-9a-f]{8}$/);
  const told = [['begun'], ['begun', 'webs'], ['done', 'webs'], ['begun', 'rest'], ['done', 'rest'], ['done']];
  t.same(lines.map((words) => words.filter((word) => /^(?:begun|done|run=.*|stage=.*)$/.test(word))), told.map(([outcome, stage]) => [outcome, run, ...(stage === undefined ? [] : [`stage=${stage}`])]));
  const events = await all.has(told.length);
  t.same(events.map(({ type, subject, data: { plan, run: id, outcome, stage } }) => [type, subject, plan, `run=${String(id)}`, outcome, ...(stage === undefined ? [] : [stage])]),
    told.map((words) => ['org.xen-tools.argo.plan.v1', 'night', 'night', run, ...words]));
  t.same(events.map(({ id }) => id.replace(/^.*-([0-9a-f]{6}-\d+)$/, '$1')), lines.map(([cursor]) => cursor), 'the events of watch');
  await reload(daemon, config(hooks));
  for (const { has } of [own, webs]) t.same((await has(2)).map(({ data }) => data.now), ['started', 'reloaded'], 'not to one that may only read, nor to one that asks for instances');
});

await t.test('an account: its grants count at delivery, also for what waits', async (t) => {
  const receiver = await receive(t);
  const text = (granted: string): string => config(table(receiver.url, 'account = "hooks"\nevents = ["state", "action"]'), granted);
  const daemon = await start(t, text(grants('lj', 'web1')));
  const client = await logIn(daemon);
  await cycle(client, 'web2');
  await cycle(client, 'web1');
  const first = await receiver.has(6);
  t.same(new Set(first.map(({ subject }) => subject)), new Set(['demo/web1']));
  t.same(new Set(first.filter(({ type }) => type.includes('action')).map(({ data }) => data.account)), new Set(['-']), 'who is who is not its business');
  receiver.answer = () => 500;
  const waiting = receiver.deliveries.length;
  await cycle(client, 'web1');
  await cycle(client, 'lj');
  await until(() => receiver.deliveries.length > waiting, LONG, 'an attempt');
  await reload(daemon, text(grants('lj')));
  const seen = receiver.deliveries.length;
  receiver.answer = () => undefined;
  await until(() => receiver.accepted().some(({ subject, data }) => subject === 'demo/lj' && data.command === 'start' && data.outcome === 'done'), LONG, 'those that it may still know of');
  t.same(receiver.deliveries.slice(seen).filter(({ event: { subject } }) => subject === 'demo/web1').length <= 1, true, 'at most what was on its way when it was taken away');
  t.same(receiver.accepted().filter(({ id }) => !first.some((one) => one.id === id)).filter(({ subject }) => subject === 'demo/web1').length <= 1, true);
});

await t.test('a secret that is replaced', async (t) => {
  const receiver = await receive(t);
  const daemon = await start(t, config(table(receiver.url, 'events = ["action"]')));
  const client = await logIn(daemon);
  const file = join(daemon.folder, 'hook.key');
  await cycle(client, 'lj');
  await receiver.has(4);
  writeFileSync(file, `whsec_${OTHER}\n${SECRET}\n`);
  await cycle(client, 'lj');
  await receiver.has(8);
  for (const delivery of receiver.deliveries.slice(4)) {
    t.match(delivery.headers['webhook-signature'], /^v1,\S{44} v1,\S{44}$/);
    for (const secret of [SECRET, OTHER]) t.ok(verified(delivery, secret));
  }
  writeFileSync(file, `${OTHER}\n`);
  await cycle(client, 'lj');
  await receiver.has(12);
  t.ok(verified(receiver.deliveries[8]!, OTHER));
  t.throws(() => verified(receiver.deliveries[8]!, SECRET));
  writeFileSync(file, 'c2hvcnQ=\n');
  await cycle(client, 'lj');
  await receiver.has(16);
  t.ok(verified(receiver.deliveries[12]!, OTHER), 'a bad one is not taken');
  t.ok(await daemon.logs(/webhook goes on with its former secret/));
  t.notMatch(daemon.stderr(), /c2hvcnQ/);
});

await t.test('kill -9 with a backlog: all of it arrives, in order, under the same ids', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-webhooks-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const receiver = await receive(t);
  receiver.answer = (index) => (index < 3 ? 204 : 503);
  const text = config(`${table(receiver.url, 'events = ["state", "action", "server"]')}[gateways.metrics]\ntype = "metrics"\nlisten = ["127.0.0.1:0"]\n`);
  const first = await start(t, text, { folder, listeners: 2 });
  const client = await logIn(first);
  const watcher = await logIn(first);
  watcher.line('watch --types=state,action,server');
  await watcher.expect(/200 OK\n/);
  for (let turn = 0; turn < 10; turn += 1) await cycle(client, 'lj');
  const lines = await watcher.expect(/(?:[^]* action demo\/lj start done [^\n]*\n){10}/, LONG);
  const watched = lines.trimEnd().split('\n').map((line) => line.split(' ')[0]!);
  await until(() => receiver.deliveries.length > 3, LONG, 'a failure');
  const figures = async (): Promise<string> => (await fetch(`http://127.0.0.1:${first.ports[1]}/metrics`)).text();
  await until(async () => (await figures()).includes(`argo_webhook_backlog{sink="main"} ${1 + watched.length - 3}`), LONG, 'all that has happened to be on the disk');
  t.match(await figures(), /^argo_webhook_deliveries_total\{sink="main",result="delivered"\} 3$/m);
  t.match(await figures(), /^argo_webhook_deliveries_total\{sink="main",result="failed"\} [1-9]\d*$/m);
  first.signal('SIGKILL');
  await first.exited;
  const tried = receiver.deliveries.at(-1)!.event.id;
  receiver.answer = () => undefined;
  const second = await start(t, text, { folder });
  await until(() => receiver.accepted().filter(({ data }) => data.now === 'started').length === 2, LONG, 'the second start');
  const ids = receiver.accepted().map(({ id }) => id);
  const once = ids.filter((id, index) => ids.indexOf(id) === index);
  t.same(once.slice(1, -1).map((id) => id.replace(/^.*-([0-9a-f]{6}-\d+)$/, '$1')), watched, 'everything, in order');
  t.ok(ids.length - once.length <= 3, 'at most what had just arrived came again');
  t.ok(once.includes(tried), 'what was tried before came under the same id');
  for (const delivery of receiver.deliveries) t.same(verified(delivery, SECRET).id, delivery.headers['webhook-id']);
  await goesOn(t, second, 'it serves');
});
