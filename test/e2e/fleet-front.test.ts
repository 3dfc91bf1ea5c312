import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { newToken, tokenHash } from '../../src/auth/tokens.js';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG, PASSWORD } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { runNode } from '../support/programs.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { account, Fleet } from './support/fleet.js';

/** What works on machines of sites as on one's own: typed at a front, done at a site. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

const SIM = `[providers.sim]
type = "sim"
instances = ["lj", "builder", { name = "test", state = "off" }, "dev"]
faults = { dev = "deaf" }
`;

const [ALL, OWN] = [newToken(), newToken()];
/** A token of the account whose table stands before. */
const token = (account: string, secret: string): string => `[[accounts.${account}.tokens]]\nname = "ci"\nhash = "${tokenHash(secret)}"\n`;

const fleet = await Fleet.start(t, {
  sites: {
    berlin: {
      counted: { names: ['web1', 'web2', 'web3', 'web4', 'db', 'slow1'], slow: { slow1: 3000 } }, tables: SIM,
      ceilings: { f2: '{ instances = ["*"], commands = ["read"] }, { instances = ["kvm1/web1"], commands = ["power"] }' },
    },
    munich: { counted: { names: ['web1', 'mail'] } },
  },
  fronts: {
    f1: {
      listeners: 3,
      tables: `${account('kim', '{ instances = ["berlin.*/web*"], commands = ["read", "power"] }')}${token('kim', OWN)}${account('boss', '{ instances = ["*"], commands = ["*"] }')}${token('boss', ALL)}${account('plans', '{ instances = ["*"], commands = ["read", "power"] }')}
[groups]
webs = ["berlin.*/web*"]
[plans.night]
account = "plans"
stages = [{ name = "webs", stop = ["berlin.kvm1/web[3-4]"] }, { name = "db", stop = ["berlin.kvm1/db"], after = ["webs"] }]
[gateways.metrics]
type = "metrics"
listen = ["127.0.0.1:0"]
[gateways.page]
type = "web"
listen = ["127.0.0.1:0"]
`,
    },
    f2: {},
  },
});

const [f1, berlin] = [fleet.front('f1'), fleet.site('berlin')];
const machines = fleet.machines('berlin');

await t.test('names, globs, ranges, groups and short names', async (t) => {
  t.same((await f1.ask('list')).split('\n').sort(), ['berlin.kvm1/web1', 'builder', 'db', 'dev', 'lj', 'mail', 'munich.kvm1/web1', 'slow1', 'test', 'web2', 'web3', 'web4']);
  t.equal(await f1.ask('status berlin.kvm1/web1'), 'on');
  t.equal(await f1.ask('status mail'), 'on', 'a short name that is unique');
  t.same((await f1.ask('status web1')).replace('400 AMBIGUOUS: ', '').split(', ').sort(), ['berlin.kvm1/web1', 'munich.kvm1/web1']);
  t.same((await f1.ask('status berlin.*/web[1-2] munich.kvm1/*')).split('\n').sort(), ['berlin.kvm1/web1: on', 'mail: on', 'munich.kvm1/web1: on', 'web2: on']);
  t.same((await f1.ask('status @webs')).split('\n').sort(), ['berlin.kvm1/web1: on', 'web2: on', 'web3: on', 'web4: on']);
  t.equal(await f1.ask('status berlin.sim/#3'), 'off', 'an id');
  t.equal(await f1.ask('status berlin.kvm1/nobody'), '400 NO SUCH INSTANCE: berlin.kvm1/nobody');
  t.equal(await f1.ask('status paris.*/*'), '400 NO MATCH');
});

