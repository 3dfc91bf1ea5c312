import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { ZABBIX_COMMANDS, ZABBIX_COMMANDS_WAITING, ZABBIX_RESULT_TEXT, ZABBIX_RESULTS_SENT } from '../../../src/kit/zabbix-gateway-limits.js';
import type { Tasks } from '../../../src/gateways/zabbix/speaking/tasks.js';
import type { RemoteCommand, TaskResult } from '../../../src/protocols/zabbix/messages.js';
import { until } from '../../support/until.js';
import { half, scratch } from './speaking.js';

const now = (): number => Math.floor(Date.now() / 1000);
const command = (parentTaskId: number, more: Partial<RemoteCommand> = {}): RemoteCommand => ({ kind: 'command', parentTaskId, clock: now(), ttl: 600, command: 'stop lj', hostid: 1, ...more });

/** All that was taken has an answer. */
const answered = (tasks: { readonly size: number; next(): readonly unknown[] }, count: number): Promise<void> =>
  until(() => tasks.next().length === Math.min(count, ZABBIX_RESULTS_SENT) && tasks.size === count, 60_000, `${count} answers`);

/** Takes all results, as a server does: some with each message. */
function taken(tasks: Tasks): readonly TaskResult[] {
  const all: TaskResult[] = [];
  for (let some = tasks.next(); some.length > 0; some = tasks.next()) {
    all.push(...some);
    tasks.done(some);
  }
  return all;
}

await t.test('a command runs once, and its result stays until the server has it', async (t) => {
  const folder = scratch(t);
  const { tasks, ran, state } = half(t, folder);
  const order = command(7);
  tasks.take([order], 'there');
  tasks.take([order], 'there');
  await answered(tasks, 1);
  t.equal(ran.length, 1);
  t.match(tasks.next(), [{ type: 3, parent_taskid: 7, status: 0, info: 'did stop lj' }]);
  await state.close();
  const later = half(t, folder);
  await later.tasks.recover();
  const [result] = later.tasks.next();
  t.match(result, { parent_taskid: 7, status: 0, info: 'did stop lj' }, 'over a restart');
  later.tasks.take([order], 'there');
  await answered(later.tasks, 1);
  t.equal(later.ran.length, 0, 'given out again after a restart');
  t.match(later.tasks.next(), [{ parent_taskid: 7, status: 0, info: 'did stop lj' }]);
  later.tasks.done(later.tasks.next());
  t.same(later.tasks.next(), []);
});

await t.test('nobody knows of one that ran when the process ended', async (t) => {
  const folder = scratch(t);
  let end = (): void => undefined;
  const first = half(t, folder, () => new Promise((resolve) => { end = () => resolve({ status: 0, info: 'late' }); }));
  const order = command(8);
  first.tasks.take([order], 'there');
  await until(() => first.ran.length === 1, 10_000, 'it to run');
  const second = half(t, folder);
  await second.tasks.recover();
  t.match(second.tasks.next(), [{ type: 3, parent_taskid: 8, status: -1, info: /nobody knows/ }]);
  second.tasks.take([order], 'there');
  await answered(second.tasks, 1);
  t.equal(second.ran.length, 0);
  t.match(second.tasks.next(), [{ parent_taskid: 8, status: -1 }]);
  t.equal(second.tasks.next().length, 1);
  end();
});

