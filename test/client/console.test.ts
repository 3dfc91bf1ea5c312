import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { ConsoleReader, escapeCr, sizeMessage } from '../../src/client/console-reader.js';
import { Literally } from '../../src/kit/console-escape.js';
import { TERMINAL_BEGINS, TERMINAL_ENDS } from '../../src/kit/telnet.js';
import { SEED_CONFIG, startCore, STEVE_HASH } from '../server/core.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { ARGO, argo, cleanEnvironment, makeHome, Terminal } from './support/argo.js';

/** `argo console`, on a pseudo-terminal and in pipes, at the server's own line protocol and at doubles that misbehave. */

const WITHIN_MS = 30_000;
const SKIP = { skip: lacks('script') };
const [CTRL_BRACKET, CTRL_C] = ['\x1d', '\x03'];
const CONFIG = `${SEED_CONFIG}
[accounts.looker]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["read"] }]
`;

async function serve(t: Test) {
  const core = await startCore(t, { config: CONFIG });
  const { port } = await core.listen();
  const home = makeHome(t);
  const env = { ARGO_SERVER: `127.0.0.1:${port}`, ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: 'steve' };
  const terminal = (command: string, more: Record<string, string> = {}): Terminal => {
    const one = new Terminal(home, command, { ...env, ...more });
    t.teardown(() => one.close());
    return one;
  };
  return { ...core, home, env, terminal };
}

/** A server that says yes to all lines until one asks for a console, and then does as it is told. */
async function double(t: Test, serveConsole: (socket: Socket, heard: () => Buffer) => void): Promise<{ address: string; lines: string[] }> {
  const lines: string[] = [];
  const server = createServer((socket) => {
    let rest = '';
    let raw: Buffer | undefined;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (raw !== undefined) {
        raw = Buffer.concat([raw, chunk]);
        return;
      }
      const parts = (rest + chunk.toString('latin1')).split('\n');
      rest = parts.pop()!;
      for (const line of parts) {
        lines.push(line);
        if (!line.startsWith('console')) socket.write('200 OK\n300 DONE\n');
        else {
          raw = Buffer.alloc(0);
          serveConsole(socket, () => raw!);
        }
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, lines };
}

/** The client behind a shell that says its number first. */
const withPid = (args: string): string => `sh -c 'echo pid=$$.; exec argo ${args}'`;
const pidIn = async (terminal: Terminal): Promise<number> => {
  await until(() => /pid=\d+\./.test(terminal.screen), WITHIN_MS, 'the number of its process');
  return Number(/pid=(\d+)\./.exec(terminal.screen)![1]);
};

void t.test('keys go to the machine one by one, and the terminal is as it was', SKIP, async (t) => {
  const { terminal, audit } = await serve(t);
  const one = terminal('stty cols 100 rows 30; before=$(stty -g); argo console lj; echo "code=$?"; [ "$before" = "$(stty -g)" ] && echo as-before');
  await one.expect('argo: console lj; Ctrl-] or Enter ~ . leaves it\r\n');
  await one.expect('Simulated console of lj');
  await one.expect('lj$ ');
  one.send('si');
  await one.expect('si');
  one.send('zx\x7fe\r');
  await one.expect('100 x 30\r\n');
  one.send(CTRL_C);
  one.send('~.ü\r');
  await one.expect('~.ü\r\n~.ü\r\n');
  one.send(CTRL_BRACKET);
  await one.expect('\x1b[?25h');
  await one.expect('\r\ncode=0\r\nas-before\r\n');
  t.equal(await one.ended, 0);
  t.match(audit.begun, [{ account: 'steve', command: 'console', instance: 'demo/lj', options: '--kind=text' }]);
  await until(() => audit.ended.length === 1, WITHIN_MS, 'its end');
  t.match(audit.ended[0]?.outcome, /^done: /);
});

void t.test('left by Enter ~ . , ended by the machine, and told of who else has it', SKIP, async (t) => {
  const { terminal } = await serve(t);
  const first = terminal('argo console lj');
  await first.expect('lj$ ');
  const second = terminal('argo console lj; echo code=$?');
  await second.expect('[steve has it open since ');
  await second.expect('lj$ ');
  second.send('exit\r');
  await second.expect('exit\r\n');
  await second.expect('code=0');
  first.send('\r~.');
  t.equal(await first.ended, 0);
});

void t.test('the password is asked for first', SKIP, async (t) => {
  const { home, env } = await serve(t);
  const one = new Terminal(home, 'argo --account steve console lj; echo code=$?', { ARGO_SERVER: env.ARGO_SERVER });
  t.teardown(() => one.close());
  await one.expect('password of steve at ');
  one.send('steve\r');
  await one.expect('lj$ ');
  one.send('hello\r');
  await one.expect('hello\r\nhello\r\n');
  one.send(CTRL_BRACKET);
  await one.expect('code=0');
  t.notMatch(one.screen, /password of steve.*steve\r\n/);
});

void t.test('another size of the window is told', SKIP, async (t) => {
  const { terminal } = await serve(t);
  const one = terminal(withPid('console lj'));
  const pid = await pidIn(one);
  await one.expect('lj$ ');
  execFileSync('stty', ['-F', readlinkSync(`/proc/${pid}/fd/0`), 'cols', '123', 'rows', '45']);
  await until(async () => {
    one.send('size\r');
    await one.expect('lj$ ');
    return one.screen.includes('123 x 45');
  }, WITHIN_MS, 'the new size');
  one.send(CTRL_BRACKET);
  t.equal(await one.ended, 0);
});

void t.test('a signal leaves the terminal as it was', SKIP, async (t) => {
  const { terminal, audit } = await serve(t);
  for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130], ['SIGHUP', 129]] as const) {
    const ended = audit.ended.length;
    const one = terminal(`before=$(stty -g); ${withPid('console lj')}; echo "code=$?"; [ "$before" = "$(stty -g)" ] && echo as-before`);
    const pid = await pidIn(one);
    await one.expect('lj$ ');
    process.kill(pid, signal);
    await one.expect(`code=${code}`);
    await one.expect('as-before');
    await until(() => audit.ended.length === ended + 1, WITHIN_MS, 'the end of the console');
  }
  t.end();
});