await t.test('readings are those of the site', async (t) => {
  for (const word of ['ip', 'mac', 'load', 'disk']) t.equal(await f1.ask(`${word} berlin.sim/lj`), await berlin.ask(`${word} sim/lj`), word);
  for (const word of ['uptime', 'rx', 'tx']) t.match(await f1.ask(`${word} berlin.sim/lj`), /^\d+ /, word);
  const [here, there] = await Promise.all([f1.ask('info berlin.sim/lj'), berlin.ask('info sim/lj')]);
  const facts = (text: string): string[] => text.split('\n').filter((line) => /^(?:uuid|cpus|memory|ips|macs|disks|host|persistent|autostart|type|state):/.test(line));
  t.same(facts(here), facts(there));
  t.match(here, /^provider: berlin\.sim \(sim\)$/m);
  t.equal(await f1.ask('ip berlin.kvm1/web1'), '400 NOT SUPPORTED: web1 has no ip', 'what the machine has not');
  t.equal(await f1.ask('dmesg berlin.kvm1'), await berlin.ask('dmesg kvm1'));
  t.match(await f1.ask('dmesg berlin.sim'), /^Simulated hypervisor sim: 4 machines/);
});

await t.test('actions, waiting, force, timeouts and dry runs', async (t) => {
  t.equal(await f1.ask('stop berlin.kvm1/web1 --wait'), '');
  t.equal(await berlin.ask('status kvm1/web1'), 'off');
  t.equal(await f1.ask('status berlin.kvm1/web1'), 'off');
  t.equal(await f1.ask('stop berlin.kvm1/web1'), '', 'what is so already is success');
  t.equal(machines.acts('web1'), 'p');
  t.equal((await f1.ask('start berlin.kvm1/web1 --dry-run')).replace('berlin.kvm1/', ''), await berlin.ask('start kvm1/web1 --dry-run'), 'the site says what it would do');
  t.equal(machines.acts('web1'), 'p', 'a dry run does nothing');
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), await berlin.ask('reboot kvm1/web1'), 'the site\'s own refusal');
  t.equal(await f1.ask('start berlin.kvm1/web1 --wait'), '');
  t.equal(await f1.ask('reboot berlin.kvm1/web1 --wait'), '');
  t.equal(machines.acts('web1'), 'psr');
  t.equal(await f1.ask('stop berlin.kvm1/web[2-3] munich.kvm1/web1 --wait'), ['web2: done', 'web3: done', 'munich.kvm1/web1: done'].join('\n'));
  t.equal(await f1.ask('start berlin.kvm1/web[2-3] munich.kvm1/web1 --wait').then((text) => text.split('\n').length), 3);
  t.match(await f1.ask('stop berlin.sim/dev --wait=1'), /^400 TIMEOUT: accepted, but dev is still on after/, 'one that does not do what it accepts');
  t.equal(await f1.ask('stop berlin.sim/dev --force --wait'), '');
  t.match(await f1.ask('stop berlin.kvm1/slow1 --timeout=1'), /^400 (?:UNCERTAIN|TIMEOUT)/, 'a manager that is slower than the deadline');
  await until(() => machines.acts('slow1') === 'p', LONG, 'what was sent to take effect');
  t.equal(await f1.ask('start berlin.sim/test --wait --timeout=20'), '');
});

await t.test('settings, too', async (t) => {
  t.equal(await f1.ask('autostart berlin.sim/lj on'), '');
  t.match(await berlin.ask('info sim/lj'), /^autostart: on$/m);
  t.match(await f1.ask('info berlin.sim/lj'), /^autostart: on$/m);
  t.match(await f1.ask('autostart berlin.sim/lj off --dry-run'), /off/);
  t.match(await f1.ask('autostart berlin.kvm1/web1 on'), /^400 NOT SUPPORTED/);
});

await t.test('what does not go over the fleet says where to go', async (t) => {
  t.match(await f1.ask('console berlin.sim/lj'), /^400 NOT SUPPORTED: .*berlin/);
  t.match(await f1.ask('image list berlin.sim'), /^400 NOT SUPPORTED/);
});

