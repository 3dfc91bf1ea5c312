import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ONCE_KEPT, OUTBOX_APPEND, OUTBOX_KEPT, STATE_KEY, STATE_KEYS, STATE_PAGE, STATE_VALUE, TASK_TEXT, TASKS_KEPT } from '../../src/kit/limits.js';
import { State } from '../../src/store/state.js';
import { StateError } from '../../src/store/state-error.js';
import { tasksIn } from '../../src/store/tasks.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { open, scratch } from './state-folder.js';

const WITHIN = 30_000;

await t.test('the file is opened only when there is something in it, or to be', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const [values] = [state.keyValue('a'), state.outbox('a'), state.once('a'), state.tasks('a')];
  t.equal(existsSync(join(folder, 'state.sqlite')), false);
  t.same([await values.get('x'), await values.list('')], [undefined, []]);
  t.equal(existsSync(join(folder, 'state.sqlite')), false, 'nothing is there to be read');
  const [, found] = await Promise.all([values.set('x', 'kept'), values.get('x')]);
  t.equal(found, 'kept');
  t.equal(existsSync(join(folder, 'state.sqlite')), true);
  await state.close();
  t.equal(await open(t, folder).keyValue('a').get('x'), 'kept');
});

await t.test('keys and values, each namespace for itself', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const [one, other] = [state.keyValue('one'), state.keyValue('other')];
  await one.set('a/1', 'first');
  await one.set('a/2', 'second');
  await one.set('a/1', 'changed');
  await one.set('A/1', 'upper case');
  await one.set('a%', 'no wildcard');
  await other.set('a/1', 'theirs');
  t.equal(await one.get('a/1'), 'changed');
  t.equal(await other.get('a/1'), 'theirs');
  t.same(await one.list('a/'), [{ key: 'a/1', value: 'changed' }, { key: 'a/2', value: 'second' }]);
  t.same((await one.list('a/', 'a/1')).map(({ key }) => key), ['a/2']);
  t.same((await one.list('a%')).map(({ key }) => key), ['a%']);
  t.same((await other.list('')).map(({ value }) => value), ['theirs']);
  await one.delete('a/1');
  await one.delete('absent');
  t.equal(await one.get('a/1'), undefined);
  t.equal(await other.get('a/1'), 'theirs');
  await state.close();
  t.equal(await open(t, folder).keyValue('one').get('a/2'), 'second', 'after a restart');
});

await t.test('keys and values are bounded', async (t) => {
  const values = open(t, scratch(t)).keyValue('a');
  await t.rejects(values.set('k'.repeat(STATE_KEY + 1), ''), { name: 'StateError', message: /^too large/ });
  await t.rejects(values.set('k', 'v'.repeat(STATE_VALUE + 1)), { message: /^too large: / });
  await Promise.all(Array.from({ length: STATE_KEYS }, (_, index) => values.set(String(index).padStart(6, '0'), 'x')));
  await t.rejects(values.set('one more', ''), { message: /^full: / });
  await values.set('000000', 'a known one can be changed');
  const seen: string[] = [];
  for (let page = await values.list(''); page.length > 0; page = await values.list('', seen.at(-1))) {
    t.ok(page.length <= STATE_PAGE);
    seen.push(...page.map(({ key }) => key));
  }
  t.equal(new Set(seen).size, STATE_KEYS, 'page by page, all of them');
});

await t.test('what is no text or number is the fault of who gives it, and of nobody else', async (t) => {
  const troubles: string[] = [];
  const state = new State(scratch(t), (message) => troubles.push(message));
  t.teardown(() => state.close());
  const [values, outbox, once] = [state.keyValue('a'), state.outbox('a'), state.once('a')];
  const wrong = [
    values.set('k', {} as never), values.set('k', 5 as never), values.set(5 as never, ''), values.set('k', undefined as never), values.set('k', (() => '') as never), values.get(null as never),
    values.delete({} as never), values.list(7 as never), values.list('', Symbol('x') as never), outbox.append([5] as never), outbox.append('abc' as never), outbox.append([{}] as never),
    outbox.append([], {} as never), outbox.read('1' as never, 1), outbox.read(0, NaN), outbox.read(0, 1.5), outbox.acknowledge(-1), outbox.acknowledge({} as never), once.begin({} as never),
    once.end('k', 5 as never), state.history('a').note({} as never),
  ];
  const kept = values.set('good', 'kept');
  for (const [at, one] of wrong.entries()) await t.rejects(one as Promise<void>, TypeError, `number ${at}`);
  await kept;
  t.same([await values.get('good'), await values.get('k'), troubles], ['kept', undefined, []]);
});

