import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { CutDisk, lacksCutDisk } from '../peers/cut-disk.js';
import { lacksRoot } from '../support/peers.js';
import { seededRandom } from '../support/seeded-random.js';
import { until } from '../support/until.js';
import { ACCOUNTS, auditOf, ended, killHard, open, targetsOf, WITHIN, type Session } from './support/plans.js';
import { FileMachines } from './support/file-machines.js';
import { fillDisk } from '../support/faults.js';

/** What a run of a plan must outlive. */

const COUNT = 40;

/** Machines that restart, and then stop, a few at a time. */
const PLAN = `[plans.all]
account = "ups"
stages = [
  { name = "again", reboot = ["vm*"], parallel = 4, on-failure = "continue" },
  { name = "off", stop = ["vm*"], parallel = 4, after = ["again"] },
]
`;

/** Each call takes a moment, so that there is a middle. */
const CONFIG = `${ACCOUNTS}
[providers.sim]
type = "sim"
count = ${COUNT}
latency = "60ms"
${PLAN}`;

/** Of machines that outlive the server, ms: well beyond what a restart of theirs takes. */
const ACTION_TIMEOUT = 4000;

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-plans-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function begin({ ask }: Session): Promise<string> {
  return /^run (\S+)/.exec(await ask('plan run all'))![1]!;
}

/** Has the server stand still, as one whose own machine is paused: what it was about to do comes later than it thinks. */
async function standStill({ daemon }: Session, ms: number): Promise<void> {
  daemon.signal('SIGSTOP');
  await sleep(ms);
  daemon.signal('SIGCONT');
}

/** Waits until so many targets of a run have ended, or the whole run has. */
async function hasEnded({ ask }: Session, run: string, count: number): Promise<void> {
  await until(async () => {
    const [, state, targets] = /^run \S+ \S+ (\S+) .*targets=(\d+)\//m.exec(await ask(`plan status ${run}`)) ?? [];
    return Number(targets) >= count || state === 'done' || state === 'failed';
  }, WITHIN, `${count} targets to have ended`);
}

interface Deaths {
  readonly folder: string;
  readonly stateDir: string;
  /** ends a server that is under way */
  die(session: Session): Promise<void>;
}

/** A run during which the server dies at any moment, again and again. */
async function dies(t: Test, { folder, stateDir, die }: Deaths): Promise<void> {
  const machines = new FileMachines(folder, COUNT);
  const config = `${machines.config(ACTION_TIMEOUT)}${ACCOUNTS}${PLAN}`.replace('[server]', `[server]\nstate-dir = ${JSON.stringify(stateDir)}`);
  const random = seededRandom(20_261_128);
  let session = await open(t, { config, folder });
  const run = await begin(session);
  for (const [index, share] of [0.1, 0.25, 0.4, 0.6, 0.9].entries()) {
    await hasEnded(session, run, Math.floor(2 * COUNT * share) + random.below(8) - 4);
    await sleep(random.below(300));
    if (index % 2 === 1) await standStill(session, ACTION_TIMEOUT * 1.5);
    await die(session);
    session = await open(t, { config, folder });
  }
  const status = await ended(session, run);
  const lines = status.split('\n').filter((line) => line.startsWith('target '));
  t.equal(lines.length, 2 * COUNT, 'all targets of both stages');
  t.same(lines.filter((line) => / again /.test(line) && !/ reboot done/.test(line)), [], 'each has restarted');
  t.same(lines.filter((line) => / off /.test(line) && !/ stop (?:done|already)/.test(line)), [], 'each is off');
  t.same(machines.names.filter((name) => machines.boots(name) !== 1), [], 'and none twice');
  t.same(machines.names.filter((name) => !machines.isOff(name)), []);
  const recorded = new Set(auditOf(folder).map(({ command, instance }) => `${command} ${instance}`));
  t.same(machines.names.filter((name) => !recorded.has(`reboot files/${name}`)), [], 'the audit has each restart');
}

await t.test('kill -9 at any moment: it goes on, and nothing restarts twice', { timeout: 600_000 }, async (t) => {
  const folder = folderOf(t);
  await dies(t, { folder, stateDir: join(folder, 'state'), die: killHard });
});

await t.test('the power fails at any moment: it goes on, and nothing restarts twice', { skip: lacksCutDisk(), timeout: 600_000 }, async (t) => {
  const [folder, disk] = [folderOf(t), new CutDisk('plans')];
  t.after(() => disk.remove());
  await dies(t, {
    folder,
    stateDir: disk.folder,
    die: async (session) => {
      await disk.cut(session.daemon.pid);
      await killHard(session);
      t.same(disk.restore(), disk.wanted, 'what was only written is lost, what was brought to the disk is there');
    },
  });
});

