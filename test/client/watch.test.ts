import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readWatchWords } from '../../src/client/watch.js';
import { parseEvent } from '../../src/client/watch-event.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { argo, cleanEnvironment, makeHome } from './support/argo.js';
import { LineServer, OK, type Answer } from './support/line-server.js';

const WITHIN = 30_000;
const at = (number: number, rest: string): string => `aaaaaa-${number} 2026-01-31T00:00:00.000Z ${rest}\n`;

await t.test('a line is taken apart', async (t) => {
  for (const [rest, type, facts] of [
    ['state lab/web1 off on', 'state', { instance: 'lab/web1', now: 'off', before: 'on' }],
    ['is "lab/my \\"vm\\" a\\\\b" on', 'is', { instance: 'lab/my "vm" a\\b', now: 'on' }],
    ['added lab/a=b on', 'added', { instance: 'lab/a=b', now: 'on' }],
    ['action lab/web1 stop "TIMEOUT: no answer" account=kim audit=812 options="--force --wait" ms=2901', 'action',
      { instance: 'lab/web1', command: 'stop', outcome: 'TIMEOUT: no answer', account: 'kim', audit: 812, options: '--force --wait', ms: 2901 }],
    ['provider kvm1 silent reason="UNREACHABLE: no=way"', 'provider', { provider: 'kvm1', now: 'silent', reason: 'UNREACHABLE: no=way' }],
    ['server reloaded', 'server', { now: 'reloaded' }],
    ['plan power-cut failed run=1a2b3c4d stage="db stage" reason="2 of 3"', 'plan', { plan: 'power-cut', outcome: 'failed', run: '1a2b3c4d', stage: 'db stage', reason: '2 of 3' }],
    ['synced', 'synced', {}],
    ['new-type one key=value', 'new-type', { key: 'value' }],
  ] as const) t.same(parseEvent(at(1, rest).trimEnd()), { cursor: 'aaaaaa-1', time: '2026-01-31T00:00:00.000Z', type, facts }, rest);
  for (const line of ['', 'x', 'x y', '"']) t.equal(parseEvent(line), undefined, line);
});

await t.test('words of its own and those of the server', async (t) => {
  t.same(readWatchWords(['web*', '--types=state', '--state', '--since', 'a-1', '--exec=echo x', 'db']),
    { words: ['web*', '--types=state', 'db'], state: true, since: 'a-1', exec: 'echo x' });
  t.same(readWatchWords([]), { words: [], state: false, since: undefined, exec: undefined });
  for (const words of [['--exec'], ['--exec='], ['--since']]) t.throws(() => readWatchWords(words), { message: /needs a value/ });
});

/** A server that answers each `watch` in its turn. */
async function serve(t: Test, answers: readonly Answer[]): Promise<{ server: LineServer; asked: () => string[] }> {
  const left = [...answers];
  const server = await LineServer.start({
    auth: OK,
    watch: (socket: Socket, line: string) => {
      const answer = left.shift() ?? '400 NOT ALLOWED\n';
      if (typeof answer === 'string') socket.write(answer);
      else answer(socket, line);
    },
  });
  t.teardown(() => server.stop());
  return { server, asked: () => server.received.filter((line) => line.startsWith('watch')) };
}

const thenLost = (text: string) => (socket: Socket): void => {
  socket.write(text, () => socket.destroy());
};

await t.test('it goes on where it was when the connection is lost, and lists anew where that cannot be', async (t) => {
  const home = makeHome(t);
  const { server, asked } = await serve(t, [
    thenLost(`200 OK\n${at(1, 'state lab/a off on')}${at(2, 'idle')}`),
    '400 SHUTTING DOWN\n',
    `200 OK\n${at(3, 'state lab/a on off')}400 CURSOR EXPIRED: list, then watch again\n`,
    `200 OK\n${at(9, 'is lab/a on')}${at(9, 'synced')}400 SHUTTING DOWN\n400 SHUTTING DOWN\n`,
    `200 OK\n${at(10, 'removed lab/a on')}400 NOT ALLOWED\n`,
  ]);
  const run = await argo(home, ['watch', 'lab/*'], { env: { ARGO_SERVER: server.address } });
  t.equal(run.code, 3);
  t.equal(run.stdout, [at(1, 'state lab/a off on'), at(3, 'state lab/a on off'), at(9, 'is lab/a on'), at(9, 'synced'), at(10, 'removed lab/a on')].join(''));
  t.same(asked(), ['watch lab/*', 'watch --since=aaaaaa-2 lab/*', 'watch --since=aaaaaa-2 lab/*', 'watch --state lab/*', 'watch --since=aaaaaa-9 lab/*']);
  t.match(run.stderr, /argo: the connection is lost; trying again\n[^]*some events were missed; these are the states now\n[^]*argo: NOT ALLOWED\n$/);
});