await t.test('those that waited for their turn then were not run, which is told, and are not run any more', async (t) => {
  const folder = scratch(t);
  const ends: (() => void)[] = [];
  const first = half(t, folder, () => new Promise((resolve) => { ends.push(() => resolve({ status: 0, info: 'late' })); }));
  const orders = Array.from({ length: ZABBIX_COMMANDS + 3 }, (_, at) => command(at + 1));
  first.tasks.take(orders, 'there');
  await until(() => first.ran.length === ZABBIX_COMMANDS, 10_000, 'as many as may to run');
  const second = half(t, folder);
  await second.tasks.recover();
  const told = taken(second.tasks);
  t.equal(told.filter(({ info }) => info.includes('nobody knows')).length, ZABBIX_COMMANDS);
  t.same(told.filter(({ info }) => info.startsWith('not run: the proxy ended')).map((one) => one.parent_taskid).sort((one, other) => one - other), orders.slice(ZABBIX_COMMANDS).map(({ parentTaskId }) => parentTaskId));
  second.tasks.take(orders, 'there');
  await answered(second.tasks, orders.length);
  t.equal(second.ran.length, 0);
  t.equal(taken(second.tasks).filter(({ info }) => info.startsWith('not run: the proxy ended')).length, 3);
  first.tasks.drain(0).catch(() => undefined);
  ends.forEach((end) => end());
});

await t.test('commands that are too old, or of a time that is not yet, are refused', async (t) => {
  const { tasks, ran } = half(t);
  tasks.take([command(1, { clock: now() - 61 }), command(2, { clock: now() - 20, ttl: 10 }), command(3, { clock: now() + 120 }), command(4, { clock: now() - 50, ttl: 0 })], 'there');
  await answered(tasks, 4);
  t.same(ran.map(({ parentTaskId }) => parentTaskId), [4]);
  t.match(Object.fromEntries(tasks.next().map(({ parent_taskid: id, status, info }) => [id, `${status} ${info}`])), {
    1: /^-1 not run: it is 6\d s old/, 2: /^-1 not run: it was meant for 10 s/, 3: /^-1 not run: .*ahead/, 4: '0 did stop lj',
  });
});

await t.test('one that is given out again is what it was the first time, whatever its age and the work there is', async (t) => {
  const folder = scratch(t);
  let end = (): void => undefined;
  const { tasks, ran, state } = half(t, folder, () => new Promise((resolve) => { end = () => resolve({ status: 0, info: 'done' }); }));
  const age = t.intercept(Date, 'now', { value: Date.now, writable: true, configurable: true });
  const later = (seconds: number): void => { const at = Date.now(); Date.now = () => at + seconds * 1000; };
  const [old, order] = [command(1, { clock: now() - 90 }), command(2)];
  tasks.take([old, order], 'there');
  await until(() => ran.length === 1 && tasks.next().length === 1, 10_000, 'one to run, and one to be refused');
  later(80);
  tasks.take([order], 'there');
  await until(() => tasks.size === 2, 10_000, 'the second to be seen through');
  t.equal(tasks.next().length, 1, 'it runs, and is not said to be too old');
  end();
  await answered(tasks, 2);
  tasks.done(tasks.next());
  later(-90);
  tasks.take([old, order], 'there');
  await answered(tasks, 2);
  age.restore();
  t.equal(ran.length, 1, 'what was refused as too old is not run when it is not');
  t.match(tasks.next().map(({ info }) => info).sort(), ['done', /^not run: it is 9\d s old/]);
  await state.close();
});

await t.test('one that is refused since the proxy ends is not run by the next', async (t) => {
  const folder = scratch(t);
  const { tasks, state } = half(t, folder);
  const order = command(3);
  await tasks.drain(0);
  tasks.take([order], 'there');
  await answered(tasks, 1);
  await state.close();
  const next = half(t, folder);
  await next.tasks.recover();
  next.tasks.done(next.tasks.next());
  next.tasks.take([order], 'there');
  await answered(next.tasks, 1);
  t.equal(next.ran.length, 0);
  t.match(next.tasks.next(), [{ status: -1, info: /^not run: the proxy is about to end/ }]);
});

await t.test('one that is refused for all that waits is not run, though it waits', async (t) => {
  const ends: (() => void)[] = [];
  const { tasks, ran } = half(t, scratch(t), () => new Promise((resolve) => { ends.push(() => resolve({ status: 0, info: 'done' })); }));
  const all = Array.from({ length: ZABBIX_COMMANDS + ZABBIX_COMMANDS_WAITING }, (_, at) => command(at + 1));
  tasks.take(all, 'there');
  tasks.take(all.slice(-1), 'there');
  await until(() => tasks.next().length === 1, 10_000, 'the last to be refused');
  t.match(tasks.next(), [{ parent_taskid: all.length, info: /^not run: the proxy has too much to do/ }]);
  await until(() => {
    ends.splice(0).forEach((end) => end());
    return tasks.size === all.length && ran.length === all.length - 1;
  }, 60_000, 'all others');
  t.notOk(ran.some(({ parentTaskId }) => parentTaskId === all.length));
});

