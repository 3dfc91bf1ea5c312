import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { AUDIT_BACKLOG, STORE_CLOSE } from '../../src/kit/limits.js';
import { Audit } from '../../src/store/audit.js';
import { auditFile } from '../../src/store/audit-file.js';
import type { AuditEntry } from '../../src/store/audit-entry.js';
import { readAudit, type AuditQuery, type AuditRecord } from '../../src/store/audit-reader.js';
import { openSqlite } from '../../src/store/sqlite.js';
import { fromRoot } from '../support/paths.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

const WITHIN = 15_000;

function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-audit-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An audit in a folder, and what it complained of. */
function open(t: Test, folder: string): { audit: Audit; complaints: string[] } {
  const complaints: string[] = [];
  const audit = new Audit(folder, (message, facts) => complaints.push(`${message} ${JSON.stringify(facts)}`));
  t.teardown(() => audit.close());
  return { audit, complaints };
}

const entry = (facts: Partial<AuditEntry> = {}): AuditEntry => ({ account: 'steve', from: '127.0.0.1:4000', command: 'stop', instance: 'demo/lj', options: '', ...facts });

async function records(folder: string, query: AuditQuery = {}): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  for await (const record of readAudit(folder, query)) found.push(record);
  return found;
}

await t.test('an action has a beginning and an end', async (t) => {
  const folder = join(scratch(t), 'made', 'on demand');
  const { audit, complaints } = open(t, folder);
  audit.check();
  const before = new Date().toISOString();
  const id = await audit.begin(entry({ options: '--force' }));
  t.match(await records(folder), [{ id, account: 'steve', from: '127.0.0.1:4000', command: 'stop', options: '--force', instance: 'demo/lj', outcome: null, ms: null }], 'on record before it ends');
  void audit.end(id, 'done', 12.6);
  await until(async () => (await records(folder))[0]?.outcome === 'done', WITHIN, 'the end');
  const [record] = await records(folder);
  t.equal(record?.ms, 13);
  t.equal(record !== undefined && record.at >= before && record.at <= new Date().toISOString(), true);
  t.equal(statSync(folder).mode & 0o007, 0, 'others may not look into the folder');
  t.same(complaints, []);
});

await t.test('where there is no audit yet there are no records', async (t) => {
  t.same(await records(join(scratch(t), 'absent')), []);
});

await t.test('what comes in at a time is written in one go', async (t) => {
  const folder = scratch(t);
  const { audit } = open(t, folder);
  const ids = await Promise.all(Array.from({ length: 2000 }, (_, index) => audit.begin(entry({ instance: `demo/vm${index}` }))));
  t.equal(new Set(ids).size, 2000);
  ids.forEach((id, index) => void audit.end(id, index % 2 === 0 ? 'done' : 'FAILED', 1));
  await audit.close();
  const all = await records(folder);
  t.same(all.map(({ id }) => id), ids, 'in the order in which they began');
  t.same(all.map(({ instance, outcome }) => `${instance} ${outcome}`), ids.map((_, index) => `demo/vm${index} ${index % 2 === 0 ? 'done' : 'FAILED'}`));
});

await t.test('numbers go on after a restart, and what was under way stays without an end', async (t) => {
  const folder = scratch(t);
  const first = open(t, folder).audit;
  const under = await first.begin(entry({ instance: 'demo/one' }));
  await first.close();
  const second = open(t, folder).audit;
  const next = await second.begin(entry({ instance: 'demo/two' }));
  void second.end(next, 'done', 0);
  await second.close();
  t.ok(next > under);
  t.same((await records(folder)).map(({ outcome }) => outcome), [null, 'done']);
});

await t.test('the tables only grow', async (t) => {
  const folder = scratch(t);
  const { audit } = open(t, folder);
  void audit.end(await audit.begin(entry()), 'done', 1);
  await audit.close();
  const database = await openSqlite(auditFile(folder), { readOnly: false, timeout: 1000 });
  for (const sql of ['UPDATE begun SET account = \'x\'', 'DELETE FROM begun', 'UPDATE ended SET outcome = \'x\'', 'DELETE FROM ended', 'DELETE FROM ended WHERE id = 1']) {
    t.throws(() => database.exec(sql), { message: /the audit only grows/ }, sql);
  }
  database.close();
  t.equal((await records(folder)).length, 1);
});