await t.test('long values come in more pages', async (t) => {
  const values = open(t, scratch(t)).keyValue('a');
  for (let index = 0; index < 40; index += 1) await values.set(String(index + 100), 'x'.repeat(STATE_VALUE));
  const first = await values.list('');
  t.ok(first.length >= 1 && first.length < 40);
  t.ok((await values.list('', first.at(-1)?.key)).length >= 1);
});

await t.test('an outbox keeps order, and goes on after a restart', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const outbox = state.outbox('a');
  t.same(await outbox.append(['one', 'two']), { last: 2, dropped: 0 });
  t.same(await state.outbox('b').append(['theirs']), { last: 1, dropped: 0 }, 'positions of each namespace');
  t.same(await outbox.append([]), { last: 2, dropped: 0 });
  t.same(await outbox.append(['three']), { last: 3, dropped: 0 });
  t.same(await outbox.read(0, 10), { last: 3, gone: 0, dropped: 0, events: [{ position: 1, event: 'one' }, { position: 2, event: 'two' }, { position: 3, event: 'three' }] });
  t.same((await outbox.read(1, 1)).events, [{ position: 2, event: 'two' }]);
  await outbox.acknowledge(2);
  await outbox.acknowledge(1);
  await state.close();
  const again = open(t, folder).outbox('a');
  t.same(await again.read(0, 10), { last: 3, gone: 2, dropped: 0, events: [{ position: 3, event: 'three' }] });
  await again.acknowledge(1000);
  t.same(await again.read(0, 10), { last: 3, gone: 3, dropped: 0, events: [] }, 'what has not come yet cannot be acknowledged');
  t.same(await again.append(['four']), { last: 4, dropped: 0 });
});

await t.test('a full outbox drops the oldest, and says so', async (t) => {
  const outbox = open(t, scratch(t)).outbox('a');
  const portion = Array.from({ length: OUTBOX_APPEND }, () => 'x');
  for (let count = 0; count < OUTBOX_KEPT; count += OUTBOX_APPEND) t.equal((await outbox.append(portion)).dropped, 0);
  t.same(await outbox.append(['a', 'b', 'c']), { last: OUTBOX_KEPT + 3, dropped: 3 });
  const read = await outbox.read(0, 1);
  t.same(read, { last: OUTBOX_KEPT + 3, gone: 3, dropped: 3, events: [{ position: 4, event: 'x' }] });
  await t.rejects(outbox.append([...portion, 'x']), { message: /^too large: / });
  await t.rejects(outbox.append(['x'.repeat(STATE_VALUE + 1)]), { message: /^too large: / });
});

await t.test('where events have come from is kept beside them', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const outbox = state.outbox('a', { isDurable: true });
  t.equal(await outbox.origin(), undefined);
  await outbox.append(['1'], 'first');
  await outbox.append(['2']);
  t.equal(await outbox.origin(), 'first');
  t.equal(await state.outbox('b').origin(), undefined);
  await outbox.append(['3'], 'third');
  await state.close();
  t.equal(await open(t, folder).outbox('a').origin(), 'third');
});

await t.test('how many an outbox keeps is another matter from one event to the next', async (t) => {
  let most = 3;
  const outbox = open(t, scratch(t)).outbox('a', { most: () => most });
  t.same(await outbox.append(['1', '2', '3', '4']), { last: 4, dropped: 1 });
  most = 5;
  t.same(await outbox.append(['5', '6']), { last: 6, dropped: 0 });
  most = 2;
  t.same(await outbox.append(['7']), { last: 7, dropped: 4 });
  t.same((await outbox.read(0, 10)).events.map(({ event }) => event), ['6', '7']);
});

await t.test('a key begins once', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const once = state.once('a');
  const answers = await Promise.all(Array.from({ length: 20 }, () => once.begin('key')));
  t.equal(answers.filter(({ begun }) => begun).length, 1);
  t.same(await once.begin('key'), { begun: false, ended: false });
  t.same(await state.once('b').begin('key'), { begun: true }, 'of another namespace');
  t.equal(await once.end('key', 'the result'), true);
  t.equal(await once.end('key', 'another'), false, 'the first result stays');
  t.equal(await once.end('never begun', ''), false);
  await state.close();
  t.same(await open(t, folder).once('a').begin('key'), { begun: false, ended: true, result: 'the result' });
});

