import { Writable } from 'node:stream';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Output } from '../../src/client/output.js';
import { parsePlanLine } from '../../src/client/plan-lines.js';
import { PlanTable } from '../../src/client/plan-table.js';
import { lacks } from '../support/peers.js';
import { argo, makeHome, Terminal } from './support/argo.js';
import { body, LineServer, OK, type Answer } from './support/line-server.js';

const run = (state: string, rest = ''): string => `run 1a2b3c4d power-cut ${state} began=2026-11-28T06:00:00.000Z${rest}`;
const RUNNING = run('running', ' stages=0/2 targets=1/3 cause=kim');
const ENDED = run('failed', ' ended=2026-11-28T06:01:12.000Z stages=2/2 targets=3/3 failed=1 cause=kim');
const BEGINNING = [RUNNING, 'stage workers running 1/2', 'stage db waiting 0/1 after=workers', 'target workers lab/web1 stop done'];
const REST = ['stage workers done 2/2 failed=1', 'target workers "lab/my vm" stop failed "TIMEOUT: still on"', 'stage db done 1/1', ENDED];
const lines = (...texts: string[]): string => texts.map((text) => `${text}\n`).join('');

await t.test('lines are taken apart', async (t) => {
  t.same(parsePlanLine(run('asking', ' deadline=D stages=1/2 targets=1/30 failed=4 cause="trigger ups: low" reason="cut \\"off\\"" new=x')), {
    type: 'run', run: '1a2b3c4d', plan: 'power-cut', state: 'asking', stages: { ended: 1, all: 2, failed: 0 }, targets: { ended: 1, all: 30, failed: 4 },
    facts: { began: '2026-11-28T06:00:00.000Z', deadline: 'D', cause: 'trigger ups: low', reason: 'cut "off"', new: 'x' },
  });
  t.same(parsePlanLine('stage "a b" waiting 0/0 after=x,y reason="so it is"'),
    { type: 'stage', stage: 'a b', state: 'waiting', targets: { ended: 0, all: 0, failed: 0 }, after: ['x', 'y'], reason: 'so it is' });
  t.same(parsePlanLine('target db "lab/my vm" stop failed "TIMEOUT: x"'), { type: 'target', stage: 'db', instance: 'lab/my vm', action: 'stop', state: 'failed', detail: 'TIMEOUT: x' });
  t.same([parsePlanLine(''), parsePlanLine('other x')], [undefined, undefined]);
});

/** What a terminal of some size shows after what was written to it: cursor up, erasing, clearing. */
class Screen extends Writable {
  readonly isTTY = true;
  shown: string[] = [''];
  written = '';
  #row = 0;

