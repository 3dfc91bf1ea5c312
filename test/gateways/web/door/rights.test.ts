import { hash } from 'bcrypt';
import t from 'tap';
import { newToken, tokenHash } from '../../../../src/auth/tokens.js';
import { BCRYPT_COST } from '../../../../src/kit/limits.js';
import { startDaemon, type Daemon } from '../../../support/daemon.js';
import { connect, type LineClient, type Reply } from '../../../support/line-client.js';
import { until } from '../../../support/until.js';
import { ask, WebUser, type Answer } from '../../../support/web/client.js';

/** What the API allows and tells is what the line protocol does, for the same grants: of an account, by its session, and of a token. */

const WITHIN = 20_000;
const PASSWORD = 'a long secret';
const hashed = await hash(PASSWORD, BCRYPT_COST);

const GRANTS: Readonly<Record<string, { readonly instances: readonly string[]; readonly commands: readonly string[] }>> = {
  all: { instances: ['*'], commands: ['*'] },
  reader: { instances: ['*'], commands: ['read'] },
  tenant: { instances: ['demo/lj'], commands: ['read', 'start'] },
  power: { instances: ['demo/*'], commands: ['power'] },
  word: { instances: ['lj', 'te*'], commands: ['status'] },
  stopper: { instances: ['@few'], commands: ['stop', 'ip'] },
  settings: { instances: ['demo/lj'], commands: ['configure'] },
  plans: { instances: ['*'], commands: ['plan'] },
  night: { instances: ['lj', 'test'], commands: ['plan:night'] },
  tasks: { instances: ['demo/*'], commands: ['task'] },
  console: { instances: ['lj'], commands: ['console'] },
  other: { instances: ['other/*'], commands: ['*'] },
  absent: { instances: ['demo/nothing', 'gone/*'], commands: ['*'] },
};
const NAMES = ['lj', 'demo/lj', 'test', 'deaf', 'web', 'other/x', 'demo/nothing', 'gone/x', 'x'];
const READINGS = ['status', 'info', 'ip', 'disk'];
const ACTIONS = ['start', 'stop', 'pause'];
const tokens = new Map(Object.keys(GRANTS).map((name) => [name, newToken()]));

const list = (words: readonly string[]): string => JSON.stringify(words);
const CONFIGURATION = `
[groups]
few = ["lj", "deaf"]
${Object.entries(GRANTS).map(([name, { instances, commands }]) => `[accounts.${name}]\npassword = "${hashed}"\ngrants = [{ instances = ${list(instances)}, commands = ${list(commands)} }]\n`).join('')}
[accounts.root]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
${Object.entries(GRANTS).map(([name, { instances, commands }]) => `[[accounts.root.tokens]]\nname = "${name}"\nhash = "${tokenHash(tokens.get(name)!)}"\ninstances = ${list(instances)}\ncommands = ${list(commands)}\n`).join('')}
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }, "deaf", "web"]
faults = { deaf = "deaf" }
[providers.other]
type = "sim"
instances = ["x", "web"]
[plans.night]
account = "root"
stages = [{ name = "one", stop = ["lj"] }, { name = "two", stop = ["test"] }]
[plans.all]
account = "root"
stages = [{ name = "one", stop = ["*"] }]
[gateways.page]
type = "web"
listen = ["127.0.0.1:0"]
max-connections-per-address = 256
`;

interface Asker {
  readonly name: string;
  /** of the line protocol, for an account */
  readonly line: LineClient;
  api(method: string, path: string, body?: unknown): Promise<Answer>;
}

async function askers({ ports: [linePort, webPort] }: Daemon): Promise<Asker[]> {
  const url = `http://127.0.0.1:${webPort}`;
  const all: Asker[] = [];
  for (const name of Object.keys(GRANTS)) {
    const line = await connect(linePort!);
    await line.ask(`auth ${name} "${PASSWORD}"`);
    const user = new WebUser(url);
    await user.login({ account: name, password: PASSWORD });
    const headers = { authorization: `Bearer ${tokens.get(name)}`, 'content-type': 'application/json' };
    all.push({ name, line, api: (method, path, body) => (method === 'GET' ? user.get(path) : user.send(method, path, body)) });
    all.push({ name: `a token as ${name}`, line, api: (method, path, body) => ask(`${url}/api/${path}`, { method, headers, body }) });
  }
  return all;
}

/** Whether an account may know by its grants that there is no such machine, or two: `list` tells it as much. */
const covers = (name: string, one: string): boolean => {
  const { instances } = grantOf(name);
  return instances.some((pattern) => pattern === '*' || pattern === one || (pattern.endsWith('/*') && (one.startsWith(pattern.slice(0, -1)) || one === 'x')));
};
const grantOf = (name: string): (typeof GRANTS)[string] => GRANTS[name.replace('a token as ', '')]!;
/**
 * What the API is to say where the line protocol says so much. That refuses a word first that one may use nowhere; the API, which has
 * no words, looks at the name first.
 */
