import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SLICE } from '../../../src/kit/limits.js';
import { ZABBIX_MESSAGE_VALUES, ZABBIX_TAIL_VALUES } from '../../../src/kit/zabbix-gateway-limits.js';
import type { Shipment } from '../../../src/gateways/zabbix/speaking/sender.js';
import type { HistoryRow } from '../../../src/protocols/zabbix/messages.js';
import { openSqlite } from '../../../src/store/sqlite.js';
import { half, scratch, SUCCESS, value } from './speaking.js';

const rowsOf = ({ parts: { history = [] } }: Shipment): HistoryRow[] => JSON.parse(`[${history.join(',')}]`) as HistoryRow[];
const ids = (shipment: Shipment): number[] => rowsOf(shipment).map(({ id }) => id);

await t.test('values go in order, with times of their own', async (t) => {
  const { values, sender, counts } = half(t);
  await values.values([value('1', 'a'), value('1', 'b'), value('2', 'c'), { ...value('3', 'why not'), state: 1 }]);
  const shipment = await sender.compose();
  const rows = rowsOf(shipment);
  t.same(rows.map(({ id, itemid, value: text }) => [id, itemid, text]), [[1, '1', 'a'], [2, '1', 'b'], [3, '2', 'c'], [4, '3', 'why not']]);
  t.equal(rows[3]!.state, 1);
  t.not(rows[0]!.ns, rows[1]!.ns, 'an item has no two at one time');
  t.match(shipment.parts.session, /^[0-9a-f]{32}$/);
  sender.settle(shipment, SUCCESS);
  t.same(counts, { kept: 4, sent: 4, dropped: {} });
});

await t.test('halves of characters, with which a server drops a value and says nothing, and NULs, which end a text for it, are none any more', async (t) => {
  const { values, sender } = half(t);
  await values.values([value('1', 'a\ud83dz \ud83d\ude00'), value('2', '\\ud83d \\u0000'), { ...value('3', 'a\0b'), state: 1 }, value('4', 'fine')]);
  const { history = [] } = (await sender.compose()).parts;
  const rows = JSON.parse(`[${history.join()}]`) as { value: string }[];
  t.same(rows.map(({ value }) => value), ['a\ufffdz \ud83d\ude00', '\\ud83d \\u0000', 'a\ufffdb', 'fine']);
});

await t.test('what was acknowledged a moment ago goes once more, with what is new, and is counted once', async (t) => {
  const { values, sender, counts } = half(t);
  await values.values([value('1', 'a'), value('2', 'b')]);
  const first = await sender.compose();
  sender.settle(first, SUCCESS);
  const again = await sender.compose();
  t.same(rowsOf(again), rowsOf(first));
  t.equal(sender.hasMore, false, 'which is no reason to hurry');
  t.equal(again.parts.more, undefined);
  sender.settle(again, SUCCESS);
  await values.values([value('1', 'c'), value('2', 'd')]);
  sender.configured((itemid) => itemid === '1');
  const third = await sender.compose();
  t.same(ids(third), [1, 3]);
  sender.settle(third, SUCCESS);
  t.same(counts, { kept: 4, sent: 3, dropped: { 'item gone': 1 } }, 'what was sent before its item went is not counted as lost');
  await values.values([value('1', 'e')]);
  sender.settle(await sender.compose(), SUCCESS);
  t.same(counts, { kept: 5, sent: 4, dropped: { 'item gone': 1 } });
});

await t.test('a long page is looked through with turns for others, and keeps its order', async (t) => {
  const { values, sender, counts } = half(t);
  const many = 2000;
  await values.values(Array.from({ length: many }, (_, index) => value(String(index % 7))));
  let [turns, isOver] = [0, false];
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const lookedAt = new Set<number>();
  sender.configured((itemid) => {
    lookedAt.add(turns);
    return itemid !== '6';
  });
  // each look at the clock finds that a slice is over; far from the true clock, by which the turn may be counted still
  let now = 1e9;
  t.intercept(performance, 'now', { value: () => { now += SLICE; return now; } });
  const shipment = await sender.compose();
  isOver = true;
  t.same(ids(shipment), Array.from({ length: many }, (_, index) => index + 1).filter((id) => (id - 1) % 7 !== 6));
  t.ok(lookedAt.size > 5, `in ${lookedAt.size} turns`);
  sender.settle(shipment, SUCCESS);
  t.equal(counts.dropped['item gone'], Math.floor(many / 7));
});

await t.test('where there is much that is new, that goes first', async (t) => {
  const { values, sender } = half(t);
  const many = (count: number) => values.values(Array.from({ length: count }, (_, index) => value(String(index))));
  await many(100);
  sender.settle(await sender.compose(), SUCCESS);
  await many(ZABBIX_MESSAGE_VALUES - 40);
  const partly = ids(await sender.compose());
  t.same([partly[0], partly.at(-1)], [61, ZABBIX_MESSAGE_VALUES + 60], 'as much of the tail as there is room for');
  await many(40);
  t.equal(ids(await sender.compose())[0], 101);
  sender.settle(await sender.compose(), SUCCESS);
  await values.values([value('1', 'x'.repeat(60_000))]);
  await values.values(Array.from({ length: 69 }, () => value('1', 'x'.repeat(60_000))));
  const long = ids(await sender.compose());
  t.equal(long[0], ZABBIX_MESSAGE_VALUES + 101, 'also where it is much by its length');
});

