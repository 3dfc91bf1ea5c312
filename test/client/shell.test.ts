import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { makeHome, Terminal } from './support/argo.js';
import { body, LineServer, OK } from './support/line-server.js';

const SKIP = { skip: lacks('script') };
const [CTRL_C, CTRL_D, TAB, UP] = ['\u0003', '\u0004', '\t', '\u001b[A'];

const answers = () => ({
  'auth steve hush-hush': OK,
  'auth steve "p w"': OK,
  auth: '400 NOT AUTHENTICATED\n',
  help: body('list', 'start NAME...', 'status NAME...', 'stop NAME...'),
  list: body('lj', 'builder', 'my vm', 'web1', 'web2'),
  status: body('on'),
  hang: '200 OK\n',
  die: (socket: { destroy(): unknown }) => { socket.destroy(); },
  bell: body('a\u001b[2Jb'),
  stop: (socket: { write(text: string): unknown }) => {
    socket.write('200 OK\n');
    setTimeout(() => socket.write('web1: done\n'), 200);
    setTimeout(() => socket.write('web2: TIMEOUT\n400 FAILED: 1 of 2\n'), 400);
  },
});

async function open(t: Test, command = 'argo', env: Record<string, string> = {}): Promise<{ server: LineServer; terminal: Terminal; home: string; prompt: string }> {
  const home = makeHome(t);
  const server = await LineServer.start(answers());
  const terminal = new Terminal(home, command, { ARGO_SERVER: server.address, ...env });
  t.teardown(async () => {
    terminal.close();
    await server.stop();
  });
  return { server, terminal, home, prompt: `${server.address}> ` };
}

void t.test('commands, history and completion', SKIP, async (t) => {
  const { server, terminal, home, prompt } = await open(t);
  const history = join(home, '.local', 'state', 'argo', 'history');
  await terminal.expect('`help` lists the commands, Ctrl-D leaves');
  await terminal.expect(prompt);
  terminal.send('list\r');
  await terminal.expect('builder\r\n');
  await terminal.expect(prompt);
  terminal.send('stat');
  terminal.send(TAB);
  await terminal.expect('us ');
  terminal.send('m');
  terminal.send(TAB);
  await terminal.expect('"my vm"');
  terminal.send('\r');
  await terminal.expect('on\r\n');
  await terminal.expect(prompt);
  terminal.send('frobnicate\r');
  await terminal.expect('argo: UNKNOWN COMMAND: help lists the commands');
  await terminal.expect(prompt);
  terminal.send('status "open\r');
  await terminal.expect('argo: BAD REQUEST: an open quote');
  await terminal.expect(prompt);
  terminal.send('bell\r');
  await terminal.expect('a?[2Jb');
  await terminal.expect(prompt);
  terminal.send(UP);
  await terminal.expect('bell');
  terminal.send(CTRL_C);
  await terminal.expect('^C');
  await terminal.expect(prompt);
  terminal.send(CTRL_D);
  t.equal(await terminal.ended, 0);
  t.same(server.received.filter((line) => !/^(help|help --json|list)$/.test(line)), ['status "my vm"', 'frobnicate', 'bell'], 'what Ctrl-C took back was not sent');
  t.equal(readFileSync(history, 'utf8'), 'list\nstatus "my vm"\nfrobnicate\nstatus "open\nbell\n');
  t.equal(statSync(history).mode & 0o777, 0o600);

  const again = new Terminal(home, 'argo', { ARGO_SERVER: server.address });
  t.teardown(() => again.close());
  await again.expect(prompt);
  again.send(UP);
  await again.expect('bell');
  again.send(CTRL_C);
  await again.expect(prompt);
  again.send('exit\r');
  t.equal(await again.ended, 0);
});

void t.test('passwords are neither shown nor kept', SKIP, async (t) => {
  const { server, terminal, home, prompt } = await open(t);
  await terminal.expect(prompt);
  terminal.send('auth steve\r');
  await terminal.expect('password of steve: ');
  terminal.send('p w\r');
  await terminal.expect(`steve@${prompt}`);
  terminal.send('auth steve hush-hush\r');
  await terminal.expect(`steve@${prompt}`);
  terminal.send(UP);
  terminal.send('\r');
  await terminal.expect(prompt);
  terminal.send('auth steve\r');
  await terminal.expect('password of steve: ');
  terminal.send(CTRL_C);
  await terminal.expect(prompt);
  terminal.send('status lj\r');
  await terminal.expect('on\r\n');
  terminal.send('exit\r');
  t.equal(await terminal.ended, 0);
  t.same(server.received, ['auth steve "p w"', 'auth steve hush-hush', 'status lj']);
  t.notMatch(terminal.screen, /p w/);
  t.equal(readFileSync(join(home, '.local', 'state', 'argo', 'history'), 'utf8'), 'status lj\n');
});

