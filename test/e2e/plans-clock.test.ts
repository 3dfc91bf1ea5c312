import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Upsd, UPSD_PROGRAMS } from '../peers/upsd.js';
import { FakeClock } from '../support/fake-clock.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { ACCOUNTS, killHard, open, WITHIN, type Session } from './support/plans.js';

/** What begins plans by itself, with the daemon as it runs: hours that are left out or come twice, and mains that flap. */

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-plans-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const ZONE = 'Europe/Berlin';

const SCHEDULES = `${ACCOUNTS}
[providers.sim]
type = "sim"
instances = ["a", "b"]
[plans.nightly]
account = "ups"
stages = [{ name = "all", start = ["a"] }]
[plans.half-hourly]
account = "ups"
stages = [{ name = "all", start = ["b"] }]
[triggers.night]
type = "schedule"
cron = "30 2 * * *"
time-zone = "${ZONE}"
plan = "nightly"
[triggers.halves]
type = "schedule"
cron = "*/30 * * * *"
time-zone = "${ZONE}"
plan = "half-hourly"
`;

/** When runs of a plan were due, oldest first. */
async function begun({ ask }: Session, plan: string): Promise<string[]> {
  const status = await ask('plan status');
  return [...status.matchAll(new RegExp(`^run \\S+ ${plan} .*cause="\\S+ \\S+: due ([^"]+)"`, 'gm'))].map(([, due = '']) => due).reverse();
}

async function hasBegun(session: Session, plan: string, dues: readonly string[]): Promise<void> {
  await until(async () => (await begun(session, plan)).length >= dues.length, WITHIN, `${plan} to be begun`)
    .catch(async (error: unknown) => { throw new Error(`${(error as Error).message}\n${await session.ask('plan status')}\n${await session.ask('plan triggers')}`); });
}

// they mostly wait
t.jobs = 3;

void t.test('the hour that spring leaves out, and a server that is killed in it', { skip: lacks('faketime'), timeout: 300_000 }, async (t) => {
  const folder = folderOf(t);
  const clock = new FakeClock(folder);
  const start = (): Promise<Session> => open(t, { config: SCHEDULES, folder, env: clock.env });
  clock.set('2026-03-29T00:59:30Z');
  const first = await start();
  t.match(await first.ask('plan triggers'), /^night schedule plans=nightly now="next 2026-03-29T03:00:00\+02:00"$/m);
  await hasBegun(first, 'nightly', ['']);
  await killHard(first);
  clock.set('2026-03-29T01:29:55Z');
  const second = await start();
  t.same(await begun(second, 'nightly'), ['2026-03-29T03:00:00+02:00'], 'at its end, and not at half past three as well');
  await hasBegun(second, 'half-hourly', ['', '']);
  t.same(await begun(second, 'half-hourly'), ['2026-03-29T03:00:00+02:00', '2026-03-29T03:30:00+02:00']);
  t.match(await second.ask('plan triggers'), /^night schedule plans=nightly now="next 2026-03-30T02:30:00\+02:00"$/m);
  t.equal((await begun(second, 'nightly')).length, 1);
});

void t.test('the hour that comes twice in autumn, also for a clock that is set back in it', { skip: lacks('faketime'), timeout: 300_000 }, async (t) => {
  const folder = folderOf(t);
  const clock = new FakeClock(folder);
  const start = (): Promise<Session> => open(t, { config: SCHEDULES, folder, env: clock.env });
  clock.set('2026-10-25T00:29:50Z');
  const first = await start();
  await hasBegun(first, 'nightly', ['']);
  t.same(await begun(first, 'nightly'), ['2026-10-25T02:30:00+02:00'], 'the first time');
  clock.set('2026-10-25T00:29:55Z');
  await killHard(first);
  for (const [time, count] of [['2026-10-25T00:59:55Z', 2], ['2026-10-25T01:29:55Z', 3]] as const) {
    clock.set(time);
    const session = await start();
    await hasBegun(session, 'half-hourly', Array<string>(count).fill(''));
    t.match(await session.ask('plan triggers'), /^night schedule plans=nightly now="next 2026-10-26T02:30:00\+01:00"$/m);
    t.same(await begun(session, 'nightly'), ['2026-10-25T02:30:00+02:00'], 'and not the second');
    if (count === 3) t.same(await begun(session, 'half-hourly'), ['2026-10-25T02:30:00+02:00', '2026-10-25T02:00:00+01:00', '2026-10-25T02:30:00+01:00'], 'every half hour goes on through both');
    await killHard(session);
  }
  clock.set('2026-10-25T00:29:58Z');
  const back = await start();
  t.match(await back.ask('plan triggers'), /^halves schedule plans=half-hourly now="next 2026-10-25T03:00:00\+01:00"$/m, 'what has been is not due again');
});

/** How long the mains have to be away, s. */
const ON_BATTERY = 12;

void t.test('mains that flap', { skip: lacks(...UPSD_PROGRAMS), timeout: 300_000 }, async (t) => {
  const folder = folderOf(t);
  const upsd = await Upsd.start();
  t.after(() => upsd.stop());
  const session = await open(t, { folder, config: `${ACCOUNTS}
[providers.sim]
type = "sim"
instances = ["a", { name = "spare", state = "off" }]
[plans.power-cut]
account = "ups"
undo = "power-back"
stages = [{ name = "all", stop = ["*"] }]
[plans.power-back]
account = "ups"
stages = [{ name = "all", start = ["@stopped-by power-cut"] }]
[triggers.ups]
type = "nut"
url = "${upsd.url()}"
poll-interval = "500ms"
start = [{ plan = "power-cut", when = "on-battery for ${ON_BATTERY}s" }]
stop = { when = "on-line for 1s" }
min-interval = "1h"
` });
  const { ask, daemon } = session;
  const shows = (status: RegExp): Promise<void> => until(async () => status.test(await ask('plan triggers')), WITHIN, `${status} in what the trigger knows`);
  const runs = async (plan: string): Promise<number> => [...(await ask('plan status')).matchAll(new RegExp(`^run \\S+ ${plan} `, 'gm'))].length;
  for (let time = 0; time < 8; time += 1) {
    await upsd.says({ 'ups.status': 'OB' });
    await shows(/: on battery, OB/);
    await upsd.says({ 'ups.status': 'OL' });
    await shows(/: on line, OL/);
  }
  t.equal(await runs('power-cut'), 0, 'none of the cuts was long enough, and they are not added up');
  await upsd.says({ 'ups.status': 'OB' });
  await until(async () => await ask('status a') === 'off', WITHIN, 'the long one to count');
  await upsd.says({ 'ups.status': 'OL' });
  await until(async () => await ask('status a') === 'on', WITHIN, 'what was stopped to be started');
  t.equal(await ask('status spare'), 'off', 'and nothing else');
  await upsd.says({ 'ups.status': 'OB' });
  await until(() => daemon.stderr().includes('the plan waits: it was begun just before'), WITHIN, 'the next long one to wait for min-interval');
  await upsd.says({ 'ups.status': 'OL' });
  await until(() => daemon.stderr().includes('the cause is over before the plan could be begun'), WITHIN, 'that it is over to be noticed');
  t.same([await runs('power-cut'), await runs('power-back'), await ask('status a')], [1, 1, 'on']);
});
