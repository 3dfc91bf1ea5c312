import { spawn } from 'node:child_process';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { HISTORY_APPEND_SIZE, HISTORY_AWAY, HISTORY_PAGE, HISTORY_REMOVED } from '../../src/kit/limits.js';
import type { History, HistoryBounds } from '../../src/store/history.js';
import { openSqlite } from '../../src/store/sqlite.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { open, scratch } from './state-folder.js';

const WITHIN = 30_000;
const ALL = 10_000_000;
/** Everything stays. */
const LONG: HistoryBounds = { age: 3_600_000, values: ALL, keep: 3_600_000, keepValues: ALL };

const rows = (count: number, from = 0): string => JSON.stringify(Array.from({ length: count }, (_, index) => ({ itemid: '7', value: `v${from + index}` })));

/** All that is kept behind a number. */
async function read(history: History, after = 0): Promise<{ id: number; value: string }[]> {
  const { text } = await history.page(after, HISTORY_PAGE, ALL);
  return JSON.parse(`[${text}]`) as { id: number; value: string }[];
}

await t.test('values have numbers that go on for ever, and are read in order', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const [history, other] = [state.history('a'), state.history('b')];
  t.equal(existsSync(join(folder, 'history.sqlite')), false, 'the file is opened when it is used');
  t.equal(await history.append(rows(3)), 3);
  t.equal(existsSync(join(folder, 'history.sqlite')), true);
  t.equal(await history.append(rows(2, 3)), 5);
  t.equal(await other.append(rows(1)), 1, 'each name has its own');
  t.same((await read(history)).map(({ id, value }) => [id, value]), [[1, 'v0'], [2, 'v1'], [3, 'v2'], [4, 'v3'], [5, 'v4']]);
  t.match(await history.page(3, 1, ALL), { count: 1, last: 4 });
  t.match(await history.page(0, 5, 1), { count: 1, last: 1 }, 'one at least, however small the size');
  // {"itemid":"7","value":"v0"}: 27 bytes
  t.match(await history.page(0, 5, 5 * 27), { count: 5, last: 5 });
  t.match(await history.page(0, 5, 5 * 27 - 1), { count: 3, last: 3 }, 'half of them, where all are too long');
  t.same(await history.page(5, 5, ALL), { text: '', count: 0, last: 5 });
  await t.rejects(history.append(`["${'x'.repeat(HISTORY_APPEND_SIZE)}"]`), { message: /^too large/ });
});

await t.test('text stays as it is', async (t) => {
  const history = open(t, scratch(t)).history('a');
  const values = ['', '"\\\n\t\u0000\u001f', 'ü✓\u{1f50c}', '\ud800', '[{"{#VM}":"a"}]', '1e400', '</script>'];
  await history.append(JSON.stringify(values.map((value) => ({ value }))));
  t.same((await read(history)).map(({ value }) => value), values);
});

await t.test('the session is as old as the file, and an epoch as the object', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const first = await state.history('a').open();
  t.match(first.session, /^[0-9a-f]{32}$/);
  t.not((await state.history('b').open()).session, first.session);
  await state.history('a').append(rows(1));
  await state.close();
  const again = open(t, folder).history('a');
  const second = await again.open();
  t.match(second, { session: first.session, last: 1 });
  t.ok(second.epoch > first.epoch);
  t.ok(await again.nextEpoch() > second.epoch);
});

await t.test('what was acknowledged stays for a while, and is sent again after a step back', async (t) => {
  const history = open(t, scratch(t)).history('a');
  await history.append(rows(10));
  await history.acknowledge(6);
  t.match(await history.trim(LONG), { acknowledged: 6, gone: 0, last: 10, dropped: 0 });
  t.match(await history.stepBack(), { acknowledged: 0, gone: 0 });
  await history.acknowledge(8);
  await history.acknowledge(5);
  t.match(await history.trim({ ...LONG, keepValues: 3 }), { acknowledged: 8, gone: 5, dropped: 0 }, 'by number');
  t.match(await history.trim({ ...LONG, keep: -1 }), { acknowledged: 8, gone: 8, dropped: 0 }, 'by time');
  t.match(await history.stepBack(), { acknowledged: 8 });
  t.same((await read(history, 0)).map(({ id }) => id), [9, 10]);
});

await t.test('what is dropped at a limit is counted, but not what had arrived', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const history = state.history('a');
  await history.append(rows(10));
  await history.acknowledge(4);
  await history.stepBack();
  t.match(await history.trim({ ...LONG, values: 3 }), { gone: 7, acknowledged: 7, dropped: 3 }, 'by number');
  t.match(await history.trim({ ...LONG, age: -1 }), { gone: 10, acknowledged: 10, last: 10, dropped: 3 }, 'by age');
  t.equal(await history.append(rows(1)), 11, 'numbers go on where all are gone');
  await history.trim({ ...LONG, age: -1 });
  await state.close();
  t.equal(await open(t, folder).history('a').append(rows(1)), 12, 'and over a restart');
});