void t.test('the account\'s password is asked for at the start', SKIP, async (t) => {
  const { terminal, prompt } = await open(t, 'argo --account steve');
  await terminal.expect('password of steve at ');
  terminal.send('hush-hush\r');
  await terminal.expect(`steve@${prompt}`);
  terminal.send('status lj\r');
  await terminal.expect('on\r\n');
  terminal.send(CTRL_D);
  t.equal(await terminal.ended, 0);
  t.notMatch(terminal.screen, /hush-hush/);

  const wrong = await open(t, 'argo --account steve');
  await wrong.terminal.expect('password of steve at ');
  wrong.terminal.send('no\r');
  await wrong.terminal.expect('argo: NOT AUTHENTICATED');
  t.equal(await wrong.terminal.ended, 3);

  const givenUp = await open(t, 'argo --account steve list');
  await givenUp.terminal.expect('password of steve at ');
  givenUp.terminal.send(CTRL_C);
  t.equal(await givenUp.terminal.ended, 130);
});

void t.test('Ctrl-C leaves a command to itself, and a lost connection is made again', SKIP, async (t) => {
  const { server, terminal, prompt } = await open(t);
  await terminal.expect(prompt);
  terminal.send('hang lj\r');
  await until(() => server.received.includes('hang lj'), 10_000, 'the command at the server');
  terminal.send(CTRL_C);
  await terminal.expect('argo: detached; what was asked for goes on at the server');
  await terminal.expect(prompt);
  terminal.send('status lj\r');
  await terminal.expect('on\r\n');
  await terminal.expect(prompt);
  terminal.send('die\r');
  await terminal.expect('argo: UNCERTAIN: the connection to ');
  await terminal.expect(prompt);
  for (const socket of server.sockets) socket.destroy();
  terminal.send('status lj\r');
  await terminal.expect('again\r\n');
  await terminal.expect('on\r\n');
  await server.stop();
  await terminal.expect(prompt);
  terminal.send('status lj\r');
  await terminal.expect('argo: UNREACHABLE: nothing listens at ');
  await terminal.expect(prompt);
  terminal.send(CTRL_D);
  t.equal(await terminal.ended, 0);
  t.equal(server.received.filter((line) => line === 'die').length, 1, 'nothing is sent twice');
});

void t.test('no server', SKIP, async (t) => {
  const terminal = new Terminal(makeHome(t), 'argo', { ARGO_SERVER: '127.0.0.1:1' });
  await terminal.expect('argo: UNREACHABLE');
  t.equal(await terminal.ended, 1);
});

void t.test('a status line while many targets are worked on', SKIP, async (t) => {
  const { terminal, server } = await open(t, 'argo stop "web[1-2]"');
  await terminal.expect('0 of 2 ended');
  await terminal.expect('\r\u001b[Kweb1: done\r\n');
  await terminal.expect('1 of 2 ended');
  await terminal.expect('\r\u001b[Kweb2: TIMEOUT\r\n');
  await terminal.expect('argo: FAILED: 1 of 2');
  t.equal(await terminal.ended, 4);
  t.same(server.received, ['help stop --json', 'list', 'stop web[1-2]']);

  const group = await open(t, 'argo stop @web');
  await group.terminal.expect('1 ended');
  t.equal(await group.terminal.ended, 4);

  const piped = await open(t, 'argo stop "web[1-2]" | cat');
  await piped.terminal.expect('argo: FAILED');
  await piped.terminal.ended;
  t.notMatch(piped.terminal.screen, /ended/);
});

void t.test('Ctrl-C ends a single command', SKIP, async (t) => {
  const { terminal, server } = await open(t, 'argo hang lj');
  await until(() => server.received.includes('hang lj'), 10_000, 'the command at the server');
  terminal.send(CTRL_C);
  await terminal.expect('argo: interrupted; what was already sent goes on at the server');
  t.equal(await terminal.ended, 130);
});
