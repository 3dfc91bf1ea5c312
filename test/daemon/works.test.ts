import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { ADMIN, logIn } from '../support/faults.js';
import type { LineClient } from '../support/line-client.js';
import { ROOT } from '../support/paths.js';
import { until } from '../support/until.js';

/** Tasks of a daemon of its own: what becomes of them when their client leaves, the table of their provider changes, and the server ends in all ways. */

const WITHIN = 20_000;

/** Machines are files. One is made for as long as there is no file NAME.go; how often that was begun is in the file `begun`. */
const DRIVER = `
import { appendFileSync, existsSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError, text } from 'argo-server/driver';

async function deploy(folder, { name }, { signal, task, progress }) {
  const half = join(folder, 'half-' + task);
  appendFileSync(join(folder, 'begun'), name + '\\n');
  writeFileSync(half, '');
  progress(0.25);
  while (!existsSync(join(folder, name + '.go'))) {
    if (signal.aborted) {
      unlinkSync(half);
      throw new ArgoError('UNREACHABLE', 'it was taken away');
    }
    await sleep(10);
  }
  renameSync(half, join(folder, name + '.vm'));
}

export default {
  kind: 'driver',
  options: { folder: text },
  open: ({ folder }) => ({
    abilities: { templates: { deploy: (args, call) => deploy(folder, args, call) } },
    list: async () => readdirSync(folder).filter((name) => name.endsWith('.vm')).map((file) => ({
      machine: { id: file, name: file.slice(0, -3), type: 'vm', status: async () => 'off' }, state: 'off',
    })),
    close: async () => undefined,
  }),
};
`;

const PLUGIN = `
/** make NAME KEY: begins to make a machine, once for each key. made KEY NAME: waits for its end. */
const work = ({ actor }, name, once, begun) => actor.work('template.deploy', 'host', { template: 'debian', name, settings: {} }, { once, begun });
export default {
  commands: [{
    word: 'make', usage: 'make NAME KEY', help: 'x', right: 'configure',
    async run(request) {
      const [name, key] = request.args;
      request.body.line(await new Promise((resolve, reject) => { work(request, name, key, resolve).catch(reject); }));
    },
  }, {
    word: 'made', usage: 'made NAME KEY', help: 'x', right: 'configure',
    async run(request) { await work(request, ...request.args); },
  }],
};
`;

interface Place {
  readonly folder: string;
  readonly machines: string;
  readonly config: string;
}

function place(t: Test): Place {
  const folder = mkdtempSync(join(tmpdir(), 'argo-works-'));
  const machines = join(folder, 'machines');
  mkdirSync(machines);
  mkdirSync(join(folder, 'plugins', 'node_modules'), { recursive: true });
  symlinkSync(ROOT, join(folder, 'plugins', 'node_modules', 'argo-server'));
  writeFileSync(join(folder, 'plugins', 'files.mjs'), DRIVER);
  writeFileSync(join(folder, 'plugins', 'make.mjs'), PLUGIN);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, machines, config: `[server]\nplugin-path = ["plugins"]\n${ADMIN}[providers.host]\ntype = "files"\nfolder = ${JSON.stringify(machines)}\n` };
}

async function start(t: Test, { folder, config }: Place): Promise<{ daemon: Daemon; client: LineClient }> {
  const daemon = await startDaemon({ folder, config });
  t.after(() => daemon.stop());
  return { daemon, client: await logIn(daemon) };
}

const halves = ({ machines }: Place): string[] => readdirSync(machines).filter((name) => name.startsWith('half-'));
const begun = ({ machines }: Place): string[] => (existsSync(join(machines, 'begun')) ? readFileSync(join(machines, 'begun'), 'utf8').trimEnd().split('\n') : []);
const finish = ({ machines }: Place, name: string): void => writeFileSync(join(machines, `${name}.go`), '');

async function make(client: LineClient, name: string, key: string): Promise<string> {
  const { code, comment, body: [id = ''] } = await client.ask(`make ${name} ${key}`);
  if (code !== 300) throw new Error(comment);
  return id;
}

