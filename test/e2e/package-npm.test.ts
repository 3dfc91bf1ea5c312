import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { deadLinks } from '../docs/markdown.js';
import { must } from '../peers/enclosure.js';
import { fromRoot } from '../support/paths.js';
import { runProgram, type Outcome } from '../support/programs.js';
import { buildCollection, buildTarball } from './support/packages.js';

/** The npm tarball, as who installs it meets it: with its native code, and then without. */

/** Most of it is the compiler's. */
const INSTALL_WITHIN_MS = 160_000;
const PASSWORD = 'correct horse';
/** As docs/installing.md has it. npm of Node 20 runs the scripts of all packages, and does not know the option. */
const ALLOWED = '--allow-scripts=bcrypt,better-sqlite3,ssh2,raw-socket,cpu-features';
/** Each package with native code does what it is for. A raw socket is for root alone. */
const WORKING = `
const assert = require('node:assert');
require('cpu-features')();
require('ssh2/lib/protocol/crypto/build/Release/sshcrypto.node');
assert(require('bcrypt').compareSync('secret', require('bcrypt').hashSync('secret', 4)));
assert.equal(new (require('better-sqlite3'))(':memory:').prepare('SELECT 6 * 7 AS found').get().found, 42);
const ping = require('net-ping');
if (process.getuid() === 0) {
  const session = ping.createSession();
  session.pingHost('127.0.0.1', (error) => { assert.ifError(error); session.close(); });
}`;

const folder = mkdtempSync(join(tmpdir(), 'argo-npm-test-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const prefix = join(folder, 'prefix');
const home = join(prefix, 'lib', 'node_modules', 'argo-server');
const config = join(folder, 'argo-server.conf');
const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder };
const program = (name: string): string => join(prefix, 'bin', name);

/** SQLite's release for this Node, as its makers publish it, but compiled for this project: to compile it takes minutes. @returns its folder */
async function publishSqlite(): Promise<string> {
  const releases = join(folder, 'releases');
  mkdirSync(releases);
  const { version } = JSON.parse(readFileSync(fromRoot('node_modules', 'better-sqlite3', 'package.json'), 'utf8')) as { version: string };
  const name = `better-sqlite3-v${version}-node-v${process.versions.modules}-${process.platform}-${process.arch}.tar.gz`;
  await must('tar', ['-C', fromRoot('node_modules', 'better-sqlite3'), '-czf', join(releases, name), 'build/Release/better_sqlite3.node']);
  return releases;
}

/** What npm is told: where that release is, and where the headers of this Node are, if they came with it. */
async function told(): Promise<string[]> {
  const place = dirname(dirname(process.execPath));
  const hasHeaders = existsSync(join(place, 'include', 'node', 'node_version.h'));
  return [`npm_config_better_sqlite3_local_prebuilds=${await publishSqlite()}`, ...(hasHeaders ? [`npm_config_nodedir=${place}`] : [])];
}

/** Runs the server that is installed. @param use is given the client that is */
async function serving(t: Test, use: (argo: (...args: string[]) => Promise<Outcome>) => Promise<void>): Promise<void> {
  const server = spawn(program('argo-server'), ['--config', config], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => server.kill('SIGKILL'));
  let address = '';
  for await (const line of createInterface({ input: server.stderr })) {
    const { msg, address: at } = JSON.parse(line) as { msg: string; address?: string };
    if (msg === 'listening') address = at ?? '';
    if (address !== '') break;
  }
  await use((...args) => runProgram(program('argo'), args, { env: { ...env, ARGO_SERVER: address, ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: PASSWORD } }));
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  t.same(await ended, [0, null]);
}

await t.test('installed for all, it comes to the first list', async (t) => {
  const tarball = await buildTarball(join(folder, 'out'));
  await must('env', [...await told(), 'npm', 'install', '--global', '--prefix', prefix, ALLOWED, '--prefer-offline', '--no-audit', '--no-fund', tarball], INSTALL_WITHIN_MS);
  t.same(readdirSync(join(prefix, 'bin')).sort(), ['argo', 'argo-mqtt', 'argo-server']);
  t.notOk(readdirSync(join(home, 'node_modules')).includes('typescript'));
  t.same(await runProgram(process.execPath, ['-e', WORKING], { cwd: home }), { code: 0, stdout: '', stderr: '' });

  writeFileSync(config, `[server]\nlisten = ["127.0.0.1:0"]\nstate-dir = "${folder}/state"\n[providers.demo]\ntype = "sim"\ninstances = ["lj", "builder"]\n`, { mode: 0o600 });
  const added = await runProgram(program('argo-server'), ['account', 'add', 'steve', '--instances', '*', '--config', config], { env, input: `${PASSWORD}\n` });
  t.equal(added.code, 0, added.stderr);
  await serving(t, async (argo) => {
    t.same(await argo('list'), { code: 0, stdout: 'lj\nbuilder\n', stderr: '' });
    t.same(await argo('stop', 'lj', '--wait'), { code: 0, stdout: '', stderr: '' });
  });
  t.match((await runProgram(program('argo-server'), ['audit', '--config', config], { env })).stdout, / steve .* stop .*demo\/lj: done/);
});

await t.test('every link of its documents leads to a file that is in it', (t) => {
  const documents = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md') && !path.startsWith('node_modules/'));
  t.ok(documents.includes('README.md') && documents.includes('docs/security.md'));
  for (const path of documents) t.same(deadLinks(home, path), [], path);
  t.match(readFileSync(join(home, 'docs', 'security.md'), 'utf8'), '(../etc/argo-server.service)', 'what is there is found');
  t.end();
});

await t.test('what other programs use is in it, ready to be used', async (t) => {
  t.same(readdirSync(join(home, 'integrations')).sort(), ['fence', 'nagios', 'powerman', 'python'], 'Ansible\'s is none that could be used as it is');
  const [collection, ...others] = readdirSync(join(home, 'dist', 'ansible'));
  t.same(others, []);
  t.match(collection, /^argo-power-\d+\.\d+\.\d+\S*\.tar\.gz$/, 'as the document names it');
  t.ok(readFileSync(join(home, 'dist', 'ansible', collection!)).equals(readFileSync(await buildCollection(join(folder, 'collection')))), 'the one that is tried elsewhere, with the Python module in it');
  t.match(await runProgram(join(home, 'integrations', 'nagios', 'check_argo'), ['--help']), { code: 3, stdout: 'usage: check_argo' }, 'it finds the Python module; a plugin that did not check says so');
});

await t.test('without what was compiled, as with --ignore-scripts, one can look', async (t) => {
  for (const [name, ...inside] of [['better-sqlite3'], ['raw-socket'], ['cpu-features'], ['ssh2', 'lib', 'protocol', 'crypto']] as const) {
    const built = join(home, 'node_modules', name, ...inside, 'build');
    t.ok(existsSync(built), name);
    rmSync(built, { recursive: true });
  }
  await serving(t, async (argo) => {
    t.equal((await argo('list')).stdout, 'lj\nbuilder\n');
    t.equal((await argo('status', 'builder')).stdout, 'on\n');
    if (!isBuiltin('node:sqlite')) t.match(await argo('stop', 'builder'), { code: 1, stderr: /AUDIT UNAVAILABLE/ }, 'but order nothing, which could not be written down');
  });
});
