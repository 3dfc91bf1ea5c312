import { test } from 'tap';
import type { OrderRow, TaskRow, WorkRow } from '../../src/gateways/web/messages.js';
import { asCsv } from '../../src/web/model/csv.js';
import { eventLine } from '../../src/web/model/events.js';
import { Fleet } from '../../src/web/model/fleet.js';
import { TASKS_KEPT, retryAfter, take, withTask, type Known } from '../../src/web/model/feed.js';
import { failuresAsText, progressOf, sortedPreview, titleOf } from '../../src/web/model/orders.js';
import { loginCode, readPlace, writePlace } from '../../src/web/model/place.js';
import { plot, rates, roundTop, withSample, SAMPLES_KEPT } from '../../src/web/model/plot.js';
import { elementOf, inSight, scrolledTo } from '../../src/web/model/rows.js';
import { columnsOf } from '../../src/web/model/stages.js';
import { endWords, openOf, taskTitle, workWords } from '../../src/web/model/tasks.js';
import { bytes, longSpan, span } from '../../src/web/model/words.js';
import { NOW, tellOf, viewOf } from '../support/web/machines.js';

const known = (v = 5): Known => ({ fleet: new Fleet(viewOf(tellOf(10), v)), v, events: [], tasks: new Map() });
const task = (id: string, ended: number | null, states: OrderRow['targets'][number]['state'][] = ['done']): OrderRow => ({
  kind: 'order', id, account: 'kim', action: 'stop', mode: 'soft', state: ended === null ? 'running' : 'done', began: NOW, ended, targets: states.map((state, at) => ({ instance: `kvm1/m${at}`, state, detail: state === 'failed' ? 'TIMEOUT' : '' })),
});

void test('rows in sight', async (t) => {
  t.same(inSight(0, 400, 40, 10_000), { first: 0, end: 16 });
  const { first, end } = inSight(4000, 400, 40, 10_000);
  t.ok(first < 100 && end > 110 && end - first < 30, 'those in sight and a few more');
  t.same(inSight(4000, 400, 40, 3), { first: 3, end: 3 }, 'a list that has become short');
  t.same(inSight(0, 400, 40, 0), { first: 0, end: 0 });
  t.equal(scrolledTo(2, 200, 400, 40), 80, 'up to it');
  t.equal(scrolledTo(20, 200, 400, 40), 440, 'down to it');
  t.equal(scrolledTo(8, 200, 400, 40), 200, 'not at all');
  const rows = Array.from({ length: 22 }, (_, index) => elementOf(94 + index, 22));
  t.equal(new Set(rows).size, 22, 'no two rows in sight share an element');
  t.equal(elementOf(100, 22), elementOf(100, 22));
});

void test('the feed: changes', async (t) => {
  const before = known();
  const taken = take(before, { t: 'changes', v: 6, rows: [[3, 6, NOW]] });
  t.equal(taken.known.v, 6);
  t.same(taken.changed, [3]);
  t.equal(before.fleet.stateOf(3), 'crashed');
  t.equal(take(taken.known, { t: 'changes', v: 6, rows: [[4, 6, NOW]] }).changed.length, 0, 'one that is known already');
  t.equal(taken.known.fleet.stateOf(4), 'on');
});

void test('the feed: what is missing is fetched', async (t) => {
  const gap = take(known(), { t: 'changes', v: 8, rows: [[3, 6, NOW]] });
  t.equal(gap.isReset, true);
  t.equal(gap.known.fleet.stateOf(3), 'off', 'and nothing is taken from behind the gap');
  t.equal(take(known(), { t: 'reset', v: 9 }).isReset, true);
  t.equal(take(known(), { t: 'alive', v: 5, now: NOW }).isReset, false);
  t.equal(take(known(), { t: 'alive', v: 9, now: NOW }).isReset, false, 'what lies between comes next');
  t.equal(take(known(), { t: 'alive', v: 2, now: NOW }).isReset, true, 'a server that was restarted');
  t.equal(take(known(), { t: 'later', v: 2 } as never).isReset, false, 'a newer server says more');
});

