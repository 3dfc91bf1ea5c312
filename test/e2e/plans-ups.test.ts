import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { LIBVIRT_PROGRAMS, startLibvirt, type LibvirtPeer } from '../peers/libvirt.js';
import { Upsd, UPSD_PROGRAMS } from '../peers/upsd.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { ACCOUNTS, auditOf, ended, killHard, open, targetsOf, WITHIN, type Session } from './support/plans.js';

/** The whole of it: a real upsd, real guests on two hypervisors, and a power cut with everything that comes with one. */

/** Guests of the first hypervisor; `spare` is off before, `deaf` ignores the power button. */
const GUESTS = ['w1', 'w2', 'spare', 'app', 'db', 'storage'] as const;
const RUNNING = ['w1', 'w2', 'app', 'deaf', 'db', 'storage'];

/** How long the mains have to be away, ms; and how long they are away when nothing is to come of it. */
const ON_BATTERY_MS = 6000;
const GLITCH_MS = 3000;

const config = (upsd: Upsd, good: LibvirtPeer, hung: LibvirtPeer): string => `${ACCOUNTS}
[groups]
workers = ["w*", "spare"]
apps = ["app", "deaf"]
[providers.kvm]
type = "libvirt"
uri = "qemu:///system?socket=${good.socket}"
[providers.other]
type = "libvirt"
uri = "qemu:///system?socket=${hung.socket}"
action-timeout = "10s"
[plans.power-cut]
account = "ups"
time-limit = "10m"
undo = "power-back"
stages = [
  { name = "workers", stop = ["@workers"], soft = "30s", then = "force" },
  { name = "apps", stop = ["@apps"], soft = "20s", then = "force", after = ["workers"] },
  { name = "db", stop = ["db*"], soft = "60s", after = ["apps"] },
  { name = "storage", stop = ["storage"], pause-before = "5m", after = ["db"] },
]
[plans.power-back]
account = "ups"
stages = [{ name = "all", start = ["@stopped-by power-cut"] }]
[triggers.ups]
type = "nut"
url = "${upsd.url()}"
poll-interval = "500ms"
start = [{ plan = "power-cut", when = "on-battery for ${ON_BATTERY_MS / 1000}s" }]
stop = { when = "on-line for 1s" }
`;

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-plans-'));
  const [upsd, good, hung] = await Promise.all([Upsd.start(), startLibvirt(), startLibvirt()]);
  t.after(async () => {
    await Promise.all([upsd.stop(), good.stop(), hung.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });
  for (const name of GUESTS) await good.defineTiny(name);
  await good.defineDeaf('deaf');
  await hung.defineTiny('w3');
  for (const name of RUNNING) await good.virsh('start', name);
  await hung.virsh('start', 'w3');
  for (const name of RUNNING) await good.guestReady(name);
  await hung.guestReady('w3');
  const start = (): Promise<Session> => open(t, { config: config(upsd, good, hung), folder });
  return { upsd, good, hung, folder, start };
}

const names = async (peer: LibvirtPeer): Promise<string[]> => (await peer.virsh('list', '--name')).stdout.split('\n').filter(Boolean).sort();

const skip = lacksRoot(...LIBVIRT_PROGRAMS, ...UPSD_PROGRAMS);

await t.test('a power cut', { skip, timeout: 600_000 }, async (t) => {
  const { upsd, good, hung, folder, start } = await setUp(t);
  const first = await start();
  await until(async () => (await first.ask('list running')).split('\n').length === RUNNING.length + 1, WITHIN, 'all guests to be seen');

  await t.test('mains that are back after three seconds', async (t) => {
    const cut = performance.now();
    await upsd.says({ 'ups.status': 'OB DISCHRG' });
    await sleep(Math.max(0, GLITCH_MS - (performance.now() - cut)));
    upsd.say({ 'ups.status': 'OL CHRG' });
    // that nothing happens can only be waited for
    await sleep(2 * ON_BATTERY_MS);
    t.match(await first.ask('plan'), /^power-cut idle$/m);
    t.equal(first.story.at(/^(?:plan|action) /), -1, 'nobody was ordered to do anything');
  });

  await t.test('mains that stay away: one stage after the other, and a hypervisor that hangs holds nobody up', async () => {
    await hung.signal('STOP');
    await upsd.says({ 'ups.status': 'OB DISCHRG' });
    await first.story.until(/^plan power-cut begun run=[0-9a-f]{8}(?! stage=)/);
    await first.story.until(/^state kvm\/w1 off/);
    await first.story.until(/^state kvm\/w2 off/);
    await first.story.until(/^plan power-cut \S+ .*stage=workers/);
    await first.story.until(/^plan power-cut begun .*stage=apps/);
    await first.story.until(/^state kvm\/app off/);
  });
  t.ok(first.story.at(/^state kvm\/w2 off/) < first.story.at(/^plan power-cut begun .*stage=apps/), 'the workers were off before the apps were asked');
  t.same(await names(good), ['db', 'deaf', 'storage'], 'in the middle of the second stage');
  const [, run = ''] = /run=(\S+)/.exec(first.story.lines.find((line) => line.startsWith('plan power-cut begun'))!)!;

  await killHard(first);
  const second = await start();
  await t.test('the server was killed, and goes on', async (t) => {
    await until(async () => / storage pausing /.test(await second.ask(`plan status ${run}`)), WITHIN, 'the last stage');
    t.same(await names(good), ['storage'], 'the deaf one was switched off at its deadline, then the database went down');
    t.equal(second.story.at(/^action kvm\/w[12] /), -1, 'what had ended was not ordered again');
    const targets = targetsOf(await second.ask(`plan status ${run}`));
    t.same(['w1', 'w2', 'spare', 'app', 'deaf', 'db'].map((name) => targets.get(`kvm/${name}`)), ['done', 'done', 'already', 'done', 'done', 'done']);
    t.match(targets.get('other/w3'), /^(?:failed|uncertain)$/, 'nobody says that the one which did not answer is off');
  });

  await t.test('mains are back before the last stage', async (t) => {
    await upsd.says({ 'ups.status': 'OL CHRG' });
    await second.story.until(/^plan power-cut cancelled /);
    await second.story.until(/^plan power-back (?:done|failed) /);
    t.match(await ended(second, run), /^run \S+ power-cut cancelled .*reason="trigger ups/);
    const targets = targetsOf(await ended(second, 'power-back'));
    t.same([...targets.keys()].sort(), ['kvm/app', 'kvm/db', 'kvm/deaf', 'kvm/w1', 'kvm/w2'], 'exactly what was switched off');
    t.same(new Set(targets.values()), new Set(['done']));
    t.same(await names(good), [...RUNNING].sort(), 'as it was: the spare one is still off, the storage was never touched');
  });

  await t.test('the audit tells the same', (t) => {
    const entries = auditOf(folder).filter(({ account }) => account === 'ups');
    const ofInstance = (instance: string): (string | null)[][] =>
      entries.filter((entry) => entry.instance === instance).map(({ command, outcome }) => [command, outcome]);
    for (const name of ['w1', 'w2', 'db']) t.same(ofInstance(`kvm/${name}`).map(([command]) => command), ['stop', 'start'], name);
    t.same(ofInstance('kvm/storage'), [], 'the storage');
    t.same(ofInstance('kvm/deaf').at(-1), ['start', 'done'], 'the deaf one');
    t.notMatch(ofInstance('other/w3').map(([, outcome]) => outcome), ['done'], 'the hung one');
    const order = entries.filter(({ command }) => command === 'stop').map(({ instance }) => instance);
    t.ok(order.lastIndexOf('kvm/w2') < order.indexOf('kvm/app') && order.lastIndexOf('kvm/app') < order.indexOf('kvm/db'), order.join(' '));
    // what was told in the moment of the kill, or before anybody watched again, is in the audit alone
    const byId = new Map(entries.map((entry) => [entry.id, entry]));
    for (const line of [first, second].flatMap(({ story }) => story.lines).filter((one) => one.startsWith('action '))) {
      const [, instance, command, outcome, id] = /^action (\S+) (\S+) (".*?"|\S+) .*audit=(\d+)/.exec(line) ?? [];
      const entry = byId.get(Number(id));
      t.same([entry?.instance, entry?.command], [instance, command], line);
      if (outcome === 'done') t.equal(entry?.outcome, 'done', line);
    }
    t.end();
  });
  await hung.signal('CONT');
});
