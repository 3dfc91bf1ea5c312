import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseConfig } from '../support/configuration.js';
import { DEMO, greeting } from '../../src/daemon/first-start.js';
import { startDaemon, StartFailure } from '../support/daemon.js';
import { fromRoot } from '../support/paths.js';
import { connect } from '../support/line-client.js';
import { lacks } from '../support/peers.js';
import { runNode } from '../support/programs.js';
import { Terminal } from '../support/terminal.js';
import { until } from '../support/until.js';

const WITHIN = 60_000;

const firstLine = (file: string): string => readFileSync(file, 'utf8').split('\n')[0]!;

await t.test('the greeting says for whom it listens', async (t) => {
  const config = await parseConfig('argo-server.conf', '[providers.demo]\ntype = "sim"\n', tmpdir());
  const own = { config, findings: [DEMO], isAccountNew: true };
  const password = { shown: 'sesame' };
  for (const address of ['127.0.0.1:20203', '127.8.0.1:1', '[::1]:20203']) t.match(greeting(own, '1.0.0', { address, password, page: undefined }), 'for this machine only', address);
  for (const address of ['0.0.0.0:20203', '[::]:20203', '10.0.0.1:20203', '[fe80::1]:1']) t.notMatch(greeting(own, '1.0.0', { address, password, page: undefined }), 'for this machine only', address);
  const words = greeting(own, '1.0.0', { address: '[::1]:20299', password, page: { address: '127.0.0.1:8080', link: { shown: 'http://127.0.0.1:8080/#login=once' } } });
  t.match(words, /^ {2}telnet ::1 20299$/m);
  t.match(words, /^ {2}http:\/\/127\.0\.0\.1:8080\/#login=once$/m);
  t.match(greeting(own, '1.0.0', { address: '127.0.0.1:20203', password, page: { address: '127.0.0.1:8080', link: undefined } }), /^The page is http:\/\/127\.0\.0\.1:8080\/\.$/m);
});

const onTerminal = (t: Test, folder: string, port: number): Terminal =>
  new Terminal(t, [process.execPath, fromRoot('bin', 'argo-server.js'), '--listen', `127.0.0.1:${port}`], WITHIN, {
    cwd: folder, env: { ...process.env, HOME: folder, ARGO_CONFIG: undefined, ARGO_STATE_DIR: join(folder, 'state') },
  });

/** A port that another program has. */
async function takenPort(t: Test): Promise<number> {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  return (other.address() as AddressInfo).port;
}

await t.test('on a terminal the password and the link are shown, and kept nowhere', { skip: lacks('script') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-first-start-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const state = join(folder, 'state');
  mkdirSync(state);
  for (const name of ['admin-password', 'page-link']) writeFileSync(join(state, name), 'of an earlier start');
  const terminal = onTerminal(t, folder, 0);
  await terminal.answer('  exit\r\n', '\u0003');
  await terminal.ended;
  const [, password = ''] = /Its password is shown this once: (\S{20})\r$/m.exec(terminal.shown()) ?? [];
  t.match(terminal.shown(), new RegExp(`^  auth admin ${password}\r$`, 'm'));
  t.match(terminal.shown(), /^ {2}http:\/\/127\.0\.0\.1:\d+\/#login=\S+\r$/m);
  t.same(readdirSync(state).filter((name) => /^(?:admin-password|page-link)/.test(name)), []);
});

await t.test('on a terminal the password of a start that failed is shown by the next one, and logs in', { skip: lacks('script') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-first-start-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const failed = onTerminal(t, folder, await takenPort(t));
  t.equal((await failed.ended).code, 1);
  t.match(failed.shown(), 'another program listens there already');
  const file = join(folder, 'state', 'admin-password');
  const [password, mode] = [firstLine(file), statSync(file).mode & 0o777];
  t.equal(mode, 0o600);
  t.notOk(failed.shown().includes(password), 'no word of it before somebody can use it');
  const next = onTerminal(t, folder, 0);
  await until(() => next.shown().includes('  exit\r\n'), WITHIN, 'the greeting');
  t.match(next.shown(), `The account admin was made at an earlier start. Its password is shown this once: ${password}\r\n`);
  t.notOk(existsSync(file), 'which is kept no longer');
  const [, port] = /^ {2}telnet 127\.0\.0\.1 (\d+)\r$/m.exec(next.shown()) ?? [];
  const client = await connect(Number(port));
  t.equal((await client.ask(`auth admin ${password}`)).code, 300);
  client.destroy();
  await next.answer('  exit\r\n', '\u0003');
  await next.ended;
});

await t.test('elsewhere they are in files that nobody else can read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-first-start-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const options = { args: ['--listen', '127.0.0.1:0'], env: { ARGO_STATE_DIR: join(folder, 'state') }, folder };
  const [passwordFile, linkFile] = ['admin-password', 'page-link'].map((name) => join(folder, 'state', name)) as [string, string];
  mkdirSync(join(folder, 'state'));
  writeFileSync(linkFile, 'of an earlier start', { mode: 0o666 });
  const first = await startDaemon(options);
  await until(() => first.stdout().includes('exit\n'), WITHIN, 'the greeting');
  const [password, link] = [firstLine(passwordFile), firstLine(linkFile)];
  t.match(password, /^[A-Za-z2-9]{20}$/);
  t.match(link, /^http:\/\/127\.0\.0\.1:\d+\/#login=\S{20,}$/);
  t.same([passwordFile, linkFile].map((file) => statSync(file).mode & 0o777), [0o600, 0o600]);
  t.match(first.stdout(), `Its password is in ${passwordFile}, for this user alone; remove that file when you have read it.`);
  t.match(first.stdout(), `The page is ${link.split('#')[0]}. A link that logs admin in once, within an hour, is in ${linkFile}.`);
  t.match(first.stdout(), '  auth admin PASSWORD\n');
  for (const secret of [password, link.split('=')[1]!]) t.notOk(`${first.stdout()}${first.stderr()}`.includes(secret), 'in no log');
  await first.stop();
  rmSync(passwordFile);
  const second = await startDaemon(options);
  t.teardown(() => second.stop());
  await until(() => second.stdout().includes('exit\n'), WITHIN, 'the greeting');
  t.notOk(existsSync(passwordFile), 'which nobody knows any more');
  t.match(second.stdout(), 'The account admin was made at an earlier start; `argo-server account passwd admin` gives it a new password.');
  t.not(firstLine(linkFile), link, 'a link of its own');
});

await t.test('a password that a start has made which then failed is found by the next one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-first-start-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const options = { env: { ARGO_STATE_DIR: join(folder, 'state') }, folder };
  const failure = await startDaemon({ ...options, args: ['--listen', `127.0.0.1:${await takenPort(t)}`] }).catch((error: unknown) => error);
  t.type(failure, StartFailure);
  const file = join(folder, 'state', 'admin-password');
  const daemon = await startDaemon({ ...options, args: ['--listen', '127.0.0.1:0'] });
  t.teardown(() => daemon.stop());
  await until(() => daemon.stdout().includes('exit\n'), WITHIN, 'the greeting');
  t.match(daemon.stdout(), `The account admin was made at an earlier start. Its password is in ${file}, for this user alone; remove that file when you have read it.`);
  t.match(firstLine(file), /^[A-Za-z2-9]{20}$/);
});

await t.test('a bad --listen is told as such, with a file and without', async (t) => {
  for (const config of [undefined, '']) {
    const failure = await startDaemon({ ...(config === undefined ? {} : { config }), args: ['--listen', 'here'] }).catch((error: unknown) => error);
    t.type(failure, StartFailure);
    const { exit, stderr } = failure as StartFailure;
    t.equal(exit.code, 1);
    t.equal(stderr, 'argo-server: --listen: write host:port, such as "127.0.0.1:20203" or "[::1]:20203"\n');
  }
});

await t.test('--listen goes before the file', async (t) => {
  const daemon = await startDaemon({ config: '[server]\nlisten = ["192.0.2.1:1"]\n', args: ['--listen', '127.0.0.1:0'] });
  t.ok(await daemon.logs('"address":"127.0.0.1:'));
  t.same(await daemon.stop(), { code: 0, signal: null });
});

await t.test('check counts in words', async (t) => {
  const { stdout } = await runNode([fromRoot('bin', 'argo-server.js'), 'check', '--config', fromRoot('etc', 'argo-server.conf')]);
  t.match(stdout, /is good: 0 accounts, 1 provider\n$/);
});