await t.test('grants: of the person at the front, of the front at the site', async (t) => {
  t.same((await f1.ask('list', 'kim')).split('\n').sort(), ['web1', 'web2', 'web3', 'web4']);
  t.equal(await f1.ask('status munich.kvm1/mail', 'kim'), '400 NOT ALLOWED');
  t.equal(await f1.ask('stop berlin.kvm1/db', 'kim'), '400 NOT ALLOWED');
  t.match(await f1.ask('fleet', 'kim'), /^berlin up heard=\S+ skew=\S+ providers=berlin\.kvm1,berlin\.sim$/m);
  t.notMatch(await f1.ask('fleet', 'kim'), /munich|version=/);
  t.equal(await f1.ask('stop web4 --wait', 'kim'), '');
  t.equal(await f1.ask('start web4 --wait', 'kim'), '');
  const f2 = fleet.front('f2');
  t.equal(await f2.ask('status berlin.kvm1/web2'), 'on');
  t.match(await f2.ask('stop berlin.kvm1/web2'), /^400 NOT ALLOWED/, 'beyond the ceiling');
  t.equal(machines.acts('web2'), 'ps');
  t.equal(await f2.ask('stop berlin.kvm1/web1 --wait'), '', 'within it');
  t.equal(await f2.ask('start berlin.kvm1/web1 --wait'), '');
});

await t.test('both audits have it, with the person and the place', (t) => {
  const there = berlin.audit().filter(({ instance }) => instance === 'kvm1/web4');
  t.same(there.map(({ command, account: who, outcome }) => [command, who, outcome]), [['stop', 'kim@f1', 'done'], ['start', 'kim@f1', 'done']]);
  t.match(JSON.stringify(there[0]), /f1: 127\.0\.0\.1/);
  const here = f1.audit().filter(({ instance }) => instance === 'berlin.kvm1/web4');
  t.same(here.map(({ command, account: who, outcome }) => [command, who, outcome]), [['stop', 'kim', 'done'], ['start', 'kim', 'done']]);
  t.match(JSON.stringify(fleet.front('f2').audit().filter(({ instance }) => instance === 'berlin.kvm1/web2')), /NOT ALLOWED/);
  t.same(berlin.audit().filter(({ instance, account: who }) => instance === 'kvm1/web2' && who.endsWith('@f2')), [], 'what is refused is not begun');
  t.end();
});

await t.test('watch tells what happens at the site, whoever does it', async () => {
  const watcher = await f1.logIn();
  watcher.line('watch berlin.kvm1/* --types=state,action');
  await watcher.expect('200 OK\n');
  await berlin.ask('stop kvm1/db --wait');
  await watcher.expect(/ state berlin\.kvm1\/db off on/, LONG);
  await fleet.front('f2').ask('reboot berlin.kvm1/web1');
  await f1.ask('start berlin.kvm1/db --wait');
  await watcher.expect(/ action berlin\.kvm1\/db start done account=admin /, LONG);
  watcher.line('nop');
  await watcher.expect(/300 DONE/);
});

await t.test('two fronts want the same machine: the site gives turns', async (t) => {
  const other = await fleet.front('f2').logIn();
  const slow = f1.ask('reboot berlin.kvm1/web1');
  t.same([(await slow), (await other.answer('reboot berlin.kvm1/web1', LONG))], ['', '']);
  const begun = machines.count('slow1', 'r') + machines.count('slow1', 's');
  const first = f1.ask('start berlin.kvm1/slow1');
  await until(async () => (await berlin.ask('task')).includes('kvm1/slow1'), LONG, 'the first order at the site');
  const client = await f1.logIn();
  t.match(await client.answer('start berlin.kvm1/slow1 --timeout=1', LONG), /400 BUSY/, 'the second one waits in vain');
  t.equal(await first, '');
  t.equal(machines.count('slow1', 'r') + machines.count('slow1', 's'), begun + 1);
});