void test('the feed: events, tasks, runs', async (t) => {
  const event = (cursor: string) => ({ cursor, at: NOW, type: 'server', facts: { now: 'reloaded' } });
  const events = take(take(known(), { t: 'events', events: [event('1'), event('2')] }).known, { t: 'events', events: [event('3')] }).known.events;
  t.same(events.map(({ cursor }) => cursor), ['3', '2', '1']);
  t.equal(take(known(), { t: 'task', task: task('t', null) }).known.tasks.get('t')!.state, 'running');
  t.same(take(known(), { t: 'plan', plan: 'p', run: 'r' }).run, { plan: 'p', run: 'r' });
  let tasks: ReadonlyMap<string, TaskRow> = new Map([['open', task('open', null)]]);
  for (let index = 0; index < TASKS_KEPT + 20; index += 1) tasks = withTask(tasks, task(`t${index}`, NOW));
  t.equal(tasks.size, TASKS_KEPT);
  t.ok(tasks.has('open'), 'one that is under way is never forgotten');
});

void test('coming back', async (t) => {
  t.same([0, 1, 2, 3, 4, 9].map(retryAfter), [1000, 2000, 4000, 8000, 15_000, 15_000]);
});

void test('orders in words and figures', async (t) => {
  const one = task('t', NOW, ['done', 'failed', 'already', 'sent', 'uncertain']);
  t.same(progressOf(one), { all: 5, over: 4, done: 2, failed: 2, already: 1 });
  t.equal(failuresAsText(one), 'kvm1/m1: TIMEOUT\nkvm1/m4: ');
  t.equal(titleOf('stop', ['a'], 'hard'), 'Stop a by force');
  t.equal(titleOf('start', Array<string>(1400).fill('a')), 'Start 1,400 machines');
  const rows = (['nothing', 'order', 'refused'] as const).map((effect) => ({ instance: effect, state: 'on' as const, words: '', effect }));
  t.same(sortedPreview(rows).map(({ effect }) => effect), ['refused', 'order', 'nothing']);
});

void test('work beyond power in words and figures', async (t) => {
  const work = (more: Partial<WorkRow>): WorkRow => ({ kind: 'work', id: 'w', account: 'kim', operation: 'machine.migrate', subject: 'kvm1/web1', options: '--to=kvm2', state: 'running', progress: 0, began: NOW, ended: null, detail: '', ...more });
  t.equal(taskTitle(work({})), 'Move web1');
  t.equal(taskTitle(work({ operation: 'template.deploy', subject: 'kvm1' })), 'Make a machine from a template on kvm1');
  t.equal(taskTitle(work({ operation: 'machine.polish' as WorkRow['operation'] })), 'machine.polish web1', 'one that only a newer server knows');
  t.equal(taskTitle(task('t', null, ['sent', 'sent'])), 'Stop 2 machines');
  t.same([work({}), work({ progress: 0.456 }), work({ state: 'cancelled', progress: 0.4, ended: NOW })].map(workWords), ['under way', '45 %', 'cancelled']);
  t.same((['done', 'failed', 'unknown', 'cancelled'] as const).map((state) => openOf(work({ state, ended: NOW }))), [{ left: 0, failed: 0 }, { left: 0, failed: 1 }, { left: 0, failed: 1 }, { left: 0, failed: 0 }]);
  t.same(openOf(work({})), { left: 1, failed: 0 });
  t.same(openOf(task('t', null, ['done', 'sent', 'failed'])), { left: 1, failed: 1 });
  t.equal(endWords(work({ state: 'unknown', ended: NOW })), 'Move web1: nobody knows how it ended');
  t.equal(endWords(task('t', NOW, ['done', 'failed'])), 'Stop 2 machines: 1 failed');
});

