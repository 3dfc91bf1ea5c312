import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Daemon, startDaemon, StartFailure } from '../support/daemon.js';
import { FakeClock } from '../support/fake-clock.js';
import { ADMIN, fillDisk, goesOn, logIn, LONG } from '../support/faults.js';
import { fromRoot } from '../support/paths.js';
import { lacks, lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** What the daemon must not lose or trust: its state folder, its life and the clock. */

const CONFIG = `${ADMIN}
[providers.demo]
type = "sim"
instances = ["lj", "builder"]
[providers.slow]
type = "sim"
count = 40
latency = "150ms"
`;

/** A line of `argo-server audit --json`. */
interface Entry {
  readonly at: string;
  readonly account: string;
  readonly command: string;
  readonly instance: string;
  readonly outcome: string | null;
}

/** What the audit holds, oldest first, as an operator reads it. */
function audit(t: Test, folder: string): Entry[] {
  const { status, stdout, stderr } = spawnSync(process.execPath,
    [fromRoot('bin', 'argo-server.js'), 'audit', '--json', '--config', join(folder, 'argo-server.conf')],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  t.equal(status, 0, `the audit can be read${stderr ? `: ${stderr}` : ''}`);
  return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Entry);
}

/** A folder that the test's end removes. */
function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-faults-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Mounts a file system of so many KiB as a daemon's state folder. */
function mountState(t: Test, folder: string, kib: number): string {
  const state = join(folder, 'state');
  mkdirSync(state, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k,mode=700`, 'tmpfs', state]);
  t.after(() => { spawnSync('umount', ['-l', state]); });
  return state;
}

await t.test('the state folder is full', { skip: lacksRoot('mount', 'umount') }, async (t) => {
  const folder = folderOf(t);
  const state = mountState(t, folder, 16_384);
  const daemon = await startDaemon({ config: CONFIG, folder });
  t.after(() => daemon.stop());
  const client = await logIn(daemon);
  const slow = await logIn(daemon);
  t.equal((await client.ask('stop --force lj')).code, 300);

  slow.line('stop --force slow/vm00001');
  await until(() => audit(t, folder).some((entry) => entry.instance === 'slow/vm00001'), LONG, 'the action to be on record');
  fillDisk(join(state, 'filler'));
  await slow.reply();

  let refused = 0;
  for (let i = 0; i < 30; i++) {
    // What SQLite keeps ready may still take some entries: each action is recorded or refused.
    const reply = await client.ask(i % 2 === 0 ? 'start lj' : 'stop --force lj');
    if (reply.code === 400) {
      t.match(reply.comment, /^AUDIT UNAVAILABLE(: |$)/);
      refused++;
    }
  }
  t.ok(refused > 0, 'what cannot be recorded is not done');
  const before = (await client.ask('status lj')).body;
  if ((await client.ask('stop --force lj')).code === 400) t.same((await client.ask('status lj')).body, before, 'not done at all');
  t.equal((await client.ask('list')).code, 300, 'reads go on');
  t.same((await client.ask('status builder')).body, ['on']);

  unlinkSync(join(state, 'filler'));
  await until(async () => (await client.ask('stop --force builder')).code === 300, LONG, 'actions to be taken again');
  await until(() => audit(t, folder).every((entry) => entry.outcome !== null), LONG, 'every end to be on record');
  t.match(audit(t, folder).at(-1), { account: 'admin', command: 'stop', instance: 'demo/builder', outcome: 'done' });
  client.destroy();
  slow.destroy();
  await daemon.stop();
});

await t.test('the state folder is read-only', { skip: lacksRoot('mount', 'umount') }, async (t) => {
  const folder = folderOf(t);
  const state = mountState(t, folder, 16_384);
  execFileSync('mount', ['-o', 'remount,ro', state]);
  let daemon: Daemon;
  try {
    daemon = await startDaemon({ config: CONFIG, folder });
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    t.not(error.exit.code, 0);
    t.match(error.stderr, state, 'the folder is named');
    t.notMatch(error.stderr, /^\s+at .*\.js:\d+/m, 'for people, not for programmers');
    return;
  }
  t.after(() => daemon.stop());
  const client = await logIn(daemon);
  t.match(await client.ask('stop --force lj'), { code: 400, comment: /^AUDIT UNAVAILABLE/ });
  t.same((await client.ask('status lj')).body, ['on'], 'nothing is done that cannot be recorded');
  client.destroy();
});

await t.test('killed in the middle of actions', async (t) => {
  const folder = folderOf(t);
  const done: string[] = [];
  for (const round of [1, 2, 3]) {
    const daemon = await startDaemon({ config: CONFIG, folder });
    const clients = await Promise.all(Array.from({ length: 4 }, () => logIn(daemon)));
    const working = clients.map(async (client, i) => {
      for (let n = i; ; n = (n + 4) % 40) {
        const name = `vm${String(n + 1).padStart(5, '0')}`;
        const reply = await client.ask(`stop --force slow/${name}`, LONG).catch(() => undefined);
        if (reply === undefined) return;
        if (reply.code === 300) done.push(`slow/${name}`);
      }
    });
    await until(() => done.length >= 20 * round, LONG, 'some actions to be done');
    daemon.signal('SIGKILL');
    t.same(await daemon.exited, { code: null, signal: 'SIGKILL' });
    await Promise.all(working);
    for (const client of clients) client.destroy();
  }
  const entries = audit(t, folder);
  const count = (instances: readonly string[], name: string): number => instances.filter((instance) => instance === name).length;
  const ended = entries.filter((entry) => entry.outcome !== null).map((entry) => entry.instance);
  for (const name of new Set(done)) {
    t.ok(count(ended, name) >= count(done, name), `every answered action on ${name} is on record with its outcome`);
  }
  const daemon = await startDaemon({ config: CONFIG, folder });
  t.after(() => daemon.stop());
  const client = await logIn(daemon);
  t.equal((await client.ask('stop --force lj')).code, 300);
  t.match(audit(t, folder).at(-1), { instance: 'demo/lj', outcome: 'done' }, 'a new life adds to the old record');
  t.equal(audit(t, folder).length, entries.length + 1, 'and takes nothing away');
  client.destroy();
  await goesOn(t, daemon, 'after three deaths');
});

await t.test('the clock is set back by a day', { skip: lacks('faketime') }, async (t) => {
  const folder = folderOf(t);
  const clock = new FakeClock(folder);
  const daemon = await startDaemon({
    config: `[server]\nidle-timeout = "1h"\n${CONFIG}`, folder,
    env: clock.env,
  });
  t.after(() => daemon.stop());
  const client = await logIn(daemon);
  t.equal((await client.ask('stop --force lj')).code, 300);
  for (const days of [-1, 1, -30]) {
    clock.shift(days * 86_400);
    t.equal((await client.ask('start --wait=20 lj')).code, 300, `an action that waits, ${days} days off`);
    t.equal((await client.ask('stop --force --timeout=20 slow/vm00001', LONG)).code, 300, 'one with a deadline');
    t.match(await client.ask('uptime lj'), { code: 300, body: [/^\d{1,3} /] }, 'uptime is not made of the clock');
    t.equal((await client.ask('stop --force lj')).code, 300);
    t.equal((await client.ask('start slow/vm00001', LONG)).code, 300);
    const other = await logIn(daemon);
    other.destroy();
  }
  const entries = audit(t, folder);
  t.equal(entries.length, 13, 'every action is on record');
  t.ok(entries.every((entry) => entry.outcome === 'done'), 'with its outcome');
  const days = entries.map(({ at }) => new Date(at).getTime() / 86_400_000);
  t.ok(Math.max(...days) - Math.min(...days) > 30, 'the clock did leap');
  client.destroy();
  await goesOn(t, daemon, 'after leaps of the clock');
});
