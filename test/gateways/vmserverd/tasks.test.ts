import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { KeptTasks } from '../../../src/gateways/vmserverd/tasks/kept-tasks.js';
import type { BackgroundTask, TaskCall } from '../../../src/gateways/vmserverd/tasks/background-tasks.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { BACKGROUND_KEPT, BACKGROUND_KEPT_OF_ACCOUNT, BACKGROUND_OF_ACCOUNT, BACKGROUND_RUNNING } from '../../../src/kit/vmserverd-files-limits.js';
import { onAbort } from '../../../src/kit/within.js';
import { OperationError } from '../../../src/protocols/vmserverd/codes.js';
import { StateError, type KeyValue } from '../../../src/store/state.js';
import { openState, scratchFolder } from '../../support/vmserverd/files-world.js';
import { until } from '../../support/until.js';

const WITHIN = 30_000;
const ALL = { account: 'admin', mayAll: true };
const own = (account: string) => ({ account, mayAll: false });
const forever = (): AbortSignal => new AbortController().signal;

/** Work that ends when it is told to, or by its signal. */
function held() {
  let end!: (thrown?: Error) => void;
  const ended = new Promise<void>((resolve, reject) => { end = (thrown) => (thrown ? reject(thrown) : resolve()); });
  const work = ({ signal }: TaskCall): Promise<void> =>
    Promise.race([
      ended,
      new Promise<void>((_, reject) => {
        onAbort(signal, (reason) => reject(reason as Error));
      }),
    ]);
  return { end, work };
}

/** What the state keeps, without a disk: for many. */
function remembered(): KeyValue {
  const kept = new Map<string, string>();
  return {
    get: (key) => Promise.resolve(kept.get(key)),
    set: (key, value) => Promise.resolve(void kept.set(key, value)),
    delete: (key) => Promise.resolve(void kept.delete(key)),
    list: (prefix, after = '') => Promise.resolve([...kept].filter(([key]) => key.startsWith(prefix) && key > after).sort(([one], [other]) => (one < other ? -1 : 1)).slice(0, 100).map(([key, value]) => ({ key, value }))),
  };
}

async function open(t: Test, kv: KeyValue = openState(t, scratchFolder(t)).keyValue('gateway vm')) {
  const logged: string[] = [];
  const tasks = new KeptTasks({ state: { kv }, log: (level, message) => void logged.push(`${level} ${message}`) });
  await tasks.load();
  t.teardown(() => tasks.close());
  const settled = async (id: string): Promise<BackgroundTask> => {
    await until(() => tasks.get(id, ALL).state !== 'running', WITHIN, 'the end of a task');
    return tasks.get(id, ALL);
  };
  return { tasks, kv, logged, settled };
}

await t.test('a task from its beginning to its end', async (t) => {
  const { tasks, settled } = await open(t);
  const { work, end } = held();
  let tell!: TaskCall['progress'];
  const { id, ...begun } = await tasks.begin('FileManager_FileCopy', { account: 'kim', signal: forever() }, (call) => {
    tell = call.progress;
    return work(call);
  });
  t.match(id, /^[\w-]{32}$/, 'nobody guesses it');
  t.match(begun, { operation: 'FileManager_FileCopy', owner: 'kim', state: 'running', percent: undefined, ended: undefined, error: undefined });
  await until(() => (tell as unknown) !== undefined, WITHIN, 'its work to begin');
  for (const [done, all, percent] of [[1, 3, 33], [0, 0, 33], [NaN, 2, 33], [-1, 2, 33], [3, 3, 99], [9, 3, 99]] as const) {
    tell(done, all);
    t.equal(tasks.get(id, own('kim')).percent, percent);
  }
  for (const account of ['steve', '', 'KIM']) for (const call of [() => tasks.get(id, own(account))]) t.throws(call, { code: -33 }, account);
  await t.rejects(tasks.stop(id, own('steve')), { code: -33 });
  await t.rejects(tasks.delete(id, own('steve')), { code: -33 });
  await t.rejects(tasks.delete(id, own('kim')), { code: -34 });
  t.throws(() => tasks.get('x'.repeat(32), ALL), { code: -33 });
  end();
  t.match(await settled(id), { state: 'done', percent: 100, ended: Number });
  await tasks.stop(id, own('kim'));
  t.equal(tasks.get(id, own('kim')).state, 'done', 'to stop what has ended changes nothing');
  await tasks.delete(id, own('kim'));
  t.throws(() => tasks.get(id, ALL), { code: -33 });
});

