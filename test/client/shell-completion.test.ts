import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { must } from '../peers/enclosure.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { age } from './support/age.js';
import { complete, makeHome, runningIn, Terminal, untilIdle } from './support/argo.js';
import { type Answer, body, LineServer, OK } from './support/line-server.js';

/** What `argo --complete` answers to shells. What they make of it is test/e2e/client-completion-bash.test.ts and its neighbours. */

const row = (word: string, more: object = {}): string => JSON.stringify({ word, aliases: [], usage: word, help: 'x', right: 'read', on: null, options: [], words: [], ...more });
const ROWS = body(row('status', { on: 'instances', options: [{ name: 'timeout', value: 'required' }] }), row('frobnicate', { words: ['daily'] }));
const LOGIN = { ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: 'hush-hush' };
const ASKED_ANSWERS = fromRoot('dist', 'src', 'client', 'asked-answers.js');
const NOT_IN = '400 NOT AUTHENTICATED\n';

const ANSWERS: Record<string, Answer> = {
  auth: OK,
  'help --json': ROWS,
  list: body('lj', 'builder', 'my vm', 'odd[1]', 'k:v', 'k:w', "it's", 'esc\u001b[2J', 'hid\u200bden', 'nb\u00a0', '~tilde', 'bang!'),
  'list --full': body('demo/lj', 'lab/my vm'),
  'tag list': body('2 web', '3 "rack 7"'),
};

interface Place {
  readonly home: string;
  readonly server: LineServer;
  readonly cache: string;
  readonly answers: Record<string, Answer>;
  /** @returns the candidates, parted by blanks that no name of ours begins or ends with */
  ask(shell: string, words: readonly string[], env?: Record<string, string>): Promise<string>;
  /** the same when all that the server has to say has come */
  know(shell: string, words: readonly string[], env?: Record<string, string>): Promise<string>;
}

async function makePlace(test: { teardown(end: () => unknown): unknown }): Promise<Place> {
  const home = makeHome(test);
  const answers = { ...ANSWERS };
  const server = await LineServer.start(answers);
  const { address } = server;
  test.teardown(() => untilIdle(home));
  test.teardown(() => server.stop());
  const ask = async (shell: string, words: readonly string[], env: Record<string, string> = LOGIN): Promise<string> => {
    const { code, stdout, stderr } = await complete(home, shell, words, { ARGO_SERVER: address, ...env });
    return `${stdout.split('\n').slice(0, -1).join(' | ')}${stderr}${code === 0 ? '' : `code ${code}`}`;
  };
  const know = async (shell: string, words: readonly string[], env?: Record<string, string>): Promise<string> => {
    await ask(shell, words, env);
    await untilIdle(home);
    return ask(shell, words, env);
  };
  return { home, server, answers, cache: join(home, '.cache', 'argo'), ask, know };
}

void t.test('commands, options and names, as the arguments that they are', async (t) => {
  const { know, ask } = await makePlace(t);
  t.equal(await know('zsh', ['argo', 'fro']), 'frobnicate');
  const words = async (...typed: string[]) => ask('fish', ['argo', ...typed]);
  t.equal(await words('frobnicate', ''), 'daily');
  t.equal(await words('v'), 'vmserverd', 'what is the client\'s own');
  t.equal(await words('--accou'), '--account');
  t.equal(await words('--tls', '--no'), '--no-tls');
  t.equal(await words('status', '--'), '--timeout= | --json');
  t.equal(await words('status', 'l'), 'lj');
  t.equal(await words('status', 'web[1-2]', '--timeout=3', 'my'), 'my vm');
  t.equal(await words('status', 'my v'), 'my vm');
  t.equal(await words('status', '"my'), '"my vm"', 'quotes that are typed stay');
  t.equal(await words('status', 'odd'), '"odd[1]"', 'a name like a pattern is literal in quotes');
  t.equal(await words('status', '"od'), '"odd[1]"');
  t.equal(await words('status', 'demo/'), 'demo/lj');
  t.equal(await words('status', 'lab/m'), 'lab/my vm');
  t.equal(await words('status', '@'), '@web | @tag:rack 7');
  t.equal(await words('status', '@tag:rack '), '@tag:rack 7');
  t.equal(await words('status', 'esc'), '', 'what a terminal would obey is not offered');
  t.equal(await words('status', 'hid'), '', 'nor what cannot be seen');
  t.equal(await words('status', 'nb'), 'nb\u00a0', 'a blank of Unicode is a part of a name');
  t.equal(await words('status', '~'), '"~tilde"', 'fish would take it for a home');
  t.equal(await ask('zsh', ['argo', 'status', '~']), '~tilde');
  t.equal(await words('auth', ''), '');
  t.equal(await words('--', 'status', 'l'), 'lj');
});

