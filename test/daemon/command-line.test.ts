import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Audit } from '../../src/store/audit.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { argoServer, scratch } from './cli.js';

const WITHIN = 60_000;

await t.test('--version and --help', async (t) => {
  const folder = scratch(t);
  const { version } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as { version: string };
  t.same(await argoServer(folder, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  const help = await argoServer(folder, ['--help']);
  t.equal(help.code, 0);
  for (const word of ['check', 'account', 'audit', '--config', '--listen', '--version']) t.match(help.stdout, word);
  t.match((await argoServer(folder, ['account', '--help'])).stdout, /add <name>[\s\S]*passwd <name>[\s\S]*remove <name>[\s\S]*list/);
});

await t.test('a command line that is wrong ends with 2, on standard error', async (t) => {
  const folder = scratch(t);
  for (const args of [['--bogus'], ['frobnicate'], ['--config'], ['--listen'], ['check', 'x', 'y'], ['audit', '--since'], ['--config', '--listen'], ['-x'], ['audit', '--bogus']]) {
    const { code, stdout, stderr } = await argoServer(folder, args);
    t.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    t.equal(stdout, '');
    t.match(stderr, /^argo-server: .*see argo-server --help\n$/);
  }
});

await t.test('check explains grants that give nothing', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, `[accounts.kim]
password = "$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO"
grants = [{ instances = ["*"], commands = ["powre", "Read", "host", "quit", "zzzzzz", "image", "Image.Create", "image.creat", "*"] }]
`, { mode: 0o600 });
  const { stdout, stderr, code } = await argoServer(folder, ['check', '--config', file]);
  const said = stdout + stderr;
  t.equal(code, 0);
  t.match(said, /kim names the command "powre", which there is not; is "power" meant\?/);
  t.match(said, /"image\.creat", which there is not; is "image\.create" meant\?/);
  t.match(said, /"quit", which is another word for "exit"/);
  t.match(said, /"zzzzzz", which there is not$/m);
  t.notMatch(said, /"Read"|"host"|"image"|"Image\.Create"/);
});

await t.test('check names groups that stand for themselves, at their places', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, `[groups]
g = ["@loop"]
loop = ["@g"]
own = ["web1", "@own"]
a = ["x", "@b"]
b = ["@c", "@well"]
c = ["@a"]
well = ["web2"]
outside = ["@a", "@g"]
[accounts.kim]
password = "$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO"
grants = [{ instances = ["@g", "@a"], commands = ["*"] }]
`, { mode: 0o600 });
  const { stdout, stderr, code } = await argoServer(folder, ['check', '--config', file]);
  t.equal(code, 0);
  t.same((stdout + stderr).split('\n').filter((line) => line.includes('stands for itself')).map((line) => line.slice(line.indexOf('argo-server.conf'))), [
    'argo-server.conf:2:6: the group g stands for itself, and has no members: @g → @loop → @g',
    'argo-server.conf:4:16: the group own stands for itself: @own → @own',
    'argo-server.conf:5:11: the group a stands for itself: @a → @b → @c → @a',
  ]);
});

await t.test('check says what is to be known of plans', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  const hash = 'password = "$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO"';
  writeFileSync(file, `[accounts.ups]
${hash}
grants = [{ instances = ["web[1-3]", "kvm/db*", "@apps"], commands = ["stop"] }, { instances = ["gw", "*-lab"], commands = ["power"] }, { instances = ["*"], commands = ["read"] }]
[accounts.kim]
${hash}
grants = [{ instances = ["*"], commands = ["plan:Down", "plan:dwon", "plan:other-thing"] }]
[groups]
apps = ["app?"]
none = []
[plans.down]
account = "ups"
undo = "up"
stages = [
  { name = "good", stop = ["web1", "web[2-3]", "lab/web1", "kvm/*", "db*", "app*", "kvm/#7", "x-lab", "gw"] },
  { name = "bad", stop = ["web[2-5]", "xen/db1", "mail*.home"] },
  { name = "empty", stop = ["@none"] },
]
[plans.up]
account = "ups"
stages = [{ name = "all", start = ["gw", "web1", "@stopped-by down"], settle = { command = ["/nonexistent/ready"] } }]
[plans.lonely]
account = "ups"
stages = [{ name = "all", start = ["gw"] }]
[plans.nightly]
account = "ups"
stages = [{ name = "all", start = ["@stopped-by down"] }]
[triggers.night]
type = "schedule"
cron = "30 22 * * 1-5"
plan = "nightly"
`, { mode: 0o600 });
  const { stdout, stderr, code } = await argoServer(folder, ['check', '--config', file]);
  t.equal(code, 0, stderr);
  t.match(stdout, 'is good: 2 accounts, 0 providers, 4 plans, 1 trigger\n');
  const said = stderr.split('\n').filter((line) => /plan/.test(line)).map((line) => line.replace(`argo-server: warning: ${file}:`, ''));
  t.same(said, [
    '6:57: a grant of kim names the plan "dwon", which there is not; is "plan:down" meant?',
    '6:70: a grant of kim names the plan "other-thing", which there is not',
    '14:20: the stage good of the plan down names lab/web1, kvm/*, kvm/#7: there is no such provider',
    '15:19: the stage bad of the plan down names web4, web5, xen/db1, mail*.home: no grant lets ups stop that',
    '15:19: the stage bad of the plan down names xen/db1: there is no such provider',
    '16:21: the stage empty of the plan down names nobody: @none has no members',
    '20:27: the stage all of the plan up names web1: no grant lets ups start that',
    '20:82: the stage all of the plan up waits for a command that cannot be run: ENOENT: no such file or directory, access \'/nonexistent/ready\'',
    '21:1: no account may run the plan lonely, and nothing else begins it',
  ]);
});