await t.test('why a task failed, in words that were meant for people', async (t) => {
  const { tasks, settled, logged } = await open(t);
  const words = async (thrown: () => unknown): Promise<BackgroundTask> => settled((await tasks.begin('x', { account: 'kim', signal: forever() }, () => { throw thrown(); })).id);
  t.match(await words(() => new OperationError(-32, '/srv/a: \u001b[31mis\nthere')), { state: 'failed', error: '/srv/a: ?[31mis there' });
  t.match(await words(() => new ArgoError('BUSY', 'later')), { state: 'failed', error: 'BUSY: later' });
  t.same(logged, []);
  t.match(await words(() => new Error('a secret')), { state: 'failed', error: 'INTERNAL ERROR' });
  t.same(logged, ['error a task failed']);
  t.match(await words(() => new OperationError(-32, 'x'.repeat(5000))), { error: /^x{300}…$/ });
});

await t.test('all of its work is not yet its end: 100 is said of what is done alone', async (t) => {
  const { tasks, settled } = await open(t);
  const begin = (end: () => Promise<void>) => tasks.begin('x', { account: 'kim', signal: forever() }, ({ progress }) => {
    progress(7, 7);
    return end();
  });
  t.match(await settled((await begin(() => Promise.reject(new OperationError(-32, 'there is no space left')))).id), { state: 'failed', percent: 99 });
  t.match(await settled((await begin(() => Promise.resolve())).id), { state: 'done', percent: 100 });
});

await t.test('who stops it: its owner, whoever may do everything, a lost account, the end of the server', async (t) => {
  const { tasks } = await open(t);
  const account = new AbortController();
  const [mine, lost, other] = await Promise.all([forever(), account.signal, forever()].map((signal) => tasks.begin('x', { account: 'kim', signal }, held().work)));
  await tasks.stop(mine!.id, own('kim'));
  t.match(tasks.get(mine!.id, own('kim')), { state: 'stopped', error: undefined });
  account.abort(new ArgoError('NOT ALLOWED', 'the account was taken away'));
  await until(() => tasks.get(lost!.id, ALL).state !== 'running', WITHIN, 'its end');
  t.match(tasks.get(lost!.id, ALL), { state: 'stopped', error: 'NOT ALLOWED: the account was taken away' });
  await t.rejects(tasks.begin('x', { account: 'kim', signal: account.signal }, held().work), { message: /^NOT ALLOWED/ }, 'one whose account is gone is not begun');
  await tasks.close();
  t.match(tasks.get(other!.id, ALL), { state: 'stopped', error: 'SHUTTING DOWN' });
  await t.rejects(tasks.begin('x', { account: 'kim', signal: forever() }, held().work), { message: /^SHUTTING DOWN/ });
});

await t.test('so many run at a time, and no account has all the places', async (t) => {
  const { tasks } = await open(t);
  const begin = (account: string) => tasks.begin('x', { account, signal: forever() }, held().work);
  const first = await begin('kim');
  for (let index = 1; index < BACKGROUND_OF_ACCOUNT; index += 1) await begin('kim');
  await t.rejects(begin('kim'), { message: /^BUSY/ });
  for (let index = BACKGROUND_OF_ACCOUNT; index < BACKGROUND_RUNNING; index += 1) await begin(`other${index % 4}`);
  await t.rejects(begin('late'), { message: /^BUSY/ });
  await tasks.stop(first.id, ALL);
  await begin('late');
});

await t.test('so many are remembered: the oldest that have ended make room, never one that runs', async (t) => {
  const { tasks, kv } = await open(t, remembered());
  const done = async (account: string): Promise<string> => {
    const { id } = await tasks.begin('x', { account, signal: forever() }, () => Promise.resolve());
    for (let turn = 0; turn < 1000 && tasks.get(id, ALL).state === 'running'; turn += 1) await nextTurn();
    return id;
  };
  const { id: running } = await tasks.begin('x', { account: 'kim', signal: forever() }, held().work);
  const ids: string[] = [];
  for (let index = 0; index < BACKGROUND_KEPT_OF_ACCOUNT; index += 1) ids.push(await done('kim'));
  t.equal(tasks.get(running, ALL).state, 'running');
  t.throws(() => tasks.get(ids[0]!, ALL), { code: -33 });
  t.equal(tasks.get(ids[1]!, ALL).state, 'done');
  const steve = await done('steve');
  for (let index = 0; index < BACKGROUND_KEPT - BACKGROUND_KEPT_OF_ACCOUNT + 5; index += 1) await done(`many${index % 20}`);
  t.equal(tasks.get(steve, ALL).state, 'done', 'who has few keeps them');
  let count = 0;
  for (let after = 'task:'; ;) {
    const page = await kv.list('task:', after);
    if (page.length === 0) break;
    count += page.length;
    after = page.at(-1)!.key;
  }
  t.ok(count <= BACKGROUND_KEPT, `${count} are written down`);
});