await t.test('of many keys the oldest that have ended are forgotten', async (t) => {
  const once = open(t, scratch(t)).once('a');
  await once.begin('never ends');
  await once.begin('ended');
  await once.end('ended', 'r');
  await Promise.all(Array.from({ length: ONCE_KEPT - 2 }, (_, index) => once.begin(`k${index}`)));
  t.same(await once.begin('one more'), { begun: true });
  t.same(await once.begin('never ends'), { begun: false, ended: false });
  await t.rejects(once.begin('and one more'), { message: /^full: / }, 'rather than begin a key twice');
  await once.end('k0', 'r');
  t.same(await once.begin('and one more'), { begun: true });
  t.same(await once.begin('k1'), { begun: false, ended: false });
});

await t.test('tasks', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const tasks = state.tasks('tasks');
  const facts = { owner: 'kim', operation: 'disk.create', subject: 'demo/lj' };
  const { created, task } = await tasks.create({ ...facts, once: 'k' });
  t.equal(created, true);
  t.match(task, { ...facts, once: 'k', state: 'waiting', progress: '', result: null, error: null, id: /^[0-9a-f-]{36}$/ });
  t.same(await tasks.create({ ...facts, subject: 'demo/other', once: 'k' }), { created: false, task }, 'the same key, the same task');
  t.equal((await tasks.create({ ...facts, owner: 'bob', once: 'k' })).created, true, 'of another account');
  t.equal((await tasks.create(facts)).created, true);
  t.equal((await tasks.create(facts)).created, true, 'without a key each is a new one');
  t.equal(await tasks.change(task.id, { state: 'running', progress: '10 %' }), true);
  t.match(await tasks.get(task.id), { state: 'running', progress: '10 %', created: task.created });
  await tasks.change(task.id, { state: 'done', result: '{}' });
  t.match(await tasks.get(task.id), { state: 'done', progress: '10 %', result: '{}', error: null });
  t.equal(await tasks.change('no such', { state: 'done' }), false);
  t.same((await tasks.list('bob')).map(({ owner }) => owner), ['bob']);
  t.equal((await tasks.list()).length, 4);
  t.equal(await state.tasks('others').get(task.id), undefined);
  await t.rejects(tasks.create({ ...facts, subject: 'x'.repeat(TASK_TEXT + 1) }), { message: /^too large: / });
  await state.close();
  const after = await open(t, folder).tasks('tasks').list();
  t.same(after.map(({ state }) => state), ['done', 'unknown', 'unknown', 'unknown'], 'what was under way is unknown after a restart');
});

await t.test('of many tasks the oldest that have ended are dropped', async (t) => {
  const tasks = open(t, scratch(t)).tasks('tasks');
  const facts = { owner: 'kim', operation: 'migrate', subject: 'demo/lj' };
  const all = await Promise.all(Array.from({ length: TASKS_KEPT }, () => tasks.create(facts)));
  await t.rejects(tasks.create(facts), { message: /^full: / }, 'none that is under way is dropped');
  const [first, second] = [all[0]!.task.id, all[1]!.task.id];
  await tasks.change(second, { state: 'failed', error: 'e' });
  t.equal((await tasks.create(facts)).created, true);
  t.equal(await tasks.get(second), undefined);
  t.equal((await tasks.get(first))?.state, 'waiting');
  t.equal((await tasks.list()).length, TASKS_KEPT);
});

await t.test('the end of a task that could not be written is with what is asked next, and at the latest when the server ends', async (t) => {
  const state = open(t, scratch(t));
  let isFull = false;
  const file = state.tasks('tasks');
  const changes: string[] = [];
  const tasks = tasksIn('tasks', async (operation, args) => {
    if (operation === 'task.recover') return 0;
    if (isFull) throw new StateError('unavailable', 'disk is full');
    if (operation !== 'task.change') return file.list();
    changes.push(`${String(args[1])} ${String(args[2])}`);
    return true;
  });
  isFull = true;
  await t.rejects(tasks.change('a', { progress: '1' }));
  await t.rejects(tasks.change('a', { state: 'done' }));
  await t.rejects(tasks.change('b', { state: 'running' }));
  await t.rejects(tasks.change('b', { state: 'failed', error: 'e' }));
  await tasks.settle();
  t.same(changes, []);
  isFull = false;
  await tasks.list();
  t.same(changes.sort(), ['a done', 'b failed'], 'the ends, once');
  isFull = true;
  await t.rejects(tasks.change('c', { state: 'stopped' }));
  isFull = false;
  await tasks.settle();
  await tasks.settle();
  t.same(changes.slice(2), ['c stopped']);
});