await t.test('after a fault what was acknowledged goes again, before what is new, with the same numbers and session', async (t) => {
  const folder = scratch(t);
  const { values, sender, counts, state } = half(t, folder);
  await values.values([value('1', 'a'), value('2', 'b')]);
  const first = await sender.compose();
  sender.settle(first, SUCCESS);
  await values.values([value('1', 'c')]);
  sender.doubt();
  const again = await sender.compose();
  t.same(ids(again), [1, 2, 3]);
  t.same(rowsOf(again).slice(0, 2), rowsOf(first));
  t.equal(again.parts.session, first.parts.session);
  sender.lost();
  t.same(ids(await sender.compose()), [1, 2, 3], 'one that may have arrived');
  sender.settle(again, SUCCESS);
  t.equal(counts.sent, 3, 'nothing is counted twice');
  await state.close();
  const later = half(t, folder);
  await later.values.values([value('1', 'd')]);
  t.same(ids(await later.sender.compose()), [1, 2, 3, 4], 'and after a restart');
});

await t.test('times of an item never come back, whatever the clock does', async (t) => {
  const folder = scratch(t);
  const used = new Set<string>();
  const at = 1_700_000_000;
  for (let start = 0; start < 3; start += 1) {
    const { values, sender, state, logged } = half(t, folder);
    for (const clock of [at, at, at - 3600, at, at - 3600]) await values.values([value('1', 'x', clock)]);
    const rows = rowsOf(await sender.compose());
    for (const { id, clock, ns } of rows.slice(-5)) {
      t.notOk(used.has(`${clock} ${ns}`), `value ${id}`);
      t.ok(ns >= 0 && ns < 1e9);
      used.add(`${clock} ${ns}`);
    }
    t.match(logged, ['warn the clock went back: Zabbix gets the times as they are now']);
    await values.close();
    await state.close();
  }
});

await t.test('values that could not be kept come again with the same times, and nobody takes that for a clock that went back', async (t) => {
  const folder = scratch(t);
  const state = join(folder, 'state');
  const { values, sender, logged } = half(t, state);
  await values.values([value('1', 'a', 1_700_000_000)]);
  const full = await openSqlite(join(state, 'history.sqlite'), { readOnly: false, timeout: 10_000 });
  full.exec("create trigger full before insert on value begin select raise(abort, 'no room'); end");
  const waiting = [value('1', 'b', 1_700_000_001), value('1', 'c', 1_700_000_001), value('1', 'd', 1_700_000_060)];
  for (let attempt = 0; attempt < 3; attempt += 1) await t.rejects(values.values(waiting), { name: 'StateError' });
  full.exec('drop trigger full');
  full.close();
  await values.values(waiting);
  t.same(rowsOf(await sender.compose()).map(({ id, clock, ns, value: text }) => [id, clock, ns - ns % 1000, text]), [
    [1, 1_700_000_000, 0, 'a'], [2, 1_700_000_001, 0, 'b'], [3, 1_700_000_001, 1000, 'c'], [4, 1_700_000_060, 0, 'd'],
  ], 'as they were collected, without gaps');
  t.same(logged, []);
});

await t.test('a server that wants no values gets none until it does, and is told results all the same', async (t) => {
  const { values, sender, tasks, logged } = half(t);
  await values.values([value('1')]);
  const shipment = await sender.compose();
  sender.settle(shipment, { ...SUCCESS, accepted: false, upload: false });
  sender.settle(await sender.compose(), { ...SUCCESS, accepted: false, upload: false });
  t.equal(sender.hasMore, false);
  tasks.take([{ kind: 'diagnostics', parentTaskId: 9, data: '{"historycache":{"stats":["items","values"]}}' }], 'there');
  await tasks.drain(10_000);
  const meanwhile = await sender.compose();
  t.match(meanwhile, { values: 0, results: [{ type: 8, parent_taskid: 9, status: 0 }] });
  t.match(JSON.parse(meanwhile.results[0]!.info), { historycache: { items: 3, values: 4 } });
  sender.settle(meanwhile, SUCCESS);
  t.same(ids(await sender.compose()), [1]);
  t.same(logged, ['warn the Zabbix server takes no values at present: its cache is full', 'info the Zabbix server takes values again'], 'each once');
});

await t.test('values of items that are gone are left out, and counted', async (t) => {
  const { values, sender, counts } = half(t);
  await values.values([value('1', '"itemid":"2"'), value('2'), value('1')]);
  sender.configured((itemid) => itemid === '1');
  const shipment = await sender.compose();
  t.same(ids(shipment), [1, 3]);
  sender.settle(shipment, SUCCESS);
  t.same(counts, { kept: 3, sent: 2, dropped: { 'item gone': 1 } });
});

