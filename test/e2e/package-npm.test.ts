import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { must } from '../peers/enclosure.js';
import { runProgram } from '../support/programs.js';
import { buildTarball } from './support/packages.js';

/**
 * The npm tarball, as who installs it meets it. Native code, which npm compiles, is left out: that takes minutes.
 * What needs none of it must work without.
 */

const INSTALL_WITHIN_MS = 150_000;

const folder = mkdtempSync(join(tmpdir(), 'argo-npm-test-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

await t.test('installed for all, it comes to the first list', async (t) => {
  const tarball = await buildTarball(join(folder, 'out'));
  const prefix = join(folder, 'prefix');
  await must('npm', ['install', '--global', '--prefix', prefix, '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball], INSTALL_WITHIN_MS);
  t.same(readdirSync(join(prefix, 'bin')).sort(), ['argo', 'argo-mqtt', 'argo-server']);
  t.notOk(readdirSync(join(prefix, 'lib', 'node_modules', 'argo-server', 'node_modules')).includes('typescript'));

  const config = join(folder, 'argo-server.conf');
  const password = 'correct horse';
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder };
  await must('sh', ['-c', 'umask 077; printf \'[server]\\nlisten = ["127.0.0.1:0"]\\nstate-dir = "%s/state"\\n[providers.demo]\\ntype = "sim"\\ninstances = ["lj", "builder"]\\n\' "$1" > "$2"', 'sh', folder, config]);
  const added = await runProgram(join(prefix, 'bin', 'argo-server'), ['account', 'add', 'steve', '--instances', '*', '--config', config], { env, input: `${password}\n` });
  t.equal(added.code, 0, added.stderr);

  const server = spawn(join(prefix, 'bin', 'argo-server'), ['--config', config], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => server.kill('SIGKILL'));
  let address = '';
  for await (const line of createInterface({ input: server.stderr })) {
    const { msg, address: at } = JSON.parse(line) as { msg: string; address?: string };
    if (msg === 'listening') address = at ?? '';
    if (address !== '') break;
  }
  const client = { env: { ...env, ARGO_SERVER: address, ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: password } };
  t.same(await runProgram(join(prefix, 'bin', 'argo'), ['list'], client), { code: 0, stdout: 'lj\nbuilder\n', stderr: '' });
  t.equal((await runProgram(join(prefix, 'bin', 'argo'), ['status', 'lj'], client)).stdout, 'on\n');
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  t.same(await ended, [0, null]);
});