await t.test('what is too old or too much goes, the oldest first, in steps; nothing else', async (t) => {
  const folder = scratch(t);
  const { audit, complaints } = open(t, folder);
  const begin = (count: number): Promise<number[]> => Promise.all(Array.from({ length: count }, (_, index) => audit.begin(entry({ instance: `demo/${'x'.repeat(200)}${index}` }))));
  const first = await begin(20);
  first.forEach((id) => void audit.end(id, 'done', 1));
  await until(async () => (await records(folder)).every(({ outcome }) => outcome === 'done'), WITHIN, 'the ends');
  const between = new Date(Date.now() + 1).toISOString();
  await until(() => new Date().toISOString() > between, WITHIN, 'the next millisecond');
  const later = await begin(10);
  const left = async (): Promise<number[]> => (await records(folder)).map(({ id }) => id);
  t.equal(await audit.prune(undefined, undefined, 100), 0);
  t.equal(await audit.prune(new Date(0).toISOString(), 1024 ** 3, 100), 0);
  t.same(await left(), [...first, ...later]);
  t.equal(await audit.prune(between, undefined, 5), 5);
  t.same(await left(), [...first.slice(5), ...later]);
  t.equal(await audit.prune(between, undefined, 100), 15);
  t.equal(await audit.prune(between, undefined, 100), 0);
  t.same(await left(), later);
  t.equal(await audit.prune(undefined, 1, 4), 4, 'larger than a byte');
  t.same(await left(), later.slice(4));
  const database = await openSqlite(auditFile(folder), { readOnly: false, timeout: 1000 });
  t.throws(() => database.exec('DELETE FROM begun'), { message: /the audit only grows/ }, 'what is to be kept stays');
  t.match(database.prepare('SELECT through FROM pruned').all(), [{ through: later[3] }], 'it is on record');
  database.close();
  t.ok(await audit.begin(entry()) > later.at(-1)!, 'numbers go on');
  t.same(complaints, []);
});

await t.test('a file of before becomes one whose oldest can go', async (t) => {
  const folder = scratch(t);
  const database = await openSqlite(auditFile(folder), { readOnly: false, timeout: 1000 });
  database.exec(`
    CREATE TABLE begun (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, account TEXT NOT NULL, peer TEXT NOT NULL, command TEXT NOT NULL, instance TEXT NOT NULL, options TEXT NOT NULL);
    CREATE TRIGGER begun_is_kept BEFORE DELETE ON begun BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
    INSERT INTO begun (at, account, peer, command, instance, options) VALUES ('2020-01-01T00:00:00.000Z', 'steve', 'f', 'stop', 'demo/lj', '')`);
  database.close();
  const { audit } = open(t, folder);
  await audit.begin(entry());
  t.equal(await audit.prune('2021-01-01T00:00:00.000Z', undefined, 100), 1);
  t.same((await records(folder)).map(({ id }) => id), [2]);
});

await t.test('what was written under a wrong clock goes with what follows it', async (t) => {
  const folder = scratch(t);
  const { audit } = open(t, folder);
  await audit.begin(entry());
  await audit.close();
  const database = await openSqlite(auditFile(folder), { readOnly: false, timeout: 1000 });
  const insert = database.prepare("INSERT INTO begun (at, account, peer, command, instance, options) VALUES (?, 'steve', 'f', 'stop', 'demo/lj', '')");
  for (const year of ['2019', '2999', '2020', '2998']) insert.run(`${year}-01-01T00:00:00.000Z`);
  database.close();
  const again = open(t, folder).audit;
  const ids = async (): Promise<number[]> => (await records(folder)).map(({ id }) => id);
  t.equal(await again.prune('2021-01-01T00:00:00.000Z', undefined, 100), 0, 'an older date behind one that is to be kept is the wrong one');
  t.equal(await again.prune(new Date(Date.now() + 1).toISOString(), undefined, 100), 4);
  t.same(await ids(), [5], 'nothing follows the last one');
});