void t.test('bash gets words as it writes them, less what stays', async (t) => {
  const { know, ask } = await makePlace(t);
  t.equal(await know('bash', ['argo status l', 'l']), 'lj');
  t.equal(await ask('bash', ['argo status my', 'my']), 'my\\ vm');
  t.equal(await ask('bash', ['argo status "my', 'my']), 'my vm');
  t.equal(await ask('bash', ['argo status k:', '']), 'v | w');
  t.equal(await ask('bash', ['argo status k:', 'k:']), 'k:v | k:w');
  t.equal(await ask('bash', ['argo status it', 'it']), "it\\'s");
  t.equal(await ask('bash', ["argo status 'it", 'it']), "it'\\''s");
  t.equal(await ask('bash', ['argo status odd', 'odd']), '\\"odd\\[1\\]\\"');
  t.equal(await ask('bash', ['argo status "odd', 'odd']), '\\"odd[1]\\""', 'bash takes any quote at the end for the closing one');
  t.equal(await ask('bash', ['argo status "ban', 'ban']), 'bang"\\!""');
  t.equal(await ask('bash', ['argo status ~', '~']), '\\~tilde');
  t.equal(await ask('bash', ['argo status @tag:', '']), 'rack\\ 7');
  t.equal(await ask('bash', ['argo status $HO', '$HO']), 'code 1', 'what bash makes something of is its own');
  t.equal(await ask('bash', ['argo list > l', 'l']), 'code 1');
});

void t.test('values of the client\'s options', async (t) => {
  const { home, ask, know } = await makePlace(t);
  const config = join(home, 'other.toml');
  writeFileSync(config, '[servers.lab]\nserver = "127.0.0.1:1"\n[servers.late]\nserver = "127.0.0.1:1"\n');
  const words = (...typed: string[]) => ask('zsh', ['argo', ...typed]);
  t.equal(await words('--config', config, '--server', 'la'), 'lab | late');
  t.equal(await words('--config', config, '--server=la'), '--server=lab | --server=late');
  t.equal(await words(`--config=${config}`, 'vmserverd', 'lat'), 'late');
  t.equal(await words('--completion', ''), 'bash | zsh | fish');
  t.equal(await words('--account', ''), '', 'who there is is not told');
  t.equal(await words('--config', ''), 'code 1', 'the shell knows files');
  t.equal(await words('--ca-file=x'), 'code 1');
  t.equal(await words('--config', join(home, 'none.toml'), 'status', ''), '', 'what is wrong is said when a command is sent');
  t.equal(await know('zsh', ['argo', '--account', 'kim', 'status', 'l']), 'lj');
  t.equal(await words('--config', '~/other.toml', '--server', 'la'), 'lab | late', 'the shell takes it for the home');
  t.equal(await words('--config', '$HOME/other.toml', '--server', 'la'), '', 'what it makes of that is not known');
});

void t.test('nobody is asked with options that are not understood', async (t) => {
  const { server, know } = await makePlace(t);
  for (const own of [['--tls=true'], ['--caFile', 'x'], ['--account', '$ME'], ['--account', '`whoami`'], ['--no-tls', '--tls=1'], ['--password', 'x']]) {
    t.equal(await know('zsh', ['argo', ...own, 'status', 'l']), '', own.join(' '));
  }
  t.equal(server.connections, 0);
  t.equal(await know('zsh', ['argo', '--no-tls', '--tls', 'status', 'l']), '', 'the last counts');
  t.notOk(server.received.some((line) => line.startsWith('auth')), 'and the password stays here');
});

void t.test('nothing that is typed can be read by others', async (t) => {
  const { home, answers, server, ask } = await makePlace(t);
  answers.auth = () => { /* says nothing */ };
  t.equal(await ask('zsh', ['argo', '--account', 'kim', 'enrol', 'approve', 'h1', 'root', 's3cret', '']), '');
  await until(() => server.sockets.size === 1, 30_000, 'its being asked');
  const lines = runningIn(home);
  t.match(lines.join('\n'), /--account kim/);
  t.notMatch(lines.join('\n'), /s3cret/);
  for (const socket of server.sockets) socket.destroy();
});