const expectedOf = (said: string, actual: string, name: string, one: string): string =>
  ['NOT ALLOWED', 'UNKNOWN COMMAND'].includes(said) && ['NO SUCH INSTANCE', 'AMBIGUOUS'].includes(actual) && covers(name, one) ? actual : said.replace('UNKNOWN COMMAND', 'NOT ALLOWED');

const phrase = (comment: string): string => comment.split(':')[0]!;
const saidByLine = ({ code, comment }: Reply): string => (code === 300 ? 'done' : phrase(comment));
const saidByApi = ({ status, text }: Answer): string => (status < 300 ? 'done' : (JSON.parse(text) as { error: string }).error);
const json = <T>({ text }: Answer): T => JSON.parse(text) as T;

/** The cursors of so many events that somebody is told who watches from one on, and of those that come at once behind; undefined: none, and why. */
async function watch(line: LineClient, cursor: string, count: number): Promise<string[] | undefined> {
  line.line(`watch --since=${cursor}`);
  if (!(await line.expect(/^.*\n/)).startsWith('200')) return undefined;
  const told = [];
  for (let at = 0; at < count; at += 1) told.push(await line.expect(/^.*\n/));
  line.line('nop');
  const rest = await line.expect(/^[^]*?[34]00 [^\n]*\n200 OK\r?\n300 [^\n]*\n/);
  return [...told, ...rest.split('\n').slice(0, -4)].map((row) => row.split(' ')[0]!);
}

const daemon = await startDaemon({ config: CONFIGURATION, listeners: 2 });
t.teardown(() => daemon.stop());
const everybody = await askers(daemon);
t.teardown(() => everybody.forEach(({ line }) => line.socket.destroy()));
const root = everybody.find(({ name }) => name === 'all')!;

await t.test('what is there', async (t) => {
  for (const { name, line, api } of everybody) {
    const all = json<{ instances: { name: string }[] }>(await api('GET', 'instances')).instances.map((one) => one.name);
    t.same(all, (await line.ask('list')).body, name);
    t.same(json<{ columns: { name: string[] } }>(await api('GET', 'view')).columns.name, all, `${name}: the page`);
    for (const one of NAMES) {
      const [told, details] = [await line.ask(`info ${one}`), await api('GET', `instances/${encodeURIComponent(one)}`)];
      // that it is there, which `list` tells too, is told to whoever has any grant on it
      const isSeen = all.some((seen) => seen === one || `demo/${seen}` === one) || (one === 'x' && all.includes('x')) || (one === 'other/x' && all.includes('x'));
      if (!isSeen) t.equal(saidByApi(details), expectedOf(saidByLine(told), saidByApi(details), name, one), `${name}: ${one}`);
      else t.equal(Object.keys(json<{ facts: object }>(details).facts).length > 0, saidByLine(told) === 'done', `${name}: what info tells of ${one}`);
    }
  }
});

await t.test('what may be read', async (t) => {
  for (const { name, line, api } of everybody) {
    for (const one of NAMES) {
      const all = await api('GET', `instances/${encodeURIComponent(one)}/readings?names=${READINGS.join(',')}`);
      for (const reading of READINGS) {
        const told = saidByLine(await line.ask(`${reading} ${one}`));
        const alone = saidByApi(await api('GET', `instances/${encodeURIComponent(one)}/readings/${reading}`));
        t.equal(alone, expectedOf(told, alone, name, one), `${name}: ${reading} ${one}`);
        const row = all.status === 200 ? json<{ readings: Record<string, { error?: string }> }>(all).readings[reading]! : undefined;
        t.equal(row === undefined ? saidByApi(all) : row.error ?? 'done', alone, `${name}: ${reading} ${one} among others`);
      }
    }
  }
});

