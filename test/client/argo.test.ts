import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { fromRoot } from '../support/paths.js';
import { argo, cleanEnvironment, makeHome } from './support/argo.js';
import { body, LineServer, OK } from './support/line-server.js';

const MANY = Array.from({ length: 50_000 }, (_, at) => `vm${String(at).padStart(6, '0')}`);

const ANSWERS = {
  'auth steve hush-hush': OK,
  auth: '400 NOT AUTHENTICATED\n',
  list: body('lj', 'builder', ' 200 x'),
  'list stopped': '200 OK\nlj\n300 DONE: kvm1 (does not answer)\n',
  'list running': body(...MANY),
  'status lj': body('on'),
  stop: '200 OK\nweb1: done\nweb2: TIMEOUT: no answer\n400 FAILED: 1 of 2\n',
  start: OK,
  pause: '400 NOT ALLOWED\n',
  reboot: '400 USAGE: reboot NAME...\n',
  resume: '200 OK\n400 WRONG STATE: lj is on\n',
  die: (socket: { destroy(): unknown }) => { socket.destroy(); },
  hang: '200 OK\nhalf\n',
  help: body('list', 'frobnicate THING'),
  frobnicate: body('200'),
};

void t.test('one command', async (t) => {
  const home = makeHome(t);
  const server = await LineServer.start(ANSWERS);
  t.teardown(() => server.stop());
  const env = { ARGO_SERVER: server.address };
  const run = (...args: string[]) => argo(home, args, { env });

  t.same(await run('list'), { code: 0, stdout: 'lj\nbuilder\n200 x\n', stderr: '' });
  t.same(await run('list', 'stopped'), { code: 0, stdout: 'lj\n', stderr: 'argo: kvm1 (does not answer)\n' });
  t.same(await run('start', 'lj'), { code: 0, stdout: '', stderr: '' });
  t.same(await run('stop', 'web[1-2]', '--wait=60'), { code: 4, stdout: 'web1: done\nweb2: TIMEOUT: no answer\n', stderr: 'argo: FAILED: 1 of 2\n' });
  t.equal(server.received.at(-1), 'stop web[1-2] --wait=60');
  t.same(await run('pause', 'lj'), { code: 3, stdout: '', stderr: 'argo: NOT ALLOWED\n' });
  t.same(await run('reboot'), { code: 2, stdout: '', stderr: 'argo: USAGE: reboot NAME...\n' });
  t.same(await run('resume', 'lj'), { code: 1, stdout: '', stderr: 'argo: WRONG STATE: lj is on\n' });
  t.match(await run('die', 'lj'), { code: 1, stdout: '', stderr: /^argo: UNCERTAIN: the connection to / });
  t.same(await run('frobnicate', 'a b', '--odd=1'), { code: 0, stdout: '200\n', stderr: '' }, 'a command that only a plugin knows');
  t.equal(server.received.at(-1), 'frobnicate "a b" --odd=1');
  t.match(await run('list', '--help'), { code: 0, stdout: 'list\nfrobnicate THING\n' });
  t.match(await run('start', 'a\nstop b'), { code: 2, stderr: 'argo: BAD REQUEST: an argument holds a control character\n' });
  t.equal((await run('list', 'running')).stdout, MANY.join('\n') + '\n');
  t.match(await argo(home, ['list'], { env: { ARGO_SERVER: '127.0.0.1:1' } }), { code: 1, stderr: 'argo: UNREACHABLE: nothing listens at 127.0.0.1:1; is argo-server running there?\n' });
});