await t.test('which records are shown', async (t) => {
  const folder = scratch(t);
  const { audit } = open(t, folder);
  for (const facts of [
    { account: 'steve', instance: 'demo/lj' }, { account: 'tenant', instance: 'demo/lj' }, { account: 'steve', instance: 'lab/lj' }, { account: 'steve', instance: 'demo/a/b' },
  ]) await audit.begin(entry(facts));
  const shown = async (query: AuditQuery): Promise<string[]> => (await records(folder, query)).map(({ account, instance }) => `${account} ${instance}`);
  t.equal((await shown({})).length, 4);
  t.same(await shown({ account: 'tenant' }), ['tenant demo/lj']);
  t.same(await shown({ instance: 'lj' }), ['steve demo/lj', 'tenant demo/lj', 'steve lab/lj'], 'by short name');
  t.same(await shown({ instance: 'lab/lj' }), ['steve lab/lj'], 'by full name');
  t.same(await shown({ instance: 'a/b' }), ['steve demo/a/b']);
  t.same(await shown({ instance: 'b' }), []);
  t.same(await shown({ account: 'steve', instance: 'demo/lj' }), ['steve demo/lj']);
  t.same(await shown({ account: '%' }), [], 'names are no patterns');
  t.same(await shown({ account: "' OR 1=1 --" }), []);
  t.equal((await shown({ since: new Date(Date.now() - 60_000) })).length, 4);
  t.same(await shown({ since: new Date(Date.now() + 60_000) }), []);
});

await t.test('a reader in the middle of it holds up no writer, and sees one state', async (t) => {
  const folder = scratch(t);
  const { audit } = open(t, folder);
  for (let count = 0; count < 50; count += 1) await audit.begin(entry({ instance: `demo/${count}` }));
  let seen = 0;
  for await (const record of readAudit(folder, {})) {
    if (seen === 0) for (let count = 50; count < 60; count += 1) void audit.end(await audit.begin(entry({ instance: `demo/${count}` })), 'done', 0);
    t.equal(record.instance, `demo/${seen}`);
    seen += 1;
  }
  t.equal(seen, 50);
  t.equal((await records(folder)).length, 60);
});

await t.test('a file in which there is nothing yet has no records', async (t) => {
  const folder = scratch(t);
  writeFileSync(auditFile(folder), '');
  t.same(await records(folder), [], 'the file alone');
  const database = await openSqlite(auditFile(folder), { readOnly: false, timeout: WITHIN });
  database.exec('CREATE TABLE begun (id INTEGER)');
  database.close();
  t.same(await records(folder), [], 'a server that is making it');
});

await t.test('what was begun is there after kill -9', async (t) => {
  const folder = scratch(t);
  const script = join(folder, 'writer.mjs');
  writeFileSync(script, `
    import { Audit } from ${JSON.stringify(fromRoot('dist/src/store/audit.js'))};
    const audit = new Audit(${JSON.stringify(folder)}, console.error);
    for (let count = 0; ; count += 1) {
      const id = await audit.begin({ account: 'a', from: 'f', command: 'stop', instance: 'demo/' + count, options: '' });
      process.stdout.write(id + '\\n');
      if (count % 2 === 0) audit.end(id, 'done', 1);
    }`);
  for (let round = 0; round < 3; round += 1) {
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; });
    const closed = new Promise((resolve) => { child.once('close', resolve); });
    await until(() => said.split('\n').length > 50, WITHIN, 'fifty actions');
    child.kill('SIGKILL');
    await closed;
    const told = said.split('\n').slice(0, -1).map(Number);
    const known = new Set((await records(folder)).map(({ id }) => id));
    t.same(told.filter((id) => !known.has(id)), [], 'every action whose number was given out');
  }
  const { audit } = open(t, folder);
  t.ok(await audit.begin(entry()) > 150, 'and it goes on');
});

await t.test('a folder that cannot be used refuses actions, until it can', async (t) => {
  const folder = join(scratch(t), 'state');
  writeFileSync(folder, 'a file in the way');
  const { audit, complaints } = open(t, folder);
  audit.check();
  t.match(complaints, [/audit cannot be opened/]);
  await t.rejects(audit.begin(entry()), { message: /^AUDIT UNAVAILABLE: nothing was done/ });
  await t.rejects(audit.begin(entry()), { message: /^AUDIT UNAVAILABLE/ });
  rmSync(folder);
  t.equal(await audit.begin(entry()), 1);
  t.equal((await records(folder)).length, 1, 'what was refused is not on record');
});

await t.test('a file that is no database', async (t) => {
  const folder = scratch(t);
  writeFileSync(auditFile(folder), 'this is not SQLite, and long enough to be looked at as such. '.repeat(100));
  const { audit } = open(t, folder);
  await t.rejects(audit.begin(entry()), { message: /^AUDIT UNAVAILABLE/ });
  renameSync(auditFile(folder), join(folder, 'aside'));
  t.equal(await audit.begin(entry()), 1);
});