await t.test('what may be ordered', async (t) => {
  for (const { name, line, api } of everybody) {
    for (const one of NAMES) {
      for (const action of ACTIONS) {
        const told = saidByLine(await line.ask(`${action} ${one} --dry-run`));
        const answer = await api('POST', 'power/preview', { targets: [one], action });
        const [row] = answer.status === 200 ? json<{ rows: { effect: string; words: string }[] }>(answer).rows : [];
        const said = row === undefined ? saidByApi(answer) : row.effect === 'refused' ? phrase(row.words) : 'done';
        t.equal(said, expectedOf(told, said, name, one), `${name}: ${action} ${one}`);
      }
      const told = saidByLine(await line.ask(`autostart ${one} on --dry-run`));
      const set = saidByApi(await api('PUT', `instances/${encodeURIComponent(one)}/autostart`, { value: true }));
      // one that does not what it is told fails only when it is really told
      t.equal(one === 'deaf' && set === 'FAILED' ? 'done' : set, expectedOf(told, set, name, one), `${name}: autostart ${one}`);
      const opened = saidByApi(await api('POST', 'consoles', { instance: one, kind: 'text' }));
      const { commands } = grantOf(name);
      if (!commands.includes('*') && !commands.includes('console')) t.not(opened, 'done', `${name}: a console of ${one}`);
    }
  }
});

await t.test('plans', async (t) => {
  for (const { name, line, api } of everybody) {
    const told = await line.ask('plan');
    const listed = await api('GET', 'plans');
    const plans = listed.status === 200 ? json<{ plans: { name: string }[] }>(listed).plans.map((plan) => plan.name) : [];
    t.same(plans, told.code === 300 ? told.body.map((row) => row.split(/[ :]/)[0]) : [], `${name}: which there are`);
    for (const plan of ['night', 'all', 'none']) {
      for (const [words, method, path] of [
        [`plan ${plan}`, 'GET', `plans/${plan}/preview`], [`plan hold ${plan}`, 'POST', `plans/${plan}/hold`], [`plan release ${plan}`, 'POST', `plans/${plan}/release`],
      ] as const) {
        const said = saidByLine(await line.ask(words));
        t.equal(saidByApi(await api(method, path, method === 'GET' ? undefined : {})), said === 'UNKNOWN COMMAND' ? 'NOT ALLOWED' : said, `${name}: ${words}`);
      }
    }
  }
});

await t.test('orders of others, events and the audit', async (t) => {
  const order = json<{ id: string }>(await root.api('POST', 'power', { targets: ['deaf'], action: 'stop', wait: 60_000, once: 'key-of-the-test' }));
  await until(async () => (await root.line.ask('task')).body.length > 0, WITHIN, 'the order');
  const first = json<{ events: { cursor: string }[] }>(await root.api('GET', 'events?limit=1000')).events[0]!.cursor;
  await root.api('POST', 'power', { targets: ['lj', 'other/x'], action: 'pause', once: 'another-key-of-it' });
  await until(async () => json<{ events: { facts: { now?: string } }[] }>(await root.api('GET', 'events?limit=1000')).events.filter(({ facts }) => facts.now === 'paused').length === 2, WITHIN, 'both');
  for (const { name, line, api } of everybody) {
    const may = grantOf(name);
    const isOwn = name === 'all';
    const tasks = json<{ tasks: { id: string; account: string }[] }>(await api('GET', 'tasks')).tasks;
    const told = await line.ask('task');
    t.equal(tasks.some(({ id }) => id === order.id), told.code === 300 && told.body.some((row) => row.includes('deaf')), `${name}: an order under way`);
    t.equal(saidByApi(await api('GET', `tasks/${order.id}`)), tasks.some(({ id }) => id === order.id) ? 'done' : 'NO SUCH TASK', name);
    const events = await api('GET', 'events?limit=1000');
    const rows = json<{ events: { cursor: string; type: string }[] }>(events).events;
    const behind = rows.map(({ cursor }) => cursor).filter((cursor) => cursor > first);
    const watched = await watch(line, first, behind.length);
    // of plans one may know without `watch`
    if (watched === undefined) t.ok(rows.every(({ type }) => type === 'plan'), `${name}: no events`);
    else t.same(behind, watched, `${name}: events`);
    if (!isOwn && !may.commands.includes('*')) t.notMatch(events.text, /"account":"all"/, `${name}: who did it`);
    const audit = json<{ rows: { instance: string; account: string; from: string }[] }>(await api('GET', 'audit')).rows;
    for (const row of audit) {
      const own = row.account === name || row.account.startsWith(`${name} (token`) || name.startsWith('a token as') && row.account === `root (token ${name.slice('a token as '.length)})`;
      const isHidden = row.account === '-' && row.from === '-';
      const mayAll = may.commands.includes('*') && (may.instances.includes('*') || may.instances.includes(`${row.instance.split('/')[0]}/*`));
      if (!own && !isHidden && !mayAll) t.fail(`${name} is told who ordered something on ${row.instance}: ${row.account}`);
      if (!own && !may.commands.includes('read') && !mayAll) t.fail(`${name} is told of ${row.instance}`);
    }
    t.equal(audit.some(({ instance }) => instance === 'other/x'), ['all', 'reader', 'other'].includes(name.replace('a token as ', '')), `${name}: the audit of a machine`);
  }
});
