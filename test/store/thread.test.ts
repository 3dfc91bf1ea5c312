import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { STORE_WAITING } from '../../src/kit/limits.js';
import { auditFile } from '../../src/store/audit-file.js';
import { openSqlite } from '../../src/store/sqlite.js';
import { CLOSE, type Batch } from '../../src/store/store-file.js';
import { StoreThread, type StoreThreadOptions } from '../../src/store/thread.js';
import { until } from '../support/until.js';

const WITHIN = 15_000;

interface World {
  readonly folder: string;
  readonly thread: StoreThread;
  /** what the thread told of its failures */
  readonly trouble: string[];
  /** the threads that were begun */
  readonly workers: Worker[];
}

function open(t: Test, options: Partial<StoreThreadOptions> = {}): World {
  const folder = mkdtempSync(join(tmpdir(), 'argo-thread-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [trouble, workers]: [string[], Worker[]] = [[], []];
  const remember = (worker: Worker): void => void workers.push(worker);
  process.on('worker', remember);
  t.teardown(() => process.removeListener('worker', remember));
  const thread = new StoreThread({ name: 'audit', stateDir: folder, onTrouble: (reason) => trouble.push(reason), ...options });
  t.teardown(() => thread.close(1000));
  return { folder, thread, trouble, workers };
}

const BEGIN = { operation: 'begin', args: ['2026-01-01', 'a', 'f', 'stop', 'demo/lj', ''], durable: false };

/** Keeps others from writing. @returns what ends that */
async function lock(folder: string): Promise<() => void> {
  const database = await openSqlite(auditFile(folder), { readOnly: false, timeout: 0 });
  database.exec('BEGIN IMMEDIATE');
  return () => {
    database.exec('ROLLBACK');
    database.close();
  };
}

await t.test('a thread with nothing to do ends, and another takes its place', async (t) => {
  let others = 0;
  const { folder, thread, workers } = open(t, { idle: 10, onOtherFile: () => { others += 1; } });
  let ended = 0;
  t.equal(await thread.ask(BEGIN), 1);
  workers[0]?.once('exit', () => { ended += 1; });
  await until(() => ended === 1, WITHIN, 'the end of the thread');
  renameSync(auditFile(folder), join(folder, 'aside'));
  await thread.ask(BEGIN);
  t.equal(workers.length, 2);
  t.equal(others, 1, 'also where the file was taken away meanwhile');
});

await t.test('a file that is put away, while nothing fails, is not written any more', async (t) => {
  let others = 0;
  const { folder, thread, workers } = open(t, { onOtherFile: () => { others += 1; } });
  const names = (): string[] => readdirSync(folder).filter((name) => name.startsWith('audit.'));
  const count = async (file = auditFile(folder)): Promise<unknown> => {
    const database = await openSqlite(file, { readOnly: true, timeout: 0 });
    const { count } = database.prepare('SELECT count(*) AS count FROM begun').get() as { count: number };
    database.close();
    return count;
  };
  for (let number = 1; number <= 3; number += 1) t.equal(await thread.ask(BEGIN), number);
  for (const name of names()) rmSync(join(folder, name));
  t.equal(others, 0);
  t.equal(await thread.ask(BEGIN), 4, 'and what comes next is in a new one');
  t.equal(others, 1, 'which is told');
  t.equal(await count(), 1);
  const copy = join(folder, 'copy');
  const whole = await openSqlite(auditFile(folder), { readOnly: false, timeout: 0 });
  whole.exec(`VACUUM INTO '${copy}'`);
  whole.close();
  renameSync(copy, auditFile(folder));
  t.equal(await thread.ask(BEGIN), 5, 'or in the one that took its place');
  t.equal(await count(), 2);
  const aside = join(folder, 'aside');
  renameSync(auditFile(folder), aside);
  t.equal(await thread.ask(BEGIN), 6);
  t.equal(await count(), 1);
  t.equal(await count(aside), 2, 'what was put away without its log is whole');
  t.equal(workers.length, 1, 'by the same thread');
  t.equal(others, 3);
});

/** Has the operations of each batch that a thread is given from now on written down. */
function watchBatches(worker: Worker): readonly (readonly string[])[] {
  const batches: string[][] = [];
  const post = worker.postMessage.bind(worker);
  worker.postMessage = (message: Batch | typeof CLOSE) => {
    if (message !== CLOSE) batches.push(message.orders.map(([operation]) => operation));
    post(message);
  };
  return batches;
}

await t.test('what is patient goes with the next that is not, or when all is to be written', async (t) => {
  const { thread, workers } = open(t, { patience: 600_000 });
  const id = await thread.ask(BEGIN) as number;
  const batches = watchBatches(workers[0]!);
  const end = { operation: 'end', args: [id, '2026-01-01', 'done', 1], durable: false, isPatient: true };
  const first = thread.ask(end);
  for (let turns = 0; turns < 3; turns += 1) await turn();
  t.same(batches, []);
  t.equal(await thread.ask(BEGIN), id + 1);
  t.equal(await first, true);
  t.same(batches, [['end', 'begin']]);
  const second = thread.ask(end);
  for (let turns = 0; turns < 3; turns += 1) await turn();
  t.same(batches.slice(1), []);
  await thread.flush(WITHIN);
  t.equal(await second, true);
  t.same(batches.slice(1), [['end']]);
});

await t.test('what is patient does not wait for others for ever', async (t) => {
  const { thread } = open(t, { patience: 5 });
  t.equal(await thread.ask({ ...BEGIN, isPatient: true }), 1);
  t.equal(await thread.ask({ ...BEGIN, isPatient: true }), 2);
});

await t.test('what is patient is written by a thread that is closed, and refused where that fails', async (t) => {
  const { folder, thread } = open(t, { patience: 600_000 });
  const written = thread.ask({ ...BEGIN, isPatient: true });
  await thread.close(WITHIN);
  t.equal(await written, 1);
  const unlock = await lock(folder);
  const other = new StoreThread({ name: 'audit', stateDir: folder, onTrouble: () => undefined, patience: 600_000 });
  const refused = t.rejects(other.ask({ ...BEGIN, isPatient: true }), { message: 'it is closed' });
  await other.close(0);
  await refused;
  unlock();
});

await t.test('who waits too long for the disk is refused, and told when it was written all the same', async (t) => {
  const { folder, thread, trouble } = open(t, { answer: 200 });
  await until(() => thread.ask(BEGIN).then(() => true, () => false), WITHIN, 'the thread to be there');
  const unlock = await lock(folder);
  const late: unknown[] = [];
  const before = trouble.length;
  await t.rejects(thread.ask({ ...BEGIN, late: (id) => late.push(id) }), { message: 'no answer from the disk in 0.2 s' });
  t.equal(trouble.length, before + 1);
  await t.rejects(thread.ask(BEGIN), { message: 'the disk does not answer' }, 'others are not made to wait');
  unlock();
  await until(() => late.length === 1, WITHIN, 'the late answer');
  t.equal(await thread.ask(BEGIN), Number(late[0]) + 1, 'and it goes on');
});

await t.test('a failure takes with it what waits behind, and is told once', async (t) => {
  const { folder, thread, trouble } = open(t);
  await thread.ask(BEGIN);
  const unlock = await lock(folder);
  const asks = Array.from({ length: 2000 }, () => thread.ask(BEGIN).then(() => 'written', (error: Error) => error.message));
  t.same([...new Set(await Promise.all(asks))], ['database is locked']);
  t.same(trouble, ['database is locked']);
  unlock();
  t.equal(await thread.ask(BEGIN), 2, 'none of them was written');
});

await t.test('what waits is bounded', async (t) => {
  const { thread } = open(t);
  let refused = 0;
  const asks = Array.from({ length: STORE_WAITING + 10 }, () => thread.ask(BEGIN).catch((error: Error) => {
    if (error.message === 'too much waits to be written') refused += 1;
  }));
  await new Promise(setImmediate);
  t.equal(refused, 10);
  await Promise.all(asks);
  t.equal(await thread.ask(BEGIN), STORE_WAITING + 1);
});

await t.test('a thread that cannot begin', async (t) => {
  const { thread, workers, trouble } = open(t);
  process.once('worker', (worker: Worker) => void worker.terminate());
  await t.rejects(thread.ask(BEGIN), { message: 'its thread has ended' });
  t.same(trouble, ['its thread has ended']);
  t.equal(await thread.ask(BEGIN), 1);
  t.equal(workers.length, 2);
});
