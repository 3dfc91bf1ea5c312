import t, { type Test } from 'tap';
import type { ProviderAbilities, WorkCall } from '../../src/drivers/management/contract.js';
import type { WorkTask } from '../../src/instances/work-tasks.js';
import { ArgoError } from '../../src/kit/errors.js';
import { WORK_TASKS_KEPT, WORK_TASKS_OF_ACCOUNT, WORK_TASKS_RUNNING } from '../../src/kit/work-limits.js';
import { State } from '../../src/store/state.js';
import { until } from '../support/until.js';
import { world, type World, type WorldOptions } from './works-world.js';

const WITHIN = 10_000;
const EVERYTHING = [{ instances: ['*'], commands: ['*'] }];
const IMAGE = { name: 'a.img', size: 2n ** 30n, format: 'raw' } as const;
const ONCE = 'key-0001';

interface Copying {
  readonly name: string;
  readonly call: WorkCall;
  end(error?: unknown): void;
}

/** A host that makes images for as long as the test lets it. */
function host(): { readonly copying: Copying[]; readonly abilities: ProviderAbilities } {
  const copying: Copying[] = [];
  return {
    copying,
    abilities: {
      images: {
        create: ({ name }, call) => new Promise((resolve, reject) => {
          copying.push({ name, call, end: (error) => { if (error === undefined) resolve(); else reject(error as Error); } });
        }),
      },
    },
  };
}

const ACCOUNTS = {
  kim: EVERYTHING, jo: EVERYTHING, maker: [{ instances: ['kvm1/*'], commands: ['configure'] }], looker: [{ instances: ['*'], commands: ['read', 'task'] }], other: [{ instances: ['kvm2/*'], commands: ['*'] }],
};

async function arrange(t: Test, more: Partial<WorldOptions> = {}): Promise<World & { readonly copying: Copying[] }> {
  const { copying, abilities } = host();
  return Object.assign(await world(t, { hosts: { kvm1: { abilities }, kvm2: {} }, accounts: ACCOUNTS, ...more }), { copying });
}

/** Begins one. @returns its id, and its end in words */
async function begin(
  world: World,
  name: string,
  args: { readonly name: string } = IMAGE,
  once?: string,
): Promise<{ id: string; end: Promise<string>; leave: AbortController }> {
  const leave = new AbortController();
  let id = '';
  const end = world
    .actor(name)
    .work(
      'image.create',
      'kvm1',
      { ...IMAGE, ...args },
      {
        signal: leave.signal,
        begun: (task) => {
          id = task;
        },
        ...(once === undefined ? {} : { once }),
      },
    )
    .then(
      () => 'done',
      (error: unknown) => (error as Error).message,
    );
  await Promise.race([end, until(() => id !== '', WITHIN, 'the task')]);
  return { id, end, leave };
}

const tasksOf = (world: World, name: string): Promise<readonly WorkTask[]> => world.actor(name).tasks.works();
const taskOf = async (world: World, id: string): Promise<WorkTask | undefined> => (await tasksOf(world, 'kim')).find((one) => one.id === id);

await t.test('it is written down, goes on when its caller leaves, and is told with how far it is', async (t) => {
  const world = await arrange(t);
  const { id, end, leave } = await begin(world, 'maker');
  await until(() => world.copying.length === 1, WITHIN, 'the copy');
  const { call, end: finish } = world.copying[0]!;
  t.equal(call.task, id, 'what is half made is named by it');
  for (const part of [0.1, 0.456, NaN, -1]) call.progress(part);
  leave.abort(new Error('gone'));
  t.equal(await end, 'gone', 'one need not wait for it');
  t.match(await tasksOf(world, 'maker'), [{ id, account: 'maker', operation: 'image.create', subject: 'kvm1', options: '--name=a.img --size=1073741824 --format=raw', state: 'running', progress: 0.456, detail: '' }]);
  t.match(world.actor('maker').tasks.list(), [{ id, doing: 'working (45 %)' }]);
  t.same(await tasksOf(world, 'other'), []);
  t.same(await tasksOf(world, 'stranger'), []);
  t.match(await tasksOf(world, 'looker'), [{ id }]);
  finish();
  await until(async () => (await taskOf(world, id))?.state === 'done', WITHIN, 'its end');
  t.match(await taskOf(world, id), { progress: 1, ended: Number, detail: '' });
  t.same(world.actor('kim').tasks.list(), []);
  call.progress(0.2);
  t.match(await taskOf(world, id), { state: 'done', progress: 1 });
  t.match(world.audit.begun, [{ account: 'maker', command: 'image.create', instance: 'kvm1' }]);
  t.same(world.audit.ended.map(({ outcome }) => outcome), ['done']);
});