await t.test('a task goes on when its client leaves and its provider is configured anew, and is shown until it has ended', async (t) => {
  const where = place(t);
  const { daemon, client } = await start(t, where);
  const id = await make(client, 'web1', 'key-0001');
  t.match(id, /^[\da-f-]{36}$/);
  client.destroy();
  const other = await logIn(daemon);
  t.after(() => other.destroy());
  await until(async () => /working \(25 %\)$/.test((await other.ask('task')).body[0] ?? ''), WITHIN, 'how far it is');
  t.match((await other.ask('task')).body, [new RegExp(`^${id} admin template\\.deploy host \\S+Z working \\(25 %\\)$`)]);
  t.match((await other.ask(`task ${id}`)).body, [`id: ${id}`, 'account: admin', 'command: template.deploy', 'instance: host', 'options: --template=debian --name=web1', /^since: /, 'state: running', 'progress: 25 %', 'doing: working (25 %)']);
  daemon.reconfigure(`${where.config}poll-interval = "1h"\n`);
  daemon.signal('SIGHUP');
  await daemon.logs(/"msg":"[^"]*reload/);
  finish(where, 'web1');
  await until(async () => /host \S+Z done$/.test((await other.ask('task')).body[0] ?? ''), WITHIN, 'its end');
  t.same((await other.ask('list')).body, ['web1'], 'the provider that took its place knows what was made');
  t.match((await other.ask('make web1 key-0001')).body, [id]);
  t.equal((await other.ask('made web1 key-0001')).code, 300);
  t.same(begun(where), ['web1'], 'begun once');
  t.match(await other.ask(`task cancel ${id}`), { comment: 'WRONG STATE: it has ended' });
  t.match(await other.ask(`task cancel ${id.replace(/^./, 'x')}`), { comment: /^NO SUCH TASK/ });
});

await t.test('one that is cancelled takes away what it has half made', async (t) => {
  const where = place(t);
  const { client } = await start(t, where);
  t.after(() => client.destroy());
  const id = await make(client, 'web1', 'key-0001');
  await until(() => halves(where).length === 1, WITHIN, 'what is half made');
  t.match(halves(where), [`half-${id}`]);
  t.match(await client.ask(`task cancel ${id}`), { code: 300, comment: 'DONE: it is told to end, and takes away what it has half made' });
  t.match(await client.ask('made web1 key-0001'), { comment: 'BUSY: it was cancelled; nothing of it is left' });
  t.same(halves(where), []);
  t.match((await client.ask('task')).body, [/ cancelled "BUSY: it was cancelled; nothing of it is left"$/]);
});

await t.test('a server that is told to end ends it in good order, and says so after it', async (t) => {
  const where = place(t);
  const { daemon, client } = await start(t, where);
  await make(client, 'web1', 'key-0001');
  await until(() => halves(where).length === 1, WITHIN, 'what is half made');
  t.same(await daemon.stop(), { code: 0, signal: null });
  t.same(halves(where), []);
  const after = await start(t, where);
  t.after(() => after.client.destroy());
  t.match((await after.client.ask('task')).body, [/^\S+ admin template\.deploy host \S+ cancelled "SHUTTING DOWN: the server ended; nothing of it is left"$/]);
  t.match(await after.client.ask('made web1 key-0001'), { comment: /^SHUTTING DOWN/ });
  t.same(begun(where), ['web1']);
});

await t.test('of what a server that was killed had under way nobody claims anything, and it is not begun again', async (t) => {
  const where = place(t);
  const { daemon, client } = await start(t, where);
  const id = await make(client, 'web1', 'key-0001');
  await until(() => halves(where).length === 1, WITHIN, 'what is half made');
  daemon.signal('SIGKILL');
  await daemon.exited;
  const after = await start(t, where);
  t.after(() => after.client.destroy());
  const told = 'UNCERTAIN: the server ended while it was under way; look at what is there, and at the audit';
  t.match((await after.client.ask('task')).body, [new RegExp(`^${id} admin template\\.deploy host \\S+ unknown "${told}"$`)]);
  t.match((await after.client.ask(`task ${id}`)).body, [`id: ${id}`, /^account/, /^command/, /^instance/, 'options: --template=debian --name=web1', /^since/, 'state: unknown', /^progress/, /^ended/, `detail: ${told}`]);
  t.match(await after.client.ask('made web1 key-0001'), { comment: told });
  t.equal((await after.client.ask('make web2 key-0001')).comment, `BAD REQUEST: once: this key has begun another task, ${id}`);
  t.same(begun(where), ['web1']);
  finish(where, 'web2');
  t.equal((await after.client.ask('made web2 key-0002')).code, 300, 'others are');
});
