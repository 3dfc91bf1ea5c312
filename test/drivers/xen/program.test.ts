import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { ArgoError } from '../../../src/kit/errors.js';
import { Listing } from '../../../src/drivers/xen/output.js';
import { XenProgram } from '../../../src/drivers/xen/program.js';

const folder = await mkdtemp(join(tmpdir(), 'argo-xl-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));

/** A program in xl's place. */
async function program(name: string, script: string): Promise<XenProgram> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return new XenProgram('xl', path);
}

/** A signal whose timer keeps the test alive, as the daemon's sockets keep the daemon. */
function after(milliseconds: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), milliseconds);
  return controller.signal;
}

/** Of a caller who never gives up. */
const patient = new AbortController().signal;

async function phrase(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  return error instanceof ArgoError ? error.phrase : String(error);
}

async function exists(pid: string): Promise<boolean> {
  const state = await readFile(`/proc/${pid.trim()}/stat`, 'latin1').catch(() => undefined);
  return state !== undefined && !/\) Z /.test(state);
}

async function ends(pid: string): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (!await exists(pid)) return true;
    await sleep(50);
  }
  return false;
}

void t.test('what a program gets and gives', async (t) => {
  process.env.ARGO_TEST_SECRET = 'hunter2';
  const xl = await program('plain', 'echo "$@"; env; cat; pwd; echo noise >&2');
  const { stdout, stderr } = await xl.run(['list', '--', 'a b;`c`$d'], { signal: patient });
  delete process.env.ARGO_TEST_SECRET;
  t.match(stdout, /^list -- a b;`c`\$d\n/, 'no shell looks at it');
  t.match(stdout, /LC_ALL=C/);
  t.notMatch(stdout, /hunter2/, 'no environment of ours');
  t.match(stdout, /\n\/\n$/);
  t.equal(stderr, 'noise\n');
});

void t.test('a daemon that keeps the pipes open holds nobody up', async (t) => {
  const xl = await program('daemon', '(sleep 600) & echo $! >"$1"; echo made');
  const pid = join(folder, 'daemon.pid');
  t.equal((await xl.run([pid], { signal: patient })).stdout, 'made\n');
  const daemon = await readFile(pid, 'utf8');
  t.ok(await exists(daemon), 'and it lives on');
  process.kill(Number(daemon), 'SIGKILL');
});

void t.test('deadlines', async (t) => {
  const xl = await program('slow', 'echo $$ >"$1"; trap "" TERM; while :; do sleep 1; done');
  const pid = join(folder, 'slow.pid');
  t.equal(await phrase(xl.run([pid], { signal: after(300) })), 'UNREACHABLE');
  t.equal(await phrase(xl.run([pid], { signal: after(300), changes: true })), 'UNCERTAIN');
  t.ok(await ends(await readFile(pid, 'utf8')), 'what ignores SIGTERM gets SIGKILL');
  t.equal(await phrase(xl.run([pid], { signal: AbortSignal.abort(), changes: true })), 'UNREACHABLE', 'too late to begin');
});

void t.test('ends that are no answer', async (t) => {
  t.equal(await phrase((await program('killed', 'kill -9 $$')).run([], { signal: patient })), 'FAILED');
  t.equal(await phrase((await program('killed', 'kill -9 $$')).run([], { signal: patient, changes: true })), 'UNCERTAIN');
  t.equal(await phrase((await program('refusing', 'echo no >&2; exit 3')).run([], { signal: patient, changes: true })), 'FAILED');
  const endless = await program('endless', 'yes');
  t.equal(await phrase(endless.run([], { signal: patient })), 'FAILED');
  t.equal(await phrase(endless.run([], { signal: patient, changes: true })), 'UNCERTAIN');
  const chatty = await program('chatty', 'yes | head -c 1000000 >&2; echo fine');
  t.match(await chatty.run([], { signal: patient }), { stdout: 'fine\n' }, 'complaints are cut, not refused');
});

void t.test('a few at a time', async (t) => {
  const xl = await program('counted', 'echo + >>"$1"; sleep 0.2; echo - >>"$1"');
  const log = join(folder, 'counted.log');
  await Promise.all(Array.from({ length: 12 }, () => xl.run([log], { signal: patient })));
  let running = 0;
  let most = 0;
  for (const mark of (await readFile(log, 'utf8')).split('\n')) {
    running += mark === '+' ? 1 : mark === '-' ? -1 : 0;
    most = Math.max(most, running);
  }
  t.equal(running, 0);
  t.ok(most <= 4 && most > 1, `${most} at a time`);
});

void t.test('those that wait can give up, and too many are refused', async (t) => {
  const xl = await program('blocked', 'sleep 0.6');
  const first = Array.from({ length: 4 }, () => xl.run([], { signal: patient }));
  const waiting = Array.from({ length: 256 }, () => phrase(xl.run([], { signal: after(150) })));
  t.equal(await phrase(xl.run([], { signal: patient })), 'BUSY');
  t.same([...new Set(await Promise.all(waiting))], ['UNREACHABLE'], 'nothing was sent');
  await Promise.all(first);
  t.same(await xl.run([], { signal: patient }), { stdout: '', stderr: '' }, 'all places are free again');
});

void t.test('listings are shared', async (t) => {
  const log = join(folder, 'list.log');
  const uuid = '00000000-0000-0000-0000-000000000000';
  const xl = await program('list', `echo x >>'${log}'; sleep 0.2; printf 'Name ID\\nDomain-0 0 1 1 r----- 1.0 ${uuid} - -\\na 1 1 1 -b---- 1.0 ${uuid} - -\\n'`);
  const listing = new Listing(xl);
  const all = await Promise.all(Array.from({ length: 50 }, () => listing.read(patient)));
  t.ok(all.every((rows) => rows[0]?.name === 'a'));
  t.equal((await readFile(log, 'utf8')).length, 4, 'one for the first, one for all who came while it ran');

  const running = listing.read(patient);
  t.equal(await phrase(listing.read(after(20))), 'UNREACHABLE', 'one who waited for the next gave up');
  const next = listing.read(patient);
  t.equal((await running)[0]?.name, 'a');
  t.equal((await next)[0]?.name, 'a', 'which harms nobody who comes later');
});