void t.test('a pipe in place of a file is not opened', { skip: lacks('mkfifo') }, async (t) => {
  const { home, server, ask } = await makePlace(t);
  const pipe = join(home, 'pipe');
  await must('mkfifo', ['-m', '600', pipe]);
  const { ARGO_ACCOUNT } = LOGIN;
  t.equal(await ask('zsh', ['argo', 'status', 'l'], { ARGO_ACCOUNT, ARGO_PASSWORD_FILE: pipe }), '');
  t.equal(await ask('zsh', ['argo', '--config', pipe, 'status', 'l']), '');
  t.equal(await ask('zsh', ['argo', '--config', pipe, '--server', '']), '');
  t.equal(await ask('zsh', ['argo', '--ca-file', pipe, 'status', 'l']), '');
  await untilIdle(home);
  t.equal(server.connections, 0);
});

void t.test('what asks ends, whatever it waits for', { skip: lacks('mkfifo') }, async (t) => {
  const pipe = join(t.testdir(), 'pipe');
  await must('mkfifo', [pipe]);
  const script = `import { readFile } from 'node:fs/promises'; import { endWithin } from ${JSON.stringify(ASKED_ANSWERS)}; endWithin(100); await readFile(process.argv[1]); process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, pipe], { stdio: 'ignore' });
  const [code, signal] = await once(child, 'exit') as [number | null, string | null];
  t.same([code, signal], [null, 'SIGKILL']);
});

void t.test('a Tab is answered from what was told a moment ago', async (t) => {
  const { answers, server, cache, know, ask } = await makePlace(t);
  t.equal(await know('zsh', ['argo', 'status', 'l']), 'lj');
  t.equal(statSync(cache).mode & 0o777, 0o700);
  for (const file of readdirSync(cache)) t.equal(statSync(join(cache, file)).mode & 0o777, 0o600);
  t.same(server.received.slice(0, 6), ['auth steve hush-hush', 'help --json', 'help', 'list', 'list --full', 'tag list'], 'one login for all');
  answers.auth = answers['help --json'] = (socket) => { socket.destroy(); };
  t.equal(await ask('zsh', ['argo', 'frobnicate', '']), 'daily');
  for (const file of readdirSync(cache)) age(join(cache, file), 60);
  t.equal(await know('zsh', ['argo', 'status', 'bu']), 'builder', 'and for longer where the server ends its connections');
});

void t.test('no Tab waits for a server that hangs', async (t) => {
  const { answers, cache, server, ask, know } = await makePlace(t);
  const silent = (): void => { /* says nothing, and does not close */ };
  for (const line of ['auth', 'list']) {
    answers[line] = silent;
    t.equal(await ask('zsh', ['argo', 'status', 'l'], { ...LOGIN, ARGO_ACCOUNT: line }), '', 'with nothing known of it');
    await until(() => server.sockets.size === 1, 30_000, 'its being asked all the same');
    for (const socket of server.sockets) socket.destroy();
    answers[line] = ANSWERS[line]!;
  }
  t.equal(await know('zsh', ['argo', 'status', 'l']), 'lj');
  answers.auth = silent;
  for (const file of readdirSync(cache)) age(join(cache, file), 60);
  t.equal(await ask('zsh', ['argo', 'status', 'l']), 'lj', 'with what it said before');
  await until(() => server.sockets.size === 1, 30_000, 'its being asked all the same');
});

void t.test('what one account is told is not told another', async (t) => {
  const { answers, know, ask } = await makePlace(t);
  // by connections: a Tab of one account may still have something asked while another asks
  const names = new WeakMap<Socket, string>();
  answers.auth = (socket, line) => {
    names.set(socket, line.includes('kim') ? body('kims') : line.includes('zoe') ? '400 NOT ALLOWED\n' : body('lj'));
    socket.write(OK);
  };
  answers.list = (socket) => { socket.write(names.get(socket) ?? body('public')); };
  t.equal(await know('zsh', ['argo', 'status', 'l']), 'lj');
  t.equal(await know('zsh', ['argo', 'status', ''], { ...LOGIN, ARGO_ACCOUNT: 'kim' }), 'kims');
  t.equal(await know('zsh', ['argo', '--account', 'zoe', 'status', '']), '');
  t.equal(await ask('zsh', ['argo', 'status', 'l']), 'lj');
  t.equal(await know('zsh', ['argo', 'status', ''], {}), 'public', 'nor somebody without one');
});

void t.test('who is not let in any more is told nothing', async (t) => {
  const { home, server, answers, cache, know, ask } = await makePlace(t);
  t.equal(await know('zsh', ['argo', 'status', 'l']), 'lj');
  answers.auth = NOT_IN;
  for (const file of readdirSync(cache)) age(join(cache, file), 60);
  await ask('zsh', ['argo', 'status', 'l']);
  await untilIdle(home);
  t.equal(await ask('zsh', ['argo', 'status', 'l']), '');
  const { received: { length } } = server;
  for (const file of readdirSync(cache)) age(join(cache, file), 60);
  t.equal(await know('zsh', ['argo', 'status', 'l']), '');
  t.equal(server.received.length, length, 'nor is a password tried again at once that was wrong');
});

void t.test('what the server cannot say now, it has said before', async (t) => {
  const { answers, cache, know } = await makePlace(t);
  const again = (): void => { for (const file of readdirSync(cache)) age(join(cache, file), 60); };
  t.equal(await know('zsh', ['argo', 'status', 'l']), 'lj');
  answers.list = '400 BUSY\n';
  answers['help --json'] = body(row('other', { on: 'instances' }));
  again();
  t.equal(await know('zsh', ['argo', 'oth']), 'other');
  t.equal(await know('zsh', ['argo', 'other', 'l']), 'lj');
  answers.list = '400 NOT ALLOWED\n';
  again();
  t.equal(await know('zsh', ['argo', 'other', 'l']), '', 'what it says no to is not offered any more');
});

void t.test('nobody is asked for a password', { skip: lacks('script') }, async (t) => {
  const { home, server, answers, know } = await makePlace(t);
  const config = join(home, '.config', 'argo');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'config.toml'), `server = "${server.address}"\naccount = "steve"\npassword-command = ["touch", "${join(home, 'asked')}"]\n`, { mode: 0o600 });
  answers.list = NOT_IN;
  t.equal(await know('zsh', ['argo', 'fro'], {}), 'frobnicate', 'what everybody is told');
  t.equal(await know('zsh', ['argo', 'status', ''], {}), '');
  const terminal = new Terminal(home, 'argo --complete zsh; printf "%s\\0" any --account kim status "" | argo --complete zsh; echo so', { ARGO_SERVER: server.address });
  await terminal.expect('so\r\n');
  t.equal(terminal.screen, 'so\r\n');
  await untilIdle(home);
  t.notOk(server.received.some((line) => line.startsWith('auth')));
  t.notOk(existsSync(join(home, 'asked')), 'a command that gives one may ask');

  writeFileSync(join(config, 'password'), 'hush-hush\n', { mode: 0o644 });
  writeFileSync(join(config, 'config.toml'), `server = "${server.address}"\naccount = "steve"\npassword-file = "password"\n`);
  answers.list = body('lj');
  t.equal(await know('zsh', ['argo', 'status', ''], {}), 'lj', 'one that is kept is used');
});

const outside = Object.values(networkInterfaces()).flat().find((one) => one?.family === 'IPv4' && !one.internal)?.address;

void t.test('no password goes out in plain text for a Tab', { skip: outside === undefined && 'needs a network' }, async (t) => {
  const home = makeHome(t);
  const server = await LineServer.start({ ...ANSWERS }, { host: outside! });
  t.teardown(async () => { await server.stop(); await untilIdle(home); });
  const ask = (extra: string) => {
    mkdirSync(join(home, '.config', 'argo'), { recursive: true });
    writeFileSync(join(home, '.config', 'argo', 'config.toml'), `server = "${outside}:${server.port}"\n${extra}`);
    return complete(home, 'zsh', ['argo', 'status', 'l'], LOGIN);
  };
  await ask('');
  await untilIdle(home);
  t.equal(server.connections, 1);
  t.same(server.received, []);
  for (const file of readdirSync(join(home, '.cache', 'argo'))) age(join(home, '.cache', 'argo', file), 60);
  await ask('allow-plain = true\n');
  await until(() => server.received.length > 0, 30_000, 'a login');
  t.equal(server.received[0], 'auth steve hush-hush');
});

void t.test('a server that does not know help --json', async (t) => {
  const { answers, know } = await makePlace(t);
  answers['help --json'] = '400 USAGE: help [COMMAND]\n';
  answers.help = body('list', 'frobnicate THING');
  t.equal(await know('zsh', ['argo', 'fro']), 'frobnicate');
});