void t.test('what can not be opened, with the reason and a code', SKIP, async (t) => {
  const { terminal, env, home } = await serve(t);
  for (const [args, said, code] of [
    ['console test', 'argo: WRONG STATE: test is off', 1], ['console nobody', 'argo: NO SUCH INSTANCE: nobody', 1], ['shell lj', 'argo: NOT SUPPORTED: lj has no shell to log in to', 1],
    ['console', 'argo: USAGE: console NAME [--force]', 2], ['console lj dev', 'argo: USAGE', 2], ['console lj --json', '"phrase":"NOT SUPPORTED"', 1], ['--account looker console lj', 'argo: NOT ALLOWED', 3],
  ] as const) {
    const one = terminal(`before=$(stty -g); argo ${args}; echo "code=$?"; [ "$before" = "$(stty -g)" ] && echo as-before`);
    await one.expect(said);
    await one.expect(`code=${code}`);
    await one.expect('as-before');
  }
  t.match(await argo(home, [], { env, input: 'status lj\nconsole lj\nstatus lj\n' }), { code: 1, stdout: 'on\non\n', stderr: /^argo: NOT SUPPORTED: there are no keys for it in a script; use argo console lj\n$/ });
});

void t.test('from the prompt, and back to it', SKIP, async (t) => {
  const { terminal, env } = await serve(t);
  const one = terminal('argo');
  const prompt = `steve@${env.ARGO_SERVER}> `;
  await one.expect(prompt);
  one.send('console lj\r');
  await one.expect('lj$ ');
  one.send('hello\r');
  await one.expect('hello\r\nhello\r\n');
  one.send(CTRL_C);
  one.send('again\r');
  await one.expect('again\r\nagain\r\n');
  one.send(CTRL_BRACKET);
  await one.expect(prompt);
  one.send('status lj\r');
  await one.expect('on\r\n');
  await one.expect(prompt);
  one.send('console test\r');
  await one.expect('WRONG STATE');
  await one.expect(prompt);
  one.send('console lj\r');
  await one.expect('lj$ ');
  one.send('exit\r');
  await one.expect(prompt);
  one.send('\x1b[A');
  await one.expect('console lj');
  one.send(CTRL_C);
  await one.expect(prompt);
  one.send('\x04');
  t.equal(await one.ended, 0);
  t.notMatch(one.screen, /connection was gone/);
});

void t.test('a pipe: what it says goes in, what comes goes out', async (t) => {
  const { home, env, audit } = await serve(t);
  const ran = await argo(home, ['console', 'lj'], { env, input: 'hello\n~.\n~~ \x1dx\n' });
  t.match(ran, { code: 0, stderr: '' });
  t.match(ran.stdout, /lj\$ hello\r\nhello\r\nlj\$ ~\.\r\n~\.\r\nlj\$ ~~ $/, 'a tilde is one; Ctrl-] within a line ends it');
  await until(() => audit.ended.length === 1, WITHIN_MS, 'its end');
  t.match(await argo(home, ['console', 'lj'], { env, input: 'exit\nstop lj\nstop lj\nstop lj\n' }), { code: 0, stdout: /exit\r\n$/ });
  t.match(await argo(home, ['status', 'lj'], { env }), { stdout: 'on\n' }, 'what was meant for the machine is no command of ours');
  t.match(await argo(home, ['console', 'test'], { env, input: 'x\n' }), { code: 1, stdout: '', stderr: 'argo: WRONG STATE: test is off\n' });
  const script = join(home, 'input');
  writeFileSync(script, 'x'.repeat(1000).concat('\n').repeat(2000));
  const shell = async (command: string): Promise<string> => (await promisify(execFile)('sh', ['-c', command.replace('argo', `'${process.execPath}' '${ARGO}'`)], { env: cleanEnvironment(home, env) })).stdout;
  const much = Number(await shell(`argo console lj < '${script}' | wc -c`));
  t.ok(much > 4_000_000, `${much} bytes came back of what is said twice`);
  t.equal(await shell(`{ argo console lj < '${script}' ; echo "code=$?" > '${script}.code'; } | head -c 100 | wc -c`), '100\n');
  await until(() => existsSync(`${script}.code`) && readFileSync(`${script}.code`, 'utf8') === 'code=141\n', WITHIN_MS, 'that it ends with its reader');
});