await t.test('many go in parts, and the server is told that there are more', async (t) => {
  const { values, sender } = half(t);
  await values.values(Array.from({ length: ZABBIX_MESSAGE_VALUES + 500 }, (_, index) => value(String(index))));
  const first = await sender.compose();
  t.match(first, { values: ZABBIX_MESSAGE_VALUES, parts: { more: true } });
  sender.settle(first, SUCCESS);
  t.equal(sender.hasMore, true);
  const second = await sender.compose();
  t.match(second, { values: 500 + ZABBIX_TAIL_VALUES }, 'with the latest ones of before');
  t.equal(second.parts.more, undefined);
  t.equal(ids(second).at(-1), ZABBIX_MESSAGE_VALUES + 500);
});

await t.test('what is too much is dropped, oldest first, and told', async (t) => {
  const { values, sender, counts, limits, logged } = half(t);
  limits.values = 1000;
  await values.values(Array.from({ length: 1500 }, () => value('1')));
  await values.trim();
  t.equal(ids(await sender.compose())[0], 501);
  t.same(counts.dropped, { limit: 500 });
  t.match(logged, ['warn values for Zabbix were dropped: the server has not taken them in time']);
});

await t.test('what is dropped while it is on its way is counted once', async (t) => {
  const { values, sender, counts, limits } = half(t);
  await values.values(Array.from({ length: 1000 }, () => value('1')));
  const onItsWay = await sender.compose();
  await values.values(Array.from({ length: 500 }, () => value('1')));
  limits.values = 900;
  await values.trim();
  t.same(counts.dropped, { limit: 600 });
  sender.settle(onItsWay, SUCCESS);
  sender.settle(await sender.compose(), SUCCESS);
  t.same(counts, { kept: 1500, sent: 900, dropped: { limit: 600 } });
  limits.values = 10;
  await values.trim();
  t.same(counts.dropped, { limit: 600 }, 'nor is what has arrived');
});

await t.test('a disk that cannot be written keeps nothing, and holds up nothing else', async (t) => {
  const folder = join(scratch(t), 'state');
  writeFileSync(folder, '');
  const { values, sender, reports, counts, logged } = half(t, folder);
  await t.rejects(values.values([value('1'), value('2')]), { name: 'StateError' });
  await t.rejects(values.values([value('1')]), { name: 'StateError' });
  reports.availability([{ interfaceid: 1, available: 1, error: '' }]);
  t.match(await sender.compose(), { values: 0, reports: { availability: [{ interfaceid: 1 }] }, parts: { session: /^[0-9a-f]{32}$/ } }, 'all else goes on');
  await sender.compose();
  rmSync(folder);
  await values.values([value('3')]);
  t.same(rowsOf(await sender.compose()).map(({ itemid }) => itemid), ['3']);
  t.same(counts, { kept: 1, sent: 0, dropped: {} });
  t.same(logged, ['error values for Zabbix cannot be read', 'info values for Zabbix can be read again']);
});

await t.test('where the file is taken away another begins, of another session, and nothing of the old one is noted in it', async (t) => {
  const folder = scratch(t);
  const { values, sender, counts, logged } = half(t, folder);
  await values.values(Array.from({ length: 5 }, () => value('1', 'old')));
  sender.settle(await sender.compose(), SUCCESS);
  await values.values(Array.from({ length: 3 }, () => value('1', 'old')));
  const onItsWay = await sender.compose();
  for (const name of readdirSync(folder)) if (name.startsWith('history.')) rmSync(join(folder, name));
  await t.rejects(values.values([value('1', 'new')]), /another file is in its place/);
  await values.values([value('1', 'new'), value('2', 'new')]);
  sender.settle(onItsWay, SUCCESS);
  const next = await sender.compose();
  t.same(rowsOf(next).map(({ id, value: text }) => [id, text]), [[1, 'new'], [2, 'new']]);
  t.not(next.parts.session, onItsWay.parts.session);
  sender.settle(next, SUCCESS);
  t.equal(values.backlog, 0);
  t.same(counts, { kept: 10, sent: 7, dropped: { 'taken away': 3 } });
  t.match(logged, ['warn the file with the values for Zabbix was taken away; others are kept in a new one']);
});

await t.test('reports stay until they have arrived', async (t) => {
  const { reports, sender } = half(t);
  reports.availability([{ interfaceid: 1, available: 2, error: 'off' }]);
  reports.availability([{ interfaceid: 1, available: 1, error: '' }]);
  reports.registration([{ clock: 1, host: 'lj', ip: '', dns: '', port: '10050' }]);
  const shipment = await sender.compose();
  t.match(shipment.parts, { availability: [{ interfaceid: 1, available: 1 }], registration: [{ host: 'lj' }] });
  sender.lost();
  reports.availability([{ interfaceid: 1, available: 2, error: 'off again' }]);
  sender.settle(shipment, SUCCESS);
  t.match((await sender.compose()).parts, { availability: [{ error: 'off again' }], registration: [] });
});