await t.test('how it ended is told, by the driver\'s own words', async (t) => {
  const world = await arrange(t);
  for (const [error, told, state] of [
    [undefined, 'done', 'done'], [new ArgoError('FAILED', 'the disk is full'), 'FAILED: the disk is full', 'failed'], [new ArgoError('UNCERTAIN', 'nobody knows'), 'UNCERTAIN: nobody knows', 'unknown'], [new Error('secret'), 'INTERNAL ERROR', 'failed'],
    [new ArgoError('BUSY', 'another makes it'), 'BUSY: another makes it', 'failed'],
  ] as const) {
    const { id, end } = await begin(world, 'kim');
    await until(() => world.copying.length === 1, WITHIN, 'the copy');
    world.copying.pop()!.end(error);
    t.equal(await end, told);
    t.match(await taskOf(world, id), { state, detail: told === 'done' ? '' : told });
  }
});

await t.test('it is cancelled by its account, or who may do everything there', async (t) => {
  const world = await arrange(t);
  for (const [by, word, state] of [
    ['maker', new ArgoError('UNREACHABLE', 'taken away'), 'cancelled'], ['kim', new ArgoError('UNREACHABLE', 'taken away'), 'cancelled'], ['looker', 'reason', 'unknown'], ['maker', undefined, 'done'],
  ] as const) {
    const { id, end } = await begin(world, 'maker');
    await until(() => world.copying.length === 1, WITHIN, 'the copy');
    for (const stranger of ['other', 'stranger']) t.throws(() => world.actor(stranger).tasks.cancel(id), { message: `NO SUCH TASK: ${id}` });
    const { call, end: finish } = world.copying.pop()!;
    world.actor(by).tasks.cancel(id);
    await until(() => call.signal.aborted, WITHIN, 'the signal');
    t.match(world.actor('kim').tasks.list(), [{ id, doing: 'taking back' }]);
    finish(word === 'reason' ? call.signal.reason : word);
    t.equal(await end, state === 'cancelled' ? 'BUSY: it was cancelled; nothing of it is left' : state === 'done' ? 'done' : 'UNCERTAIN: it was cancelled; what came of it cannot be told');
    t.match(await taskOf(world, id), { state });
    t.throws(() => world.actor('maker').tasks.cancel(id), { message: 'WRONG STATE: it has ended' });
  }
  t.throws(() => world.actor('maker').tasks.cancel('gone'), { message: 'NO SUCH TASK: gone' });
});

await t.test('a right that is taken away ends it', async (t) => {
  const world = await arrange(t);
  const { id, end } = await begin(world, 'maker');
  await until(() => world.copying.length === 1, WITHIN, 'the copy');
  world.grant('maker', []);
  const { call, end: finish } = world.copying[0]!;
  t.equal(call.signal.aborted, true);
  finish(new ArgoError('UNREACHABLE', 'taken away'));
  t.equal(await end, 'NOT ALLOWED: the right to it was taken away; nothing of it is left');
  t.match(await taskOf(world, id), { state: 'failed' });
});