await t.test('what one owner begins pushes out no task of another, so that its key still holds', async (t) => {
  const tasks = open(t, scratch(t)).tasks('tasks');
  const facts = { operation: 'migrate', subject: 'demo/lj' };
  const quiet = await tasks.create({ ...facts, owner: 'jo', once: 'key-0001' });
  await tasks.change(quiet.task.id, { state: 'done' });
  for (let number = 0; number < TASKS_KEPT + 5; number += 1) {
    const { task } = await tasks.create({ ...facts, owner: 'kim' });
    await tasks.change(task.id, { state: 'failed' });
  }
  t.match(await tasks.create({ ...facts, owner: 'jo', once: 'key-0001' }), { created: false, task: { id: quiet.task.id } });
  t.equal((await tasks.list()).length, TASKS_KEPT);
});

await t.test('a folder that cannot be used, until it can', async (t) => {
  const folder = join(scratch(t), 'state');
  writeFileSync(folder, 'a file in the way');
  const state = open(t, folder);
  const tasks = state.tasks('tasks');
  await t.rejects(state.once('a').begin('k'), { message: /^unavailable: / });
  await t.rejects(tasks.list(), { message: /^unavailable: / });
  rmSync(folder);
  t.same(await state.once('a').begin('k'), { begun: true });
  t.same(await tasks.list(), []);
});

await t.test('what was answered is there after kill -9, and nothing begins twice', async (t) => {
  const folder = scratch(t);
  const script = join(folder, 'writer.mjs');
  writeFileSync(script, `
    import { State } from ${JSON.stringify(fromRoot('dist/src/store/state.js'))};
    const state = new State(${JSON.stringify(folder)}, console.error);
    const [once, outbox, tasks] = [state.once('a'), state.outbox('a'), state.tasks('tasks')];
    const say = (...words) => process.stdout.write(words.join(' ') + '\\n');
    const from = Number(process.argv[2]);
    await Promise.all([0, 1, 2, 3].map(async (lane) => {
      for (let count = from; ; count += 1) {
        const key = lane + '.' + count;
        const { begun } = await once.begin(key);
        if (begun) say('begun', key);
        if (count % 2 === 0) { await once.end(key, 'r' + key); say('ended', key); }
        say('event', (await outbox.append(['e' + key])).last, key);
        const { task } = await tasks.create({ owner: 'a', operation: 'o', subject: key, once: key });
        say('task', task.id);
        await tasks.change(task.id, { state: 'done' });
      }
    }));`);
  const told: string[][] = [];
  for (let round = 0; round < 3; round += 1) {
    // each life begins with the last keys of the one before
    const child = spawn(process.execPath, [script, String(round * 10)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; });
    const closed = new Promise((resolve) => { child.once('close', resolve); });
    await until(() => said.split('\n').length > 400, WITHIN, 'some writes');
    child.kill('SIGKILL');
    await closed;
    told.push(...said.split('\n').slice(0, -1).map((line) => line.split(' ')));
  }
  const of = (word: string): string[][] => told.filter(([first]) => first === word).map((words) => words.slice(1));
  const begun = of('begun').map(([key]) => key!);
  t.equal(new Set(begun).size, begun.length, 'no key began twice');
  const state = open(t, folder);
  const once = state.once('a');
  const answers = await Promise.all(begun.map((key) => once.begin(key)));
  t.equal(answers.some(({ begun: again }) => again), false, 'all that began is known');
  const ended = await Promise.all(of('ended').map(async ([key]) => [await once.begin(key!), { begun: false, ended: true, result: `r${key}` }]));
  t.same(ended.map(([answer]) => answer), ended.map(([, expected]) => expected), 'with its result');
  const events = new Map<number, string>();
  for (let after = 0, more = true; more;) {
    const { events: read } = await state.outbox('a').read(after, 500);
    for (const { position, event } of read) events.set(position, event);
    after = read.at(-1)?.position ?? after;
    more = read.length > 0;
  }
  t.same(of('event').filter(([position, key]) => events.get(Number(position)) !== `e${key}`), [], 'every event is at its position');
  const tasks = await state.tasks('tasks').list();
  const known = new Set(tasks.map(({ id }) => id));
  t.ok(of('task').slice(-100).every(([id]) => known.has(id!)), 'the last tasks');
  t.ok(tasks.every(({ state: one }) => one === 'done' || one === 'unknown'), 'none seems to be under way');
});