await t.test('what a killed server had under way is unknown, and what had ended is what it was', async (t) => {
  const state = openState(t, scratchFolder(t));
  const kv = state.keyValue('gateway vm');
  const { tasks, settled } = await open(t, kv);
  const { id: cut } = await tasks.begin('FileManager_FileCopy', { account: 'kim', signal: forever() }, held().work);
  const { id: done } = await settled((await tasks.begin('x', { account: 'kim', signal: forever() }, () => Promise.resolve())).id);
  await kv.set('task:broken', 'no record');
  await kv.set('task:later', JSON.stringify({ id: 'later', operation: 'x', owner: 'kim', state: 'dreaming', started: 1 }));
  const { tasks: next } = await open(t, kv);
  t.match(next.get(cut, own('kim')), { state: 'unknown', operation: 'FileManager_FileCopy', error: /nobody knows how far it came/, ended: undefined });
  t.match(next.get(done, own('kim')), { state: 'done' });
  for (const id of ['broken', 'later']) t.throws(() => next.get(id, ALL), { code: -33 });
  await next.stop(cut, own('kim'));
  await next.delete(cut, own('kim'));
  const { tasks: last } = await open(t, kv);
  t.throws(() => last.get(cut, ALL), { code: -33 });
});

await t.test('nothing is begun that cannot be written down', async (t) => {
  const kv: KeyValue = { get: () => Promise.resolve(undefined), set: () => Promise.reject(new Error('full')), delete: () => Promise.resolve(), list: () => Promise.resolve([]) };
  const { tasks } = await open(t, kv);
  let begun = false;
  for (let round = 0; round <= BACKGROUND_OF_ACCOUNT; round += 1) {
    await t.rejects(tasks.begin('x', { account: 'kim', signal: forever() }, () => {
      begun = true;
      return Promise.resolve();
    }), { message: 'full' }, 'and it keeps no place');
  }
  t.notOk(begun);
});

await t.test('what cannot be written down is not begun, and that is said', async (t) => {
  const kv = remembered();
  const { tasks } = await open(t, kv);
  const full: KeyValue = { ...kv };
  const fail = () => Promise.reject(new StateError('unavailable', 'database or disk is full'));
  Object.assign(kv, { set: fail, delete: fail });
  let begun = 0;
  const begin = () => tasks.begin('X_VM_PowerOp', { account: 'kim', signal: forever() }, () => Promise.resolve(void (begun += 1)));
  for (let count = 0; count <= BACKGROUND_OF_ACCOUNT; count += 1) await t.rejects(begin(), { message: 'AUDIT UNAVAILABLE: nothing was done' });
  t.equal(begun, 0);
  Object.assign(kv, full);
  const { id } = await begin();
  await until(() => tasks.get(id, ALL).state === 'done', WITHIN, 'its end');
  Object.assign(kv, { delete: fail });
  await t.rejects(tasks.delete(id, ALL), { message: 'AUDIT UNAVAILABLE: nothing was done' });
  t.equal(tasks.get(id, ALL).state, 'done', 'it is still there');
});

await t.test('the end of the server: what runs may end, for a while', async (t) => {
  const { tasks } = await open(t);
  const [soon, never] = [held(), held()];
  const [first, second] = [await tasks.begin('File_Copy', { account: 'kim', signal: forever() }, soon.work), await tasks.begin('File_Copy', { account: 'kim', signal: forever() }, never.work)];
  const drained = tasks.drain(500);
  await t.rejects(tasks.begin('File_Copy', { account: 'kim', signal: forever() }, soon.work), { message: 'SHUTTING DOWN' });
  soon.end();
  await drained;
  await tasks.close();
  t.match([tasks.get(first.id, ALL), tasks.get(second.id, ALL)], [{ state: 'done' }, { state: 'stopped', error: 'SHUTTING DOWN' }]);
});