await t.test('a key begins one, also after the end of the process', async (t) => {
  const world = await arrange(t);
  const [one, other] = await Promise.all([begin(world, 'kim', IMAGE, ONCE), begin(world, 'kim', IMAGE, ONCE)]);
  t.equal(one.id, other.id);
  await until(() => world.copying.length === 1, WITHIN, 'the copy');
  t.equal((await begin(world, 'jo', { name: 'jo.img' }, ONCE)).id === one.id, false, 'a key is the account\'s own');
  await until(() => world.copying.length === 2, WITHIN, 'the other\'s');
  t.equal((await begin(world, 'kim', { name: 'b.img' }, ONCE)).id, '');
  t.equal(await (await begin(world, 'kim', { name: 'b.img' }, ONCE)).end, `BAD REQUEST: once: this key has begun another task, ${one.id}`);
  t.match(await (await begin(world, 'kim', IMAGE, 'short')).end, /^BAD REQUEST: once: /);

  const after = await world.again();
  const told = 'UNCERTAIN: the server ended while it was under way; look at what is there, and at the audit';
  t.match(await tasksOf(after, 'kim'), [{ id: String, state: 'unknown' }, { id: one.id, state: 'unknown', detail: told, operation: 'image.create', subject: 'kvm1' }]);
  t.throws(() => after.actor('kim').tasks.cancel(one.id), { message: /^WRONG STATE/ });
  const again = await begin(after, 'kim', IMAGE, ONCE);
  t.equal(again.id, one.id);
  t.equal(await again.end, told);
  t.equal(await (await begin(after, 'kim', { name: 'b.img' }, ONCE)).end, `BAD REQUEST: once: this key has begun another task, ${one.id}`);
  t.same(after.audit.begun, [], 'nothing is begun by itself, nor again');
  world.copying.forEach(({ end }) => end());
  t.same([await one.end, await other.end], ['done', 'done']);
});

await t.test('what has ended is told as it ended to who asks again, also after the end of the process', async (t) => {
  const world = await arrange(t);
  const good = await begin(world, 'kim', IMAGE, ONCE);
  const bad = await begin(world, 'kim', { name: 'b.img' }, 'key-0002');
  await until(() => world.copying.length === 2, WITHIN, 'the copies');
  world.copying.forEach(({ name, end }) => end(name === 'a.img' ? undefined : new ArgoError('FAILED', 'no room: 3 GiB are needed')));
  await Promise.all([good.end, bad.end]);
  for (const one of [world, await world.again()]) {
    t.equal(await (await begin(one, 'kim', IMAGE, ONCE)).end, 'done');
    t.equal(await (await begin(one, 'kim', { name: 'b.img' }, 'key-0002')).end, 'FAILED: no room: 3 GiB are needed');
    t.match((await tasksOf(one, 'kim')).map(({ state }) => state).sort(), ['done', 'failed']);
  }
});

await t.test('the end of the server ends it, and what is known is written down', async (t) => {
  const world = await arrange(t);
  const clean = await begin(world, 'kim', { name: 'clean.img' });
  const silent = await begin(world, 'kim', { name: 'silent.img' });
  await until(() => world.copying.length === 2, WITHIN, 'the copies');
  world.copying.forEach(({ name, call, end }) => call.signal.addEventListener('abort', () => { if (name === 'clean.img') end(new ArgoError('UNREACHABLE', 'taken away')); }));
  const drained = world.gate.drain(50, 2000);
  t.equal(await clean.end, 'SHUTTING DOWN: the server ended; nothing of it is left');
  await world.gate.hurry(1000);
  t.equal(await silent.end, 'UNCERTAIN: the server ended; what came of it cannot be told');
  await drained;
  t.match(await (await begin(world, 'kim')).end, /^SHUTTING DOWN/);
  const after = await world.again();
  t.match(Object.fromEntries((await tasksOf(after, 'kim')).map(({ options, state }) => [options.split(' ')[0], state])), { '--name=clean.img': 'cancelled', '--name=silent.img': 'unknown', '--name=a.img': 'cancelled' });
});

await t.test('one account takes not all of it, and what is too much is busy at once', async (t) => {
  const world = await arrange(t);
  const all = Array.from({ length: 1000 }, (_, index) => world.actor('kim').work('image.create', 'kvm1', { ...IMAGE, name: `i${index}` }).then(() => 'done', (error: unknown) => (error as ArgoError).phrase));
  await until(() => world.copying.length === WORK_TASKS_OF_ACCOUNT, WITHIN, 'as many as there may be');
  const { end } = await begin(world, 'jo', { name: 'jo.img' });
  await until(() => world.copying.length === WORK_TASKS_OF_ACCOUNT + 1, WITHIN, 'another\'s');
  world.copying.forEach((one) => one.end());
  t.equal(await end, 'done');
  const ends = await Promise.all(all);
  t.same([ends.filter((one) => one === 'done').length, ends.filter((one) => one === 'BUSY').length], [WORK_TASKS_OF_ACCOUNT, 1000 - WORK_TASKS_OF_ACCOUNT]);
  t.ok(WORK_TASKS_OF_ACCOUNT < WORK_TASKS_RUNNING);
});