await t.test('grants, tokens and groups that name nothing are told', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, `[accounts.kim]
password = "$2b$12$abcdefghijklmnopqrstuuvNoC6dKyzAYmxeZ7DCLPQ0UiN5bUjCe"
[[accounts.kim.grants]]
instances = ["web1", "laab/*", "lab/*", "l*/x", "*/y", "x*/z", "@some", "lab/#4"]
commands = ["reed", "read", "machine.migrate", "Hardware.Read", "template.show", "image.create", "stats.host", "console.open"]
[[accounts.kim.tokens]]
name = "backup"
hash = "sha256:${'0'.repeat(64)}"
instances = ["kvm/web1"]
commands = ["reed", "strat"]
[groups]
some = ["lab/a", "la/b", "@none"]
none = []
[providers.lab]
type = "sim"
`, { mode: 0o600 });
  const { stdout, stderr } = await argoServer(folder, ['check', '--config', file]);
  t.match(stdout, ' is good: 1 account, 1 provider\n');
  t.same(stderr.trimEnd().split('\n').map((line) => line.replace(`argo-server: warning: ${file}:`, '')), [
    '5:13: a grant of kim names the command "reed", which there is not; is "read" meant?',
    '5:98: a grant of kim names the operation "stats.host", which gateways and plugins know; what is typed goes by the words of "stats"',
    '5:112: a grant of kim names the operation "console.open", which gateways and plugins know; what is typed goes by the words of "console"',
    '10:21: the token backup of kim names the command "strat", which there is not; is "start" meant?',
    '12:18: the group some names "la/b", and there is no provider "la"; is "lab" meant?',
    '13:1: the group none has no members',
    '4:22: a grant of kim names "laab/*", and there is no provider "laab"; is "lab" meant?',
    '4:56: a grant of kim names "x*/z", and there is no provider "x*"',
    '9:14: the token backup of kim names "kvm/web1", and there is no provider "kvm"',
  ]);
});

await t.test('a fault of a machine that is not simulated is found by the check', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, '[providers.lab]\ntype = "sim"\ninstances = ["a", { name = "b" }]\ncount = 1\nfaults = { a = "deaf", b = "deaf", vm00001 = "deaf", c = "deaf" }\n', { mode: 0o600 });
  t.match(await argoServer(folder, ['check', '--config', file]), { code: 1, stderr: /^argo-server: \S+:5:54: faults: c is none of the instances\n$/ });
});

await t.test('check', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, '[server]\n[providers.demo]\ntype = "sim"\n', { mode: 0o600 });
  for (const args of [['check', '--config', file], ['--config', file, 'check'], ['check', `--config=${file}`]]) {
    t.same(await argoServer(folder, args), { code: 0, stdout: `${file} is good: 0 accounts, 1 provider\n`, stderr: '' });
  }
  writeFileSync(file, '[server]\nmax-line = 1\n\n[accounts.steve]\npassword = "hunter2"\n');
  const bad = await argoServer(folder, ['check', '--config', file]);
  t.same(bad, { code: 1, stdout: '', stderr: `argo-server: ${file}:2:1: max-line: must be at least 64\n${file}:5:1: password: must be a bcrypt hash; \`argo-server account passwd\` writes one\n` });
  writeFileSync(file, '[server]\ntls-listen = ["127.0.0.1:0"]\ntls-cert = "/nonexistent.pem"\ntls-key = "/nonexistent.key"\n');
  t.match(await argoServer(folder, ['check', '--config', file]), { code: 1, stderr: /nonexistent\.pem/ });
  writeFileSync(file, '[gateways.vm]\ntype = "vmserverd"\ntls-listen = ["127.0.0.1:0"]\n');
  t.match(await argoServer(folder, ['check', '--config', file]), { code: 0 }, 'a gateway that makes its own certificate');
  writeFileSync(join(folder, 'x.pem'), 'not a certificate');
  writeFileSync(file, '[gateways.page]\ntype = "web"\ntls-listen = ["127.0.0.1:0"]\ntls-cert = "/nonexistent.pem"\ntls-key = "/nonexistent.key"\n');
  t.match(await argoServer(folder, ['check', '--config', file]), { code: 1, stderr: /argo-server\.conf:3:1: .*\/nonexistent\.pem/ }, 'of a gateway');
  writeFileSync(file, `[server]\ntls-listen = ["127.0.0.1:0"]\ntls-cert = "${folder}/x.pem"\ntls-key = "${folder}/x.pem"\n`);
  t.match(await argoServer(folder, ['check', '--config', file]), { code: 1, stderr: /x\.pem.*cannot be used for TLS/ });
  t.match(await argoServer(folder, ['check', '--config', join(folder, 'absent')]), { code: 1, stderr: /absent: cannot be read: there is no such file/ });
});