await t.test('a hundred that hang hold up no other', async (t) => {
  const ends: (() => void)[] = [];
  const { tasks } = half(t, scratch(t), ({ command: text }) => (text === 'status lj' ? Promise.resolve({ status: 0, info: 'lj: on' }) : new Promise((resolve) => { ends.push(() => resolve({ status: 0, info: 'done' })); })));
  tasks.take([...Array.from({ length: 100 }, (_, at) => command(at + 1)), command(500, { command: 'status lj' })], 'there');
  await until(() => tasks.next().length === 1, 10_000, 'its result');
  t.match(tasks.next(), [{ parent_taskid: 500, info: 'lj: on' }]);
  await until(() => ends.length === 100, 10_000, 'all to run');
  ends.forEach((end) => end());
});

await t.test('so many run at a time, and a result is as long as can be sent', async (t) => {
  const ends: (() => void)[] = [];
  const { tasks, ran } = half(t, scratch(t), () => new Promise((resolve) => { ends.push(() => resolve({ status: 0, info: 'x'.repeat(ZABBIX_RESULT_TEXT + 5) })); }));
  const count = ZABBIX_COMMANDS + 4;
  tasks.take(Array.from({ length: count }, (_, at) => command(at + 1)), 'there');
  await until(() => ran.length === ZABBIX_COMMANDS, 10_000, 'as many as may');
  const results: TaskResult[] = [];
  while (results.length < count) {
    results.push(...taken(tasks));
    t.ok(ran.length - results.length <= ZABBIX_COMMANDS);
    ends.splice(0).forEach((end) => end());
    await turn();
  }
  t.equal(ran.length, count);
  t.ok(results.every(({ info }) => info === `${'x'.repeat(ZABBIX_RESULT_TEXT)} …`));
});

await t.test('the text of 5.4 has another type of result', async (t) => {
  const { tasks } = half(t);
  tasks.take([command(5, { resultType: 0 }), { kind: 'check now', itemid: '17' }], 'there');
  await answered(tasks, 1);
  t.match(tasks.next(), [{ type: 0, parent_taskid: 5 }]);
});

await t.test('also where the process ended meanwhile', async (t) => {
  const folder = scratch(t);
  let end = (): void => undefined;
  const first = half(t, folder, () => new Promise((resolve) => { end = () => resolve({ status: 0, info: 'late' }); }));
  first.tasks.take([command(5, { resultType: 0 })], 'there');
  await until(() => first.ran.length === 1, 10_000, 'it to run');
  const second = half(t, folder);
  await second.tasks.recover();
  t.match(second.tasks.next(), [{ type: 0, parent_taskid: 5, info: /nobody knows/ }]);
  end();
});

await t.test('questions that are not answered here', async (t) => {
  const { tasks, logged } = half(t);
  tasks.take([{ kind: 'check now', itemid: '17' }, { kind: 'diagnostics', parentTaskId: 1, data: 'no' }, { kind: 'diagnostics', parentTaskId: 2, data: '{"lld":{}}' }], 'there');
  await answered(tasks, 2);
  t.same(logged, ['check 17']);
  t.same(tasks.next().map(({ type, status }) => [type, status]), [[8, -1], [8, -1]]);
});

await t.test('at the end none begins any more', async (t) => {
  const { tasks, ran } = half(t);
  await tasks.drain(0);
  tasks.take([command(1)], 'there');
  await tasks.close();
  t.equal(ran.length, 0);
  t.match(tasks.next(), [{ status: -1, info: /^not run/ }]);
});