void test('the address', async (t) => {
  const place = { view: 'plans', q: 'state:on @web 50%&x=1', machine: 'kvm1/my vm', plan: 'a&b' } as const;
  t.same(readPlace(writePlace(place)), place);
  t.equal(writePlace({ view: 'machines', q: 'state:on @web', machine: '', plan: '' }), '#q=state:on+@web', 'is readable');
  t.same(readPlace('#view=nowhere&q=%E0%A4%A'), { view: 'machines', q: '\ufffd%A', machine: '', plan: '' });
  t.equal(loginCode('#login=abc'), 'abc');
  t.equal(loginCode('#q=login'), undefined);
});

void test('plots', async (t) => {
  t.same(rates([{ at: 0, value: 100 }, { at: 5000, value: 600 }, { at: 10_000, value: 50 }, { at: 15_000, value: 60 }]), [{ at: 5000, value: 100 }, { at: 15_000, value: 2 }], 'a counter that was set back tells nothing');
  t.same([0, 0.3, 1, 17, 4_200, Number.NaN].map(roundTop), [1, 0.5, 1, 20, 5000, 1]);
  t.same(plot([{ at: 0, value: 0 }, { at: 50, value: 5 }, { at: 100, value: 10 }], 100, 10, 100), { line: '0,10 50,5 100,0', area: '0,10 0,10 50,5 100,0 100,10', top: 10 });
  t.same(plot([], 100, 10, 100), { line: '', area: '', top: 1 });
  const many = Array.from({ length: 200 }, (_, at) => ({ at, value: at })).reduce<ReturnType<typeof withSample>>(withSample, []);
  t.equal(many.length, SAMPLES_KEPT);
});

void test('stages in columns', async (t) => {
  const stage = (name: string, ...after: string[]) => ({ name, after });
  t.same(columnsOf([stage('c', 'a', 'b'), stage('a'), stage('b', 'a')]).map((column) => column.map(({ name }) => name)), [['a'], ['b'], ['c']]);
  t.equal(columnsOf([stage('a', 'b'), stage('b', 'a'), stage('x', 'gone')]).flat().length, 3, 'a circle ends');
});

void test('times and sizes', async (t) => {
  t.same([-5, 0, 59_999, 60_000, 7_200_000, 90_000_000].map(span), ['0 s', '0 s', '59 s', '1 min', '2 h', '1 d']);
  t.same([500, 3_600_000, 3_660_000, 273_129_000].map(longSpan), ['0 s', '1 h', '1 h 1 min', '3 d 3 h']);
  t.same([0, 1023, 1024, 1_536, 4 * 1024 ** 3, 200 * 1024 ** 2, 0.4].map(bytes), ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '4.0 GiB', '200 MiB', '0 B']);
});

void test('events as lines', async (t) => {
  const line = (type: string, facts: Record<string, unknown>) => eventLine({ cursor: 'c', at: 1, type, facts });
  t.match(line('state', { instance: 'a/b', now: 'off', before: 'on' }), { instance: 'a/b', state: 'off', words: 'off', more: 'was on', isBad: false });
  t.match(line('action', { instance: 'a/b', command: 'stop', options: '--force', outcome: 'TIMEOUT: late', account: 'kim', ms: 2500 }), { words: 'stop --force: TIMEOUT: late', more: 'by kim after 2.5 s', isBad: true });
  t.match(line('action', { instance: 'a/b', command: 'stop', options: '', outcome: 'done', account: '-' }), { words: 'stop done', more: '', isBad: false });
  t.match(line('action', { instance: 'kvm1', command: 'image.create', options: '--name=a', outcome: 'done', account: '-' }), { instance: undefined, words: 'provider kvm1: image.create --name=a done' });
  t.match(line('provider', { provider: 'kvm1', now: 'silent', reason: 'refused' }), { words: 'provider kvm1 silent', more: 'refused', isBad: true });
  t.match(line('plan', { plan: 'p', run: 'r', outcome: 'failed' }), { words: 'plan p failed', isBad: true });
  t.equal(line('later', {}), undefined);
});

void test('a table for spreadsheets', async (t) => {
  t.equal(asCsv(['a', 'b'], [['x,y', '"q"'], ['=1+1', 'two\nlines']]), 'a,b\r\n"x,y","""q"""\r\n\'=1+1,"two\nlines"\r\n');
});