await t.test('another process that keeps the file locked', async (t) => {
  const folder = scratch(t);
  const { audit } = open(t, folder);
  const id = await audit.begin(entry());
  const other = await openSqlite(auditFile(folder), { readOnly: false, timeout: 0 });
  other.exec('BEGIN IMMEDIATE');
  void audit.end(id, 'done', 5);
  await t.rejects(audit.begin(entry()), { message: /^AUDIT UNAVAILABLE/ });
  other.exec('ROLLBACK');
  other.close();
  await until(async () => (await records(folder))[0]?.outcome === 'done', WITHIN, 'the end that could not be written at once');
  t.equal(await audit.begin(entry()), id + 1);
});

await t.test('the event loop goes on while another process has the file locked', async (t) => {
  const folder = scratch(t);
  const { audit } = open(t, folder);
  const id = await audit.begin(entry());
  const script = join(folder, 'locker.mjs');
  writeFileSync(script, `
    import { openSqlite } from ${JSON.stringify(fromRoot('dist/src/store/sqlite.js'))};
    const database = await openSqlite(${JSON.stringify(auditFile(folder))}, { readOnly: false, timeout: 5000 });
    database.exec('BEGIN EXCLUSIVE');
    process.stdout.write('locked\\n');
    process.stdin.once('data', () => { database.exec('ROLLBACK'); process.exit(); });`);
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await new Promise((resolve) => { child.stdout.once('data', resolve); });
  let turns = 0;
  let longest = 0;
  let waiting = true;
  const refused = audit.begin(entry()).then(() => 'begun', (error: Error) => error.message).finally(() => { waiting = false; });
  const ended = audit.end(id, 'done', 5);
  for (let last = performance.now(); waiting; turns += 1) {
    await new Promise((resolve) => { setTimeout(resolve, 1); });
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  t.match(await refused, /^AUDIT UNAVAILABLE: nothing was done/);
  await ended;
  t.ok(turns > 20, `${turns} turns of the loop while it waited for the lock, the longest of ${Math.round(longest)} ms`);
  child.stdin.on('error', () => undefined);
  child.stdin.write('go\n');
  await until(async () => (await records(folder))[0]?.outcome === 'done', WITHIN, 'the end that could not be written at once');
  t.equal((await records(folder)).length, 1, 'what was refused is not on record');
});

await t.test('a thread that dies is replaced', async (t) => {
  const folder = scratch(t);
  const threads: Worker[] = [];
  const remember = (worker: Worker): void => void threads.push(worker);
  process.on('worker', remember);
  t.teardown(() => process.removeListener('worker', remember));
  const { audit, complaints } = open(t, folder);
  const first = await audit.begin(entry());
  t.equal(threads.length, 1);
  const beginnings = Array.from({ length: 50 }, () => audit.begin(entry()).then(() => 'begun', (error: Error) => error.message));
  const ending = audit.end(first, 'done', 5);
  await new Promise(setImmediate);
  await threads[0]?.terminate();
  const outcomes = await Promise.all(beginnings);
  await ending;
  t.same(outcomes.filter((outcome) => outcome !== 'begun' && !outcome.startsWith('AUDIT UNAVAILABLE')), [], 'nobody is left hanging');
  const next = await audit.begin(entry());
  t.ok(next > first);
  t.equal(threads.length, 2);
  await audit.end(next, 'done', 1);
  await until(async () => (await records(folder)).filter(({ outcome }) => outcome === 'done').length === 2, WITHIN, 'both ends');
  t.same(complaints.filter((line) => line.includes('lost')), [], 'an end that is written twice is none that is lost');
});

await t.test('ends that cannot be written are kept, up to a limit', async (t) => {
  const folder = scratch(t);
  const { audit, complaints } = open(t, folder);
  const ids = await Promise.all(Array.from({ length: AUDIT_BACKLOG + 5 }, () => audit.begin(entry())));
  const other = await openSqlite(auditFile(folder), { readOnly: false, timeout: 0 });
  other.exec('BEGIN IMMEDIATE');
  await Promise.all(ids.map((id) => audit.end(id, 'done', 1)));
  t.equal(complaints.filter((line) => line.startsWith('audit backlog is full')).length, 5);
  t.match(complaints.find((line) => line.startsWith('audit backlog is full')), `"action":${ids[0]}`, 'the oldest are told of');
  other.exec('ROLLBACK');
  other.close();
  await until(async () => (await records(folder)).filter(({ outcome }) => outcome === 'done').length === AUDIT_BACKLOG, WITHIN, 'those that were kept');
});

await t.test('closing takes no longer than it may, and tells of what is lost', async (t) => {
  const folder = scratch(t);
  const { audit, complaints } = open(t, folder);
  const id = await audit.begin(entry());
  const other = await openSqlite(auditFile(folder), { readOnly: false, timeout: 0 });
  other.exec('BEGIN IMMEDIATE');
  void audit.end(id, 'done', 1);
  const refused = audit.begin(entry()).catch((error: Error) => error.message);
  const began = performance.now();
  await audit.close();
  t.ok(performance.now() - began < STORE_CLOSE + WITHIN, 'it ends');
  t.match(await refused, /^AUDIT UNAVAILABLE/);
  t.match(complaints, [/audit cannot be written/, /audit cannot be written/, /audit entry lost {"action":1,"outcome":"done"}/]);
  await t.rejects(audit.begin(entry()), { message: /^AUDIT UNAVAILABLE/ }, 'nor does it begin again');
  other.close();
});

await t.test('somebody puts the file away while actions run', async (t) => {
  const folder = scratch(t);
  const { audit, complaints } = open(t, folder);
  const [first, second] = [await audit.begin(entry({ instance: 'demo/old' })), await audit.begin(entry({ instance: 'demo/older' }))];
  // as one does who makes room on a full disk: the next write fails, and a new file is made
  const other = await openSqlite(auditFile(folder), { readOnly: false, timeout: 0 });
  other.exec('BEGIN IMMEDIATE');
  await t.rejects(audit.begin(entry()), { message: /^AUDIT UNAVAILABLE/ });
  other.exec('ROLLBACK');
  other.close();
  mkdirSync(join(folder, 'aside'));
  for (const name of readdirSync(folder)) if (name.startsWith('audit.')) renameSync(join(folder, name), join(folder, 'aside', name));
  const fresh = await audit.begin(entry({ instance: 'demo/new' }));
  t.ok(fresh > second, 'the new file counts on from the old one');
  void audit.end(first, 'done', 1);
  void audit.end(second, 'done', 1);
  await until(() => complaints.filter((line) => line.startsWith('audit entry lost')).length > 0, WITHIN, 'the loss to be told');
  void audit.end(await audit.begin(entry({ instance: 'demo/newer' })), 'done', 1);
  await audit.close();
  t.same((await records(folder)).map(({ instance, outcome }) => [instance, outcome]), [['demo/new', null], ['demo/newer', 'done']], 'none ends another');
});

await t.test('a full disk', { skip: lacksRoot('mount') }, async (t) => {
  const folder = scratch(t);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'argo-test', folder]).status !== 0) {
    t.pass('no file system may be mounted here');
    return;
  }
  try {
    const { audit } = open(t, folder);
    const id = await audit.begin(entry());
    const filler = join(folder, 'filler');
    t.throws(() => writeFileSync(filler, Buffer.alloc(1024 * 1024)), { code: 'ENOSPC' });
    let refused = 0;
    for (let count = 0; count < 200 && refused === 0; count += 1) {
      await audit.begin(entry({ options: 'x'.repeat(2000) })).catch((error: Error) => {
        t.match(error.message, /^AUDIT UNAVAILABLE/);
        refused += 1;
      });
    }
    t.equal(refused, 1, 'what cannot be recorded is not done');
    t.equal((await audit.rows(id + 1, 1))[0]?.id, id, 'and what is recorded can be read');
    void audit.end(id, 'done', 3);
    rmSync(filler);
    t.ok(await audit.begin(entry()) > id, 'room again');
    await until(async () => (await records(folder))[0]?.outcome === 'done', WITHIN, 'the end of the first');
    await audit.close();
  } finally {
    spawnSync('umount', ['-l', folder]);
  }
});

await t.test('nothing is written after the end', async (t) => {
  const folder = scratch(t);
  const { audit } = open(t, folder);
  const id = await audit.begin(entry());
  void audit.end(id, 'done', 1);
  await audit.close();
  rmSync(auditFile(folder));
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  t.equal(existsSync(auditFile(folder)), false);
});