  constructor(public columns: number, public rows: number) {
    super();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += String(chunk);
    for (const [token, , count, letter] of String(chunk).matchAll(/\u001b\[(\??)(\d*)([A-Za-z])|\r|\n|[^\u001b\r\n]+/g)) {
      if (token === '\n') this.#row += 1;
      else if (letter === 'A') this.#row -= Number(count);
      else if (letter === 'K') this.shown[this.#row] = (this.shown[this.#row] ?? '').slice(0, this.#column);
      else if (letter === 'J' && count === '2') this.shown = [];
      else if (letter === 'J') this.shown.length = this.#row;
      else if (letter === 'H') this.#row = 0;
      else if (letter === undefined && token !== '\r') this.shown[this.#row] = token;
    }
    done();
  }

  get #column(): number {
    return this.shown[this.#row]?.length ?? 0;
  }
}

const table = (screen: Screen): PlanTable => new PlanTable(new Output(screen), false);
const take = (on: PlanTable, ...texts: string[]): void => texts.forEach((text) => on.take(parsePlanLine(text)!));

await t.test('the table is drawn in place, and failures stay above it', async (t) => {
  const screen = new Screen(100, 24);
  const shown = table(screen);
  take(shown, ...BEGINNING);
  await shown.draw(true);
  t.match(screen.shown, [
    /^power-cut 1a2b3c4d running {2}1\/3 {2}[\d:]+$/, /^workers \[#{9}-{9}\] +1\/2 {2}running$/, /^db {6}\[-{18}\] +0\/1 {2}waiting {2}waits for workers$/,
  ]);
  take(shown, ...REST);
  await shown.end();
  t.same(screen.shown.filter(Boolean), [
    'lab/my vm: TIMEOUT: still on', 'power-cut 1a2b3c4d failed  3/3, 1 failed  01:12', 'workers [##################]       2/2  1 failed  done', 'db      [##################]       1/1  done',
  ]);
  t.match(screen.written, /\u001b\[\?25h$/, 'the cursor is given back');
});

await t.test('never beyond the height and width that there is', async (t) => {
  const screen = new Screen(40, 8);
  const shown = table(screen);
  take(shown, RUNNING, ...Array.from({ length: 50 }, (_, at) => `stage stage${at} ${at < 20 ? 'done' : at === 20 ? 'running' : 'waiting'} 1/1 after=${'x'.repeat(80)}`));
  await shown.draw(true);
  t.ok(screen.shown.length <= 7, `${screen.shown.length} rows`);
  t.ok(screen.shown.every((line) => line.length < 40), screen.shown.join('\n'));
  t.match(screen.shown.join('\n'), /stage20 .*running/, 'what is at work is shown');
  t.match(screen.shown.at(-1), /^and 45 more: 20 done, 25 waiting$/);
  screen.columns = 30;
  screen.emit('resize');
  await shown.end();
  t.ok(screen.shown.every((line) => line.length < 30), screen.shown.join('\n'));
  take(shown, 'target stage1 \u001b[2Jevil stop failed x');
  t.notMatch(screen.written.replace('\u001b[H\u001b[2J', ''), '\u001b[2J', 'what a machine says steers nothing');
});

/** A server that answers each `plan …` in its turn. */
async function serve(t: Test, ...answers: readonly Answer[]): Promise<LineServer> {
  const left = [...answers];
  const server = await LineServer.start({
    auth: OK, help: body(),
    plan: (socket: Socket, line: string) => {
      const answer = left.shift() ?? '400 NO SUCH RUN: 1a2b3c4d\n';
      if (typeof answer === 'string') socket.write(answer);
      else answer(socket, line);
    },
  });
  t.teardown(() => server.stop());
  return server;
}

await t.test('without a terminal: lines as they come, and an exit code', async (t) => {
  for (const [end, code, told] of [
    ['400 FAILED: 1 of 3\n', 4, 'argo: FAILED: 1 of 3\n'], ['300 DONE\n', 0, ''], ['400 FAILED: power is back\n', 1, 'argo: FAILED: power is back\n'], ['400 FAILED: 3 of 3\n', 1, 'argo: FAILED: 3 of 3\n'],
  ] as const) {
    const server = await serve(t, `200 OK\n${lines(...BEGINNING, ...REST)}${end}`);
    const ended = await argo(makeHome(t), ['plan', 'run', 'power-cut', '--follow'], { env: { ARGO_SERVER: server.address } });
    t.same([ended.code, ended.stdout, ended.stderr], [code, lines(...BEGINNING, ...REST), told], end);
  }
  const refused = await argo(makeHome(t), ['plan', 'run', 'x', '--follow'], { env: { ARGO_SERVER: (await serve(t, '400 NOT ALLOWED\n')).address } });
  t.same([refused.code, refused.stderr], [3, 'argo: NOT ALLOWED\n']);
});

await t.test('--json: a document a line', async (t) => {
  const server = await serve(t, `200 OK\n${lines(RUNNING, 'stage db waiting 0/1 after=workers', 'target db lab/db stop sent', 'news')}${lines(ENDED)}400 FAILED: 1 of 3\n`);
  const { code, stdout, stderr } = await argo(makeHome(t), ['plan', 'status', '1a2b3c4d', '--follow', '--json'], { env: { ARGO_SERVER: server.address } });
  t.same([code, stderr], [4, '']);
  t.match(stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown), [
    { type: 'run', run: '1a2b3c4d', plan: 'power-cut', state: 'running', cause: 'kim', targets: { ended: 1, all: 3, failed: 0 } },
    { type: 'stage', stage: 'db', state: 'waiting', after: ['workers'] }, { type: 'target', stage: 'db', instance: 'lab/db', action: 'stop', state: 'sent' },
    { line: 'news' }, { type: 'run', state: 'failed' }, { type: 'end', ok: false, error: { phrase: 'FAILED', detail: '1 of 3' } },
  ]);
});

await t.test('a lost connection is looked for again, and nothing begun twice', async (t) => {
  const server = await serve(t,
    (socket) => { socket.write(`200 OK\n${lines(...BEGINNING)}`, () => socket.destroy()); },
    '400 SHUTTING DOWN\n',
    `200 OK\n${lines(RUNNING)}300 DONE\n`,
    `200 OK\n${lines(...REST)}400 FAILED: 1 of 3\n`);
  const ended = await argo(makeHome(t), ['plan', 'run', 'power-cut', '--follow'], { env: { ARGO_SERVER: server.address } });
  t.equal(ended.code, 4);
  t.same(server.received.filter((line) => line.startsWith('plan')), ['plan run power-cut --follow', ...Array.from({ length: 3 }, () => 'plan status 1a2b3c4d --follow')]);
  const lost = await serve(t, (socket) => socket.destroy());
  const unknown = await argo(makeHome(t), ['plan', 'run', 'power-cut', '--follow'], { env: { ARGO_SERVER: lost.address } });
  t.match(unknown.stderr, /^argo: UNCERTAIN: /, 'where nobody knows whether it was begun, it is not begun again');
  t.same(lost.received, ['plan run power-cut --follow']);
});

void t.test('on a terminal: a table, and Ctrl-C leaves the run alone', { skip: lacks('script') }, async (t) => {
  const sockets: Socket[] = [];
  const server = await serve(t, (socket) => {
    sockets.push(socket);
    socket.write(`200 OK\n${lines(...BEGINNING)}`);
  });
  const terminal = new Terminal(makeHome(t), 'stty cols 90 rows 12; argo plan run power-cut --follow', { ARGO_SERVER: server.address, NO_COLOR: '1' });
  t.teardown(() => terminal.close());
  await terminal.expect('waits for workers');
  sockets[0]!.write(lines(...REST.slice(0, 2)));
  await terminal.expect('lab/my vm: TIMEOUT: still on');
  t.notMatch(terminal.screen, /target workers/);
  t.notMatch(terminal.screen, /\u001b\[\d+m/, 'no colors');
  terminal.send('\u0003');
  await terminal.expect('\u001b[?25h');
  await terminal.expect('argo: the run 1a2b3c4d goes on; `argo plan status 1a2b3c4d --follow` shows it');
  t.equal(await terminal.ended, 130);
  t.same(server.received.filter((line) => line !== ''), ['plan run power-cut --follow']);
});