await t.test('the example that is shipped is good', async (t) => {
  t.match(await argoServer(scratch(t), ['check', '--config', fromRoot('etc', 'argo-server.conf')]), { code: 0, stdout: /is good/ });
});

await t.test('audit', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  const state = join(folder, 'elsewhere');
  writeFileSync(file, `[server]\nstate-dir = "${state}"\n`);
  const run = (...args: string[]) => argoServer(folder, ['audit', '--config', file, ...args]);
  t.same(await run(), { code: 0, stdout: '', stderr: '' }, 'nothing has happened yet');

  const audit = new Audit(state, (message) => t.fail(message));
  const entry = { account: 'steve', from: '127.0.0.1:40000', command: 'stop', instance: 'demo/lj', options: '' };
  void audit.end(await audit.begin(entry), 'done', 1234);
  void audit.end(await audit.begin({ ...entry, account: 'bob', instance: 'demo/two words', options: '--force --timeout=60' }), 'TIMEOUT: no answer\u001b[0m', 30_000);
  await audit.begin({ ...entry, command: 'start', instance: 'lab/lj' });
  await audit.close();

  const lines = (await run()).stdout.trimEnd().split('\n');
  t.equal(lines.length, 3);
  t.match(lines[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z steve 127\.0\.0\.1:40000 stop demo\/lj: done \(1\.2 s\)$/);
  t.match(lines[1], /bob 127\.0\.0\.1:40000 stop --force --timeout=60 demo\/two words: TIMEOUT: no answer\?\[0m \(30 s\)$/);
  t.match(lines[2], /start lab\/lj: no end recorded$/);

  const objects = (await run('--json')).stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(objects[1], { id: 2, account: 'bob', from: '127.0.0.1:40000', command: 'stop', options: '--force --timeout=60', instance: 'demo/two words', outcome: 'TIMEOUT: no answer\u001b[0m', ms: 30_000 });
  t.match(objects[2], { outcome: null, ms: null });

  const count = async (...args: string[]): Promise<number> => (await run('--json', ...args)).stdout.split('\n').length - 1;
  t.equal(await count('--account', 'bob'), 1);
  t.equal(await count('--account=nobody'), 0);
  t.equal(await count('--instance', 'lj'), 2);
  t.equal(await count('--instance', 'lab/lj', '--account', 'steve'), 1);
  t.equal(await count('--since', '2h'), 3);
  t.equal(await count('--since', '2020-01-31'), 3);
  t.equal(await count('--since', '2999-01-01T00:00:00Z'), 0);
  t.equal(await count('--after', '1'), 2);
  t.equal(await count('--after=3'), 0);
  for (const wrong of ['-1', '1.5', 'x']) t.match(await run(`--after=${wrong}`), { code: 1, stderr: /--after: the number of an action is expected/ });
  t.match(await run('--since', 'yesterday-ish'), { code: 1, stderr: /neither a duration such as 2h nor a date/ });
});

await t.test('audit --follow tells of each action when it begins and when it has ended', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  const state = join(folder, 'later');
  writeFileSync(file, `[server]\nstate-dir = "${state}"\n`);
  const child = spawn(process.execPath, [fromRoot('bin', 'argo-server.js'), 'audit', '--config', file, '--json', '--after=1', '--follow'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; });
  const shown = () => said.split('\n').filter(Boolean).map((line) => JSON.parse(line) as { id: number; outcome: string | null });
  const audit = new Audit(state, (message) => t.fail(message));
  t.teardown(() => audit.close());
  const entry = { account: 'steve', from: '127.0.0.1:40000', command: 'stop', instance: 'demo/lj', options: '' };
  await audit.begin(entry);
  const [two, three] = [await audit.begin(entry), await audit.begin(entry)];
  await until(() => shown().length === 2, WITHIN, 'both beginnings');
  void audit.end(three, 'done', 1);
  await until(() => shown().length === 3, WITHIN, 'the end of the second');
  void audit.end(two, 'FAILED', 1);
  await until(() => shown().length === 4, WITHIN, 'the end of the first');
  t.match(shown(), [{ id: two, outcome: null }, { id: three, outcome: null }, { id: three, outcome: 'done' }, { id: two, outcome: 'FAILED' }]);
  const ended = once(child, 'close');
  child.kill('SIGINT');
  await ended;
});