await t.test('states that were cut off are asked for again', async (t) => {
  const { server, asked } = await serve(t, [thenLost(`200 OK\n${at(1, 'is lab/a on')}`)]);
  t.equal((await argo(makeHome(t), ['watch', '--state'], { env: { ARGO_SERVER: server.address } })).code, 3);
  t.same(asked(), ['watch --state', 'watch --state']);
});

await t.test('what is wrong at the beginning ends it', async (t) => {
  const { server } = await serve(t, ['400 NO SUCH INSTANCE: x\n', '400 USAGE: watch [NAME...]\n']);
  const run = (...args: string[]) => argo(makeHome(t), ['watch', ...args], { env: { ARGO_SERVER: server.address } });
  t.same(await run('x'), { code: 1, stdout: '', stderr: 'argo: NO SUCH INSTANCE: x\n' });
  t.same(await run('--types=x'), { code: 2, stdout: '', stderr: 'argo: USAGE: watch [NAME...]\n' });
  t.match(await run('--exec'), { code: 2, stderr: /--exec needs a value/ });
  t.match(await argo(makeHome(t), ['watch'], { env: { ARGO_SERVER: '127.0.0.1:1' } }), { code: 1, stderr: /UNREACHABLE: nothing listens/ });
});

await t.test('--json: a document a line', async (t) => {
  const { server } = await serve(t, [`200 OK\n${at(1, 'action lab/a stop done audit=7 ms=3')}${at(2, 'idle')}400 NOT ALLOWED\n`]);
  const { stdout } = await argo(makeHome(t), ['watch', '--json'], { env: { ARGO_SERVER: server.address } });
  t.same(stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown),
    [{ cursor: 'aaaaaa-1', time: '2026-01-31T00:00:00.000Z', type: 'action', instance: 'lab/a', command: 'stop', outcome: 'done', audit: 7, ms: 3 }]);
});

await t.test('--exec: a command for each event, one after the other', async (t) => {
  const home = makeHome(t);
  const file = join(home, 'told');
  const hostile = '$(touch oops)';
  const { server } = await serve(t, [`200 OK\n${at(1, `state "lab/${hostile}" off on`)}${at(2, 'idle')}${at(3, 'server reloaded')}400 NOT ALLOWED\n`]);
  const command = `[ "$ARGO_EVENT_TYPE" = server ] && exit 7; sleep 0.2; echo "$ARGO_EVENT_TYPE $ARGO_EVENT_INSTANCE $ARGO_EVENT_NOW $ARGO_EVENT_CURSOR" >> '${file}'; echo shown`;
  const run = await argo(home, ['watch', '--exec', command], { env: { ARGO_SERVER: server.address } });
  t.equal(readFileSync(file, 'utf8'), `state lab/${hostile} off aaaaaa-1\n`);
  t.equal(run.stdout, 'shown\n');
  t.match(run.stderr, /the command for server at aaaaaa-3: exit code 7\n/);
});

await t.test('Ctrl-C ends it at once, also while it waits for the server', async (t) => {
  const first = await serve(t, [`200 OK\n${at(1, 'server reloaded')}`]);
  t.match(await argo(makeHome(t), ['watch'], { env: { ARGO_SERVER: first.server.address }, interruptAfter: 'reloaded' }), { code: 130, stderr: '' });
  const { server, asked } = await serve(t, [thenLost(`200 OK\n${at(1, 'server reloaded')}`), ...Array.from({ length: 50 }, () => '400 SHUTTING DOWN\n')]);
  const child = spawn(process.execPath, [fromRoot('bin', 'argo.js'), 'watch'], { env: cleanEnvironment(makeHome(t), { ARGO_SERVER: server.address }), stdio: 'ignore' });
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  t.teardown(() => child.kill('SIGKILL'));
  await until(() => asked().length >= 2, WITHIN, 'a second attempt');
  child.kill('SIGINT');
  t.equal(await ended, 130);
});