await t.test('a reload in the middle: it ends as it began, and what begins then is the new plan', { timeout: 300_000 }, async (t) => {
  const folder = folderOf(t);
  const session = await open(t, { config: CONFIG, folder });
  const run = await begin(session);
  await hasEnded(session, run, 10);
  session.daemon.reconfigure(CONFIG.replace(/\{ name = "again".*\n/, '').replace(', after = ["again"]', ''));
  session.daemon.signal('SIGHUP');
  await until(() => session.daemon.stderr().includes('"reloaded"'), WITHIN, 'the reload');
  const status = await ended(session, run);
  t.equal([...targetsOf(status).values()].filter((state) => state === 'done').length, COUNT);
  t.match(status, /^stage again done 40\/40$/m);
  const [, second = ''] = /^run (\S+)/.exec(await session.ask('plan run all')) ?? [];
  t.notMatch(await ended(session, second), /^stage again /m);
  session.daemon.reconfigure(CONFIG.replace(/\[plans\.all\][^]*/, ''));
  session.daemon.signal('SIGHUP');
  await until(() => session.daemon.stderr().split('"reloaded"').length === 3, WITHIN, 'the second reload');
  t.equal(await session.ask('plan'), '', 'a plan that is gone');
  t.equal(await session.ask('plan run all'), '400 NO SUCH PLAN: all');
});

/** A run whose disk is full in the middle, until `rubbish` is removed. */
async function fullInTheMiddle(t: Test): Promise<{ folder: string; rubbish: string; session: Session; run: string }> {
  const folder = folderOf(t);
  const state = join(folder, 'state');
  mkdirSync(state, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16384k,mode=700', 'tmpfs', state]);
  t.after(() => { spawnSync('umount', ['-l', state]); });
  const session = await open(t, { config: CONFIG, folder });
  const run = await begin(session);
  await hasEnded(session, run, 5);
  const rubbish = join(state, 'rubbish');
  fillDisk(rubbish);
  await session.story.until(/^plan all "orders wait" .*AUDIT UNAVAILABLE/);
  return { folder, rubbish, session, run };
}

await t.test('a disk that is full in the middle: orders stop and say so, and go on when there is room', { skip: lacksRoot('mount', 'umount'), timeout: 300_000 }, async (t) => {
  const { rubbish, session, run } = await fullInTheMiddle(t);
  const begun = (): number => session.story.lines.filter((line) => /^action \S+ \S+ begun/.test(line)).length;
  const ordered = begun();
  t.match(await session.ask(`plan status ${run}`), /^run \S+ all running .*AUDIT UNAVAILABLE/m);
  t.ok(begun() - ordered <= 4, 'nothing but what was under way');
  unlinkSync(rubbish);
  await session.story.until(/^plan all "orders go on"/);
  t.match(await ended(session, run), /^run \S+ all (?:done|failed)/);
});

await t.test('cancelled while the disk is full, a run sends no further order, also not after a kill', { skip: lacksRoot('mount', 'umount'), timeout: 300_000 }, async (t) => {
  const { folder, rubbish, session, run } = await fullInTheMiddle(t);
  t.match(await session.ask('plan hold all'), /^400 AUDIT UNAVAILABLE: .*full/);
  t.notMatch(await session.ask('plan'), /held/);
  t.match(await session.ask(`plan cancel ${run} --undo`), /^400 WRONG STATE: all has no undo/);
  t.match(await session.ask(`plan cancel ${run}`), /^run \S+ all running .*reason="cancelled by admin: no further order is sent, and its end is written down as soon as the disk can be written"/);
  t.match(await session.ask(`plan status ${run}`), /^run \S+ all running .*reason="cancelled by admin: no further order is sent, /m);
  await killHard(session);
  const next = await open(t, { config: CONFIG, folder });
  unlinkSync(rubbish);
  t.match(await ended(next, run), /^run \S+ all cancelled .*reason="(?:it was ended before a restart, while the disk could not be written|cancelled by admin)"/);
  await next.story.until(/^plan all cancelled/);
  t.notOk(next.story.lines.some((line) => line.startsWith('action ')), 'nothing was ordered');
  t.match(await next.ask('plan'), /^all idle last=cancelled/);
});