await t.test('task shows what waits at a site, and ends the waiting', async (t) => {
  const client = await f1.logIn();
  client.line('stop berlin.sim/lj --wait=60 --timeout=60');
  t.equal((await client.reply(LONG)).code, 300);
  await f1.ask('start berlin.sim/dev --wait');
  client.line('stop berlin.sim/dev --wait=60');
  await client.expect('200 OK');
  let task = '';
  await until(async () => (task = /^(\d+) admin stop berlin\.sim\/dev /m.exec(await f1.ask('task'))?.[1] ?? '') !== '', LONG, 'the task');
  await until(async () => / admin@f1 stop sim\/dev .*verifying/.test(await berlin.ask('task')), LONG, 'the task at the site');
  await f1.ask(`task cancel ${task}`);
  t.match(await client.expect(/400 .*\n/, LONG), /400 UNCERTAIN/);
  await until(async () => !/sim\/dev/.test(await berlin.ask('task')), LONG, 'the site to be told');
});

await t.test('a plan switches machines of a site', async (t) => {
  const run = /^run (\S+)/.exec(await f1.ask('plan run night'))![1]!;
  let status = '';
  await until(async () => /^run \S+ night (?:done|failed)/.test(status = await f1.ask(`plan status ${run}`)), LONG, 'the end of the plan');
  t.match(status, /^run \S+ night done .*targets=3\/3/m, status);
  t.equal(await f1.ask('status berlin.kvm1/db'), 'off');
  t.match(berlin.audit().at(-1)?.account, /^plans@f1$/);
});

/** The HTTP API of the page, asked with a token. */
async function call(secret: string, method: string, path: string, body?: object): Promise<{ readonly status: number; readonly json: Record<string, unknown> }> {
  const response = await fetch(`http://127.0.0.1:${f1.daemon.ports[2]}/api${path}`, {
    method, headers: { authorization: `Bearer ${secret}`, ...body && { 'content-type': 'application/json' } }, ...body && { body: JSON.stringify(body) }, signal: AbortSignal.timeout(60_000),
  });
  return { status: response.status, json: await response.json() as Record<string, unknown> };
}

interface Row {
  readonly id: string;
  readonly state: string;
}

/** @returns a task, or a run, when it has ended */
async function endOf(secret: string, path: string, rowIn = (json: object): object => json): Promise<Row> {
  let row: Row | undefined;
  await until(async () => !['running', 'waiting'].includes((row = rowIn((await call(secret, 'GET', path)).json) as Row).state), LONG, `the end of ${path}`);
  return row!;
}

await t.test('over HTTP: who has a tenant\'s token sees and switches his machines alone', async (t) => {
  const names = async (secret: string): Promise<string[]> => ((await call(secret, 'GET', '/instances')).json['instances'] as { fullName: string }[]).map(({ fullName }) => fullName).sort();
  t.same((await names(ALL)).filter((name) => !name.includes('.sim/')), [...['db', 'slow1', 'web1', 'web2', 'web3', 'web4'].map((name) => `berlin.kvm1/${name}`), 'munich.kvm1/mail', 'munich.kvm1/web1']);
  t.same(await names(OWN), ['web1', 'web2', 'web3', 'web4'].map((name) => `berlin.kvm1/${name}`));
  t.same((await call(OWN, 'GET', '/instances/munich.kvm1%2Fmail')).status, 403);
  t.match((await call(OWN, 'GET', '/instances/berlin.kvm1%2Fweb2')).json, { name: 'web2', state: 'on', provider: 'berlin.kvm1' });
  t.match((await call(OWN, 'GET', '/instances/berlin.kvm1%2Fweb2/readings?names=status,uptime')).json, { readings: { status: { value: 'on' } } });
  t.notMatch(JSON.stringify((await call(OWN, 'GET', '/providers')).json), /munich|sim/);
  const before = machines.acts('web2');
  t.same((await call(OWN, 'POST', '/power', { targets: ['web2', 'berlin.kvm1/db'], action: 'stop', once: 'fleet-web-0001' })).status, 403, 'one of them is not his');
  t.match(JSON.stringify((await call(OWN, 'POST', '/power/preview', { targets: ['web2'], action: 'stop' })).json), /web2/);
  t.equal(machines.acts('web2'), before, 'nothing was done');
});