await t.test('very many are removed in parts', async (t) => {
  const history = open(t, scratch(t)).history('a');
  for (let count = 0; count < HISTORY_REMOVED; count += 10_000) await history.append(rows(10_000));
  await history.append(rows(10));
  t.match(await history.trim({ ...LONG, values: 5 }), { gone: HISTORY_REMOVED });
  t.match(await history.trim({ ...LONG, values: 5 }), { gone: HISTORY_REMOVED + 5 });
});

await t.test('a clock that is set does not make values old', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const history = state.history('a');
  await history.append(rows(1));
  const real = Date.now;
  t.teardown(() => { Date.now = real; });
  Date.now = () => real() + 10 * 86_400_000;
  t.match(await history.trim(LONG), { gone: 0 }, 'ahead');
  await history.append(rows(1));
  await state.close();
  Date.now = () => real() - 10 * 86_400_000;
  const again = open(t, folder).history('a');
  await again.append(rows(1));
  t.match(await again.trim(LONG), { gone: 0, last: 3 }, 'back');
});

await t.test('neither does one that was ahead when a process started', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  await state.history('a').append(rows(2));
  await state.close();
  const real = Date.now;
  t.teardown(() => { Date.now = real; });
  Date.now = () => real() + 10 * 86_400_000;
  const ahead = open(t, folder);
  t.match(await ahead.history('a').trim({ ...LONG, age: 2 * HISTORY_AWAY }), { gone: 0 });
  t.match(await ahead.history('a').trim({ ...LONG, age: HISTORY_AWAY - 60_000 }), { gone: 2, dropped: 2 }, 'an hour of it may have been real');
});

await t.test('an older copy that is put in the place of the file gives no number again: another session begins', async (t) => {
  const folder = scratch(t);
  const [path, copy] = [join(folder, 'history.sqlite'), join(folder, 'copy')];
  const history = open(t, folder).history('a');
  await history.append(rows(3));
  const whole = await openSqlite(path, { readOnly: false, timeout: 0 });
  whole.exec(`VACUUM INTO '${copy}'`);
  whole.close();
  const { session } = await history.open();
  t.equal(await history.append(rows(2, 3)), 5);
  renameSync(copy, path);
  // also where others are asked for in the same batch, which then fails as a whole
  const [appended] = await Promise.allSettled([history.append(rows(1)), history.page(0, 5, ALL)]);
  t.match(appended, { status: 'rejected', reason: /another file is in its place/ });
  await until(async () => await history.append(rows(1, 5)).then(() => true, () => false), WITHIN, 'values to be kept again');
  t.not((await history.open()).session, session);
  t.same((await read(history)).map(({ id, value }) => [id, value]), [[1, 'v5']]);
});

await t.test('notes', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  t.equal(await state.history('a').note('k'), undefined);
  await state.history('a').setNote('k', 'one');
  await state.history('a').setNote('k', 'x'.repeat(5_000_000));
  await state.close();
  t.equal((await open(t, folder).history('a').note('k'))?.length, 5_000_000);
  t.equal(await open(t, folder).history('b').note('k'), undefined);
});

await t.test('what was answered is there after kill -9, and no number is given twice', async (t) => {
  const folder = scratch(t);
  const script = join(folder, 'writer.mjs');
  writeFileSync(script, `
    import { State } from ${JSON.stringify(fromRoot('dist/src/store/state.js'))};
    const history = new State(${JSON.stringify(folder)}, console.error).history('a');
    let count = Number(process.argv[2]) * 1_000_000;
    for (;;) {
      const from = count;
      count += 7;
      const last = await history.append(JSON.stringify(Array.from({ length: 7 }, (_, index) => ({ value: String(from + index) }))));
      process.stdout.write(last + ' ' + (count - 1) + '\\n');
      if (count % 5 === 0) await history.acknowledge(last);
    }`);
  const told = new Map<number, string>();
  for (let round = 0; round < 3; round += 1) {
    const child = spawn(process.execPath, [script, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; });
    const closed = new Promise((resolve) => { child.once('close', resolve); });
    await until(() => said.split('\n').length > 100, WITHIN, 'some writes');
    child.kill('SIGKILL');
    await closed;
    for (const [last, value] of said.split('\n').slice(0, -1).map((line) => line.split(' '))) {
      t.notOk(told.has(Number(last)), 'no number twice');
      told.set(Number(last), value!);
    }
  }
  const kept = new Map((await read(open(t, folder).history('a'))).map(({ id, value }) => [id, value]));
  t.same([...told].filter(([id, value]) => kept.get(id) !== value), [], 'all that was answered');
});

await t.test('a file that cannot be written is told of, and used again when it can', async (t) => {
  const folder = join(scratch(t), 'state');
  writeFileSync(folder, '');
  const history = open(t, folder).history('a');
  await t.rejects(history.append(rows(1)), { name: 'StateError', message: /^unavailable: / });
  rmSync(folder);
  t.equal(await history.append(rows(1)), 1);
});