void t.test('a connection that is lost, and a server that does not let go', SKIP, async (t) => {
  const home = makeHome(t);
  const lost = await double(t, (socket) => {
    socket.write(Buffer.concat([Buffer.from('200 OK\r\n'), TERMINAL_BEGINS, Buffer.from('prompt# ')]));
    setTimeout(() => socket.resetAndDestroy(), 500);
  });
  const one = new Terminal(home, 'before=$(stty -g); argo console lj; echo "code=$?"; [ "$before" = "$(stty -g)" ] && echo as-before', { ARGO_SERVER: lost.address });
  t.teardown(() => one.close());
  await one.expect('prompt# ');
  await one.expect(`\r\nargo: UNREACHABLE: the connection to ${lost.address} was lost\r\n`);
  await one.expect('code=1\r\nas-before');
  t.same(lost.lines, ['console lj\r']);

  let said: Buffer = Buffer.alloc(0);
  const deaf = await double(t, (socket, heard) => {
    socket.write(Buffer.concat([Buffer.from('200 OK\r\n'), TERMINAL_BEGINS, Buffer.from('prompt# ')]));
    socket.on('close', () => { said = heard(); });
  });
  const two = new Terminal(home, 'argo console lj; echo "code=$?"', { ARGO_SERVER: deaf.address });
  t.teardown(() => two.close());
  await two.expect('prompt# ');
  two.send(`ab\r${CTRL_BRACKET}stop everything\r`);
  await two.expect('has not said that the console is closed');
  await two.expect('code=1');
  await until(() => said.length > 0, WITHIN_MS, 'its end');
  t.match(said.toString('latin1'), /ab\r\0\x1d$/, 'nothing is sent behind the escape');

  const wrong = await double(t, (socket) => void socket.end('200 OK\r\n'));
  t.match(await argo(home, ['console', 'lj'], { env: { ARGO_SERVER: wrong.address } }), { code: 1, stderr: /^argo: UNREACHABLE/ });
  const other = await double(t, (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  t.match(await argo(home, ['console', 'lj'], { env: { ARGO_SERVER: other.address } }), { code: 1, stderr: /^argo: FAILED: .*does not speak the line protocol/ });
});

void t.test('over TLS', { skip: lacks('openssl', 'script') }, async (t) => {
  const home = makeHome(t);
  const [key, cert] = [join(home, 'key.pem'), join(home, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=argo test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const core = await startCore(t, { config: SEED_CONFIG.replace('listen = ["127.0.0.1:0"]', `listen = []\ntls-listen = ["127.0.0.1:0"]\ntls-cert = "${cert}"\ntls-key = "${key}"`) });
  const { port } = await core.listen();
  const one = new Terminal(home, 'argo console lj; echo code=$?', { ARGO_CA_FILE: cert, ARGO_SERVER: `127.0.0.1:${port}`, ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: 'steve' });
  t.teardown(() => one.close());
  await one.expect('lj$ ');
  one.send('hello\r');
  await one.expect('hello\r\nhello\r\n');
  one.send('\r~.');
  await one.expect('code=0');
  t.notMatch(readFileSync(cert, 'utf8'), /PRIVATE/);
});

void t.test('the bytes between the lines', (t) => {
  const whole = Buffer.concat([Buffer.from('200 OK\r\n'), TERMINAL_BEGINS, Buffer.from([0x61, 0xff, 0xff, 0x62, 0xff, 0xf1, 0x63]), TERMINAL_ENDS, Buffer.from('\r\n400 TIMEOUT: nothing\r\n')]);
  for (const size of [1, 2, 3, 7, whole.length]) {
    const reader = new ConsoleReader();
    const news = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) => reader.push(whole.subarray(at * size, (at + 1) * size)));
    t.equal(Buffer.concat(news.map(({ output }) => output)).toString('latin1'), 'a\xffbc', `in pieces of ${size}`);
    t.equal(news.filter(({ isBegun }) => isBegun).length, 1);
    t.match(news.at(-1)?.end, { kind: 'error', phrase: 'TIMEOUT' });
  }
  const refused = new ConsoleReader().push(Buffer.from('200 OK\r\n400 WRONG STATE: x is off\r\n'));
  t.match(refused, { isBegun: false, end: { kind: 'error', phrase: 'WRONG STATE', detail: 'x is off' } });
  t.same([...sizeMessage(255, 40)], [255, 250, 31, 0, 255, 255, 0, 40, 255, 240]);
  t.equal(escapeCr(Buffer.from('a\rb\r\n')).toString(), 'a\r\0b\r\0\n');
  const literally = new Literally();
  t.equal(['~', '~\n~', 'x\x1d~\r\x1d'].map((part) => literally.of(Buffer.from(part)).toString('latin1')).join('|'), '~~|~\n~~|x\x1d~\r~\x1d');
  t.end();
});