await t.test('over HTTP: an order, what is told of it meanwhile, and a plan', async (t) => {
  const end = new AbortController();
  t.teardown(() => end.abort());
  const following = await fetch(`http://127.0.0.1:${f1.daemon.ports[2]}/api/events?follow=true&types=state,action`, { headers: { authorization: `Bearer ${OWN}` }, signal: end.signal });
  let told = '';
  void (async () => {
    for await (const some of following.body!.pipeThrough(new TextDecoderStream())) told += some;
  })().catch(() => undefined);
  await berlin.ask('start kvm1/db --wait');
  const order = { targets: ['web2'], action: 'stop', once: 'fleet-web-0002' };
  const { id } = (await call(OWN, 'POST', '/power', order)).json as { id: string };
  t.match(await endOf(OWN, `/tasks/${id}`), { state: 'done', action: 'stop', targets: [{ instance: 'berlin.kvm1/web2', state: 'done' }] });
  t.equal(await berlin.ask('status kvm1/web2'), 'off');
  t.equal(((await call(OWN, 'POST', '/power', order)).json as { id: string }).id, id, 'sent again, it is the same task');
  await until(() => /"action"/.test(told) && /"state"/.test(told) && /web2/.test(told), LONG, 'the events').catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${told}`); });
  t.notMatch(told, /kvm1\/db/, 'nothing of what is not his');
  t.equal(machines.count('web2', 'p'), 2);
  t.match(berlin.audit().filter(({ instance }) => instance === 'kvm1/web2').at(-1), { account: 'kim@f1 (token ci)', command: 'stop', outcome: 'done' });
  t.same((await call(OWN, 'POST', '/plans/night/run', {})).status, 403);
  const runIn = (json: object): Row => (json as { readonly run: Row }).run;
  const { id: run } = runIn((await call(ALL, 'POST', '/plans/night/run', {})).json);
  t.match(await endOf(ALL, `/runs/${run}`, runIn), { state: 'done', plan: 'night' });
  t.equal(await berlin.ask('status kvm1/db'), 'off');
});

await t.test('the figures and the client know the sites', async (t) => {
  const text = await (await fetch(`http://127.0.0.1:${f1.daemon.ports[1]}/metrics`)).text();
  for (const line of [/^argo_fleet_bus_up 1$/m, /^argo_fleet_site_up\{site="berlin"\} 1$/m, /^argo_fleet_site_outbox\{site="munich"\} \d+$/m, /^argo_fleet_site_heard_timestamp_seconds\{site="berlin"\} \d/m, /^argo_fleet_site_clock_skew_seconds\{site="berlin"\} -?[\d.e-]+$/m, /^argo_instances\{provider="munich\.kvm1",state="on"\} \d$/m]) t.match(text, line);
  const config = join(f1.folder, 'argo.toml');
  writeFileSync(config, `server = "127.0.0.1:${f1.daemon.port}"\naccount = "admin"\npassword = "${PASSWORD}"\n`, { mode: 0o600 });
  const { stdout, stderr } = await runNode([fromRoot('bin', 'argo.js'), '--config', config, 'fleet'], { env: { ...process.env, HOME: f1.folder } });
  t.match(stdout, /^berlin up .*\nmunich up .*\n$/, stderr);
  const [berlinLine = ''] = (await f1.ask('fleet --json')).split('\n');
  t.match(JSON.parse(berlinLine), { name: 'berlin', up: true, orders: 0, providers: [{ name: 'berlin.kvm1', type: 'counted', held: true }, { name: 'berlin.sim', type: 'sim', held: true }] });
  t.equal(await berlin.ask('fleet'), '', 'a site is no front');
});