await t.test('a key that has begun one is answered with it, also where no further one may begin', async (t) => {
  const world = await arrange(t);
  const first = await begin(world, 'kim', IMAGE, ONCE);
  const more = await Promise.all(Array.from({ length: WORK_TASKS_OF_ACCOUNT - 1 }, (_, index) => begin(world, 'kim', { name: `i${index}` })));
  await until(() => world.copying.length === WORK_TASKS_OF_ACCOUNT, WITHIN, 'as many as there may be');
  const again = await begin(world, 'kim', IMAGE, ONCE);
  t.equal(again.id, first.id);
  t.equal(await (await begin(world, 'kim', { name: 'b.img' }, ONCE)).end, `BAD REQUEST: once: this key has begun another task, ${first.id}`);
  t.equal(await (await begin(world, 'kim', { name: 'b.img' }, 'key-0002')).end, 'BUSY: too many tasks are under way');
  world.copying.forEach(({ end }) => end());
  t.same(await Promise.all([first, again, ...more].map(({ end }) => end)), Array(WORK_TASKS_OF_ACCOUNT + 1).fill('done'));
});

await t.test('many that take long leave the provider\'s places to others', async (t) => {
  const { copying, abilities } = host();
  const world = await arrange(t, { hosts: { kvm1: { abilities: { images: { ...abilities.images, list: async () => [] } }, settings: { concurrency: 1 } } } });
  const many = await Promise.all(Array.from({ length: 5 }, (_, index) => begin(world, 'kim', { name: `i${index}` })));
  await until(() => copying.length === 5, WITHIN, 'all of them');
  t.same(await world.actor('kim').work('image.list', 'kvm1', {}), []);
  copying.forEach(({ end }) => end());
  t.same(await Promise.all(many.map(({ end }) => end)), Array(5).fill('done'));
});

await t.test('records that cannot be read take none of the others with them, and orders for many are not among them', async (t) => {
  const world = await arrange(t);
  const { id, end } = await begin(world, 'kim');
  await until(() => world.copying.length === 1, WITHIN, 'the copy');
  world.copying[0]!.end();
  await end;
  const state = new State(world.folder, () => undefined);
  for (const subject of ['', '[]', '7', 'null']) await state.tasks('works').create({ owner: 'kim', operation: 'image.create', subject });
  await state.tasks('orders').create({ owner: 'kim', operation: 'stop', subject: '{"mode":"soft","targets":["kvm1/lj"]}' });
  await state.close();
  const after = await world.again();
  t.ok((await tasksOf(after, 'kim')).some((task) => task.id === id));
  t.notOk((await tasksOf(after, 'kim')).some(({ operation }) => String(operation) === 'stop'));
  t.notOk((await after.actor('kim').orders.list()).some(({ action }) => String(action) === 'image.create'));
});

await t.test('many tasks of one account push out none of another', async (t) => {
  const abilities: ProviderAbilities = { images: { create: async () => { throw new ArgoError('WRONG STATE', 'it is there'); } } as ProviderAbilities['images'] & object };
  const world = await arrange(t, { hosts: { kvm1: { abilities } } });
  const quiet = await begin(world, 'maker');
  await quiet.end;
  for (let number = 0; number < WORK_TASKS_KEPT + 5; number += 1) await (await begin(world, 'jo')).end;
  t.match(await tasksOf(world, 'maker'), [{ id: quiet.id, state: 'failed' }]);
  t.equal((await tasksOf(world, 'kim')).length, WORK_TASKS_KEPT);
  const after = await world.again();
  t.match(await tasksOf(after, 'maker'), [{ id: quiet.id, state: 'failed' }], 'also after a restart');
  t.equal((await tasksOf(after, 'kim')).length, WORK_TASKS_KEPT);
});