void t.test('wrong use of the client itself', async (t) => {
  const home = makeHome(t);
  t.match(await argo(home, ['--frob', 'list']), { code: 2, stdout: '', stderr: 'argo: Unknown argument: frob\n`argo --help` shows how it is used\n' });
  t.match(await argo(home, ['--password', 'x', 'list']), { code: 2, stderr: /Unknown argument: password/ });
  t.match(await argo(home, ['auth', 'steve', 'x']), { code: 2, stderr: /a password must not stand on the command line/ });
  t.match(await argo(home, ['--server', 'a b', 'list']), { code: 2, stderr: /neither host:port nor/ });
  t.match(await argo(home, ['--help']), { code: 0, stdout: /--fingerprint/, stderr: '' });
  t.match(await argo(home, ['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  t.match(await argo(home, ['--completion'], { env: { SHELL: '/bin/bash' } }), { code: 0, stdout: /^complete -F _argo argo\n/m });
  t.match(await argo(home, ['--completion', 'zsh']), { code: 0, stdout: /^#compdef argo\n/ });
  t.match(await argo(home, ['--completion=fish']), { code: 0, stdout: /^complete -c argo /m });
  t.match(await argo(home, ['--completion', 'csh']), { code: 2, stdout: '', stderr: /no completion script for csh, but for bash, zsh, fish\n/ });
  t.match(await argo(home, ['--completion'], { env: { SHELL: undefined } }), { code: 2, stdout: '', stderr: /for which shell\?/ });
});

void t.test('--json', async (t) => {
  const home = makeHome(t);
  const server = await LineServer.start(ANSWERS);
  t.teardown(() => server.stop());
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await argo(home, [...args, '--json'], { env: { ARGO_SERVER: server.address } });
    return { code, stderr, lines: stdout.split('\n').length - 1, document: JSON.parse(stdout) as unknown };
  };
  t.same(await run('status', 'lj'), { code: 0, stderr: '', lines: 1, document: {
    command: 'status lj', ok: true, results: [{ name: 'lj', ok: true, state: 'on', lines: ['on'], error: null }], error: null, note: null,
  } });
  t.match(await run('stop', 'web[1-2]'), { code: 4, stderr: '', document: { ok: false, results: [
    { name: 'web1', ok: true, error: null }, { name: 'web2', ok: false, error: { phrase: 'TIMEOUT', detail: 'no answer' } },
  ], error: { phrase: 'FAILED', detail: '1 of 2' } } });
  t.match(await run('list', 'stopped'), { code: 0, document: { results: [{ name: 'lj' }], note: 'kvm1 (does not answer)' } });
  t.match(await run('pause', 'lj'), { code: 3, stderr: '', document: { error: { phrase: 'NOT ALLOWED', detail: '' } } });
  t.match(await run('die', 'lj'), { code: 1, stderr: '', document: { ok: false, error: { phrase: 'UNCERTAIN' } } });
  t.match(await run('start', 'a\nb'), { code: 2, stderr: '', document: { error: { phrase: 'BAD REQUEST' } } });
  const unreachable = await argo(home, ['list', '--json'], { env: { ARGO_SERVER: '127.0.0.1:1' } });
  t.match(JSON.parse(unreachable.stdout), { ok: false, results: [], error: { phrase: 'UNREACHABLE' } });
  const script = await argo(home, ['--json'], { env: { ARGO_SERVER: server.address }, input: 'status lj\n"\nlist\n' });
  t.equal(script.code, 2);
  t.same(script.stdout.trimEnd().split('\n').map((line) => (JSON.parse(line) as { ok: boolean }).ok), [true, false, true], 'a document a line');
});

void t.test('a script on standard input', async (t) => {
  const home = makeHome(t);
  const server = await LineServer.start(ANSWERS);
  t.teardown(() => server.stop());
  const run = (input: string) => argo(home, [], { env: { ARGO_SERVER: server.address }, input });
  t.same(await run('# what runs\r\nlist\r\n\r\n  status lj\r\n'), { code: 0, stdout: 'lj\nbuilder\n200 x\non\n', stderr: '' });
  t.same(await run('stop web[1-2]\nstatus lj\n'), { code: 4, stdout: 'web1: done\nweb2: TIMEOUT: no answer\non\n', stderr: 'argo: FAILED: 1 of 2\n' });
  t.match(await run('resume lj\nstop web[1-2]\npause lj\nstatus lj\n'), { code: 3, stdout: /on\n$/ }, 'the worst counts, and all are tried');
  t.match(await run('status "lj\nstatus lj'), { code: 2, stdout: 'on\n', stderr: 'argo: BAD REQUEST: an open quote\n' });
  t.match(await run('status lj\nexit\nlist\n'), { code: 0, stdout: 'on\n' });
  t.match(await run('die\nstatus lj\n'), { code: 1, stdout: 'on\n', stderr: /UNCERTAIN[^]*connected to .* again/ });
  t.match(await run('auth steve hush-hush\nstatus lj\n'), { code: 0, stdout: 'on\n' });
  t.same(await run(''), { code: 0, stdout: '', stderr: '' });
  t.match(await argo(home, [], { env: { ARGO_SERVER: '127.0.0.1:1' }, input: 'list\nlist\n' }), { code: 1, stderr: /^argo: UNREACHABLE[^\n]*\n$/ }, 'a server that is not there is told once');
});

void t.test('the password', async (t) => {
  const home = makeHome(t);
  const server = await LineServer.start(ANSWERS);
  t.teardown(() => server.stop());
  const folder = join(home, '.config', 'argo');
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string, mode = 0o600): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const config = (text: string, mode?: number) => write('config.toml', `server = "${server.address}"\naccount = "steve"\n${text}`, mode);
  const run = (env: Record<string, string> = {}) => argo(home, ['status', 'lj'], { env });
  const good = { code: 0, stdout: 'on\n', stderr: '' };

  config('password = "hush-hush"');
  t.same(await run(), good);
  config('password = "hush-hush"', 0o644);
  t.match(await run(), { code: 2, stdout: '', stderr: /others may read it: chmod 600/ });
  config('password-file = "secret"');
  write('secret', 'hush-hush\n');
  t.same(await run(), good);
  write('secret', 'hush-hush\n', 0o644);
  t.match(await run(), { code: 0, stderr: /^argo: others may read the password in .*secret: chmod 600/ });
  config('password-command = ["printf", "hush-hush\\nuser: steve\\n"]');
  t.same(await run(), good);
  config('password-command = ["sh", "-c", "echo hush-hush; exit 3"]');
  const failed = await run();
  t.match(failed, { code: 2, stderr: 'argo: the password command sh gave no password: it ended with 3\n' });
  config('password-command = ["/nonexistent/pass"]');
  t.match(await run(), { code: 2, stderr: /gave no password: it ended with ENOENT/ });
  config('');
  t.same(await run({ ARGO_PASSWORD: 'hush-hush' }), good);
  t.same(await run({ ARGO_PASSWORD_FILE: write('other', 'hush-hush') }), good);
  t.match(await run({ ARGO_PASSWORD_FILE: join(home, 'none') }), { code: 2, stderr: /cannot read the password file/ });
  t.match(await run(), { code: 3, stderr: /NOT AUTHENTICATED: no password for steve/ });
  const wrong = await run({ ARGO_PASSWORD: 'guess-work' });
  t.match(wrong, { code: 3, stdout: '', stderr: /^argo: NOT AUTHENTICATED: the server refuses the account steve/ });
  t.notMatch([failed, wrong], /hush-hush|guess-work/);
  config('account = "twice"');
  t.match(await run(), { code: 2, stderr: /config\.toml:3:\d+: / });
});

const outside = Object.values(networkInterfaces()).flat().find((address) => address !== undefined && !address.internal && address.family === 'IPv4')?.address;

void t.test('a password to another machine in plain text is worth a word', { skip: outside === undefined && 'this machine has the loopback only' }, async (t) => {
  const home = makeHome(t);
  const server = await LineServer.start(ANSWERS, { host: outside ?? '' });
  t.teardown(() => server.stop());
  const address = `${outside}:${server.port}`;
  const env = { ARGO_SERVER: address, ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: 'hush-hush' };
  t.match(await argo(home, ['status', 'lj'], { env }), { code: 0, stdout: 'on\n', stderr: /^argo: the password goes to .* in plain text; use tls = true/ });
  t.match(await argo(home, ['status', 'lj'], { env: { ARGO_SERVER: address } }), { code: 0, stderr: '' }, 'without a password there is nothing to say');
  mkdirSync(join(home, '.config', 'argo'), { recursive: true });
  writeFileSync(join(home, '.config', 'argo', 'config.toml'), `server = "${address}"\nallow-plain = true\n`);
  t.match(await argo(home, ['status', 'lj'], { env }), { code: 0, stderr: '' });
});

void t.test('readers that leave and people who interrupt', async (t) => {
  const home = makeHome(t);
  const server = await LineServer.start(ANSWERS);
  t.teardown(() => server.stop());
  const env = { ARGO_SERVER: server.address };
  const { code, stdout, stderr } = await argo(home, ['hang', 'lj'], { env, interruptAfter: 'half' });
  t.same([code, stdout, stderr], [130, 'half\n', 'argo: interrupted; what was already sent goes on at the server\n']);
  const shell = async (command: string): Promise<string> => {
    const whole = command.replaceAll(/\bargo\b/g, `'${process.execPath}' '${fromRoot('bin', 'argo.js')}'`);
    return (await promisify(execFile)('bash', ['-c', `(${whole}) 2>&1`], { env: cleanEnvironment(home, env) })).stdout;
  };
  t.equal(await shell('argo list running | head -1; echo ${PIPESTATUS[*]}'), 'vm000000\n141 0\n');
  t.equal(await shell('argo list running --json | true; echo ${PIPESTATUS[*]}'), '141 0\n');
  t.equal(await shell('argo list running > /dev/full; echo $?'), 'argo: FAILED: the output cannot be written (ENOSPC)\n1\n');
  t.equal(await shell('argo list | cat; echo ${PIPESTATUS[*]}'), 'lj\nbuilder\n200 x\n0 0\n');
});
