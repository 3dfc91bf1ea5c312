import t, { type Test } from 'tap';
import type { AuditNews } from '../../src/store/audit-entry.js';
import { CutDisk, lacksCutDisk } from '../peers/cut-disk.js';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { seededRandom } from '../support/seeded-random.js';
import { until } from '../support/until.js';
import { Callers } from './support/fleet-callers.js';
import { storedAudits, storedEvents, type AuditCopy } from './support/fleet-bus.js';
import { Fleet, type Member } from './support/fleet.js';

/**
 * The power of a site, and of a front, fails in the middle of orders: what was not brought to the disk is lost. The machines count what is
 * done to them on another disk, so that it is known what was really done.
 */

const skip = lacksCutDisk() || lacks(...NATS_PROGRAMS);
if (skip !== false) {
  t.plan(0, skip);
  process.exit(0);
}

const CALLERS = 6;
/** Machines that a caller orders with one line. */
const AT_ONCE = 12;
/** Enough that each order that is in doubt can have one of its own. */
const MACHINES = 700;
/** From an order to its effect, ms: some are always in the air. */
const DELAY = 40;
/** Whose power fails. */
const CUTS = ['berlin', 'f1', 'berlin', 'f1'] as const;
/** Orders that are done between two cuts: so many, and up to so many more. */
const [LEAST, SPREAD] = [300, 200];

const seed = Date.now() % 1_000_000;
const random = seededRandom(seed);
/** For orders that are alone. */
const QUIET = 'quiet';
const NAMES = Array.from({ length: MACHINES }, (_, index) => `vm${String(index + 1).padStart(4, '0')}`);

const cutDisk = (name: string): CutDisk => {
  const disk = new CutDisk(name);
  t.teardown(() => disk.remove());
  return disk;
};
const disks = { berlin: cutDisk('berlin'), f1: cutDisk('f1') };
const fleet = await Fleet.start(t, {
  sites: { berlin: { counted: { names: [QUIET, ...NAMES], delay: DELAY }, stateDir: disks.berlin.folder } },
  fronts: { f1: { stateDir: disks.f1.folder }, f2: {} },
});
const [berlin, f1, f2] = [fleet.site('berlin'), fleet.front('f1'), fleet.front('f2')];
const callers = new Callers(fleet, NAMES, AT_ONCE);

/** How many of each there are. */
const counted = <T>(all: readonly T[]): Map<T, number> => all.reduce((counts, one) => counts.set(one, (counts.get(one) ?? 0) + 1), new Map<T, number>());
const twice = <T>(all: readonly T[]): T[] => [...counted(all)].filter(([, count]) => count > 1).map(([one]) => one);

/** Cuts the power of a member and gives it back; it starts on what is left. */
async function cutPower(t: Test, name: keyof typeof disks): Promise<void> {
  const [member, disk]: [Member, CutDisk] = name === 'berlin' ? [berlin, disks.berlin] : [f1, disks.f1];
  await disk.cut(member.daemon.pid);
  await member.kill();
  t.same(disk.restore(), disk.wanted, 'what was only written is lost, what was brought to the disk is there');
  await member.start();
  await fleet.isUp('f1', 'berlin');
}

const eventsArrive = (): Promise<void> => until(async () => /^berlin up .* outbox=0 /m.test(await f1.ask('fleet')), LONG, 'the events to be delivered');
/** The messages of the front's audit as the stream has them, and their entries. */
const auditMessages = async (): Promise<AuditCopy[]> => (await storedAudits(fleet.nats)).filter(({ front }) => front === 'f1');
const auditCopies = async (): Promise<AuditNews[]> => (await auditMessages()).flatMap(({ entries }) => entries);
const isEnd = (entry: AuditNews): boolean => 'outcome' in entry;
/** The end of the last entry of the front's audit is in the stream. */
async function auditArrives(): Promise<void> {
  const newest = f1.audit().at(-1)!.id;
  await until(async () => (await auditCopies()).some((entry) => entry.id === newest && isEnd(entry)), LONG, 'the last entry to arrive');
}

const haveDone = (count: number, what: string): Promise<void> => until(() => {
  callers.mustHaveMachines();
  return callers.tally.done >= count;
}, LONG, what);

/** One order, which is sent again for as long as it is certain that nothing was done. */
const order = (): Promise<void> => until(async () => {
  const answer = await f1.ask(`reboot berlin.kvm1/${QUIET}`);
  if (answer !== '' && !answer.startsWith('400 UNREACHABLE')) throw new Error(answer);
  return answer === '';
}, LONG, 'an order to be done');

await t.test('the power fails as soon as all is told', { timeout: 300_000 }, async (t) => {
  const cuts = ['berlin', 'f1'] as const;
  for (const name of cuts) {
    await order();
    await eventsArrive();
    await auditArrives();
    await cutPower(t, name);
  }
  await order();
  t.equal(fleet.machines('berlin').acts(QUIET), 'r'.repeat(cuts.length + 1), 'each was done once');
});

await t.test('orders, while the power fails again and again', { timeout: 300_000 }, async (t) => {
  t.comment(`seed ${seed}`);
  let isOver = false;
  const calling = Promise.all(Array.from({ length: CALLERS }, (_, index) => callers.call(index % 2 === 0 ? f1 : f2, 'berlin', () => isOver)));
  for (const name of CUTS) {
    const enough = callers.tally.done + LEAST + random.below(SPREAD);
    await haveDone(enough, 'some orders to be done');
    await cutPower(t, name);
  }
  const last = callers.tally.done + LEAST;
  await haveDone(last, 'orders to be done as ever');
  isOver = true;
  await calling;
  await until(async () => await berlin.ask('task') === '', LONG, 'all that is under way to end');

  const { acted, strange, tally: { done, refused, uncertain, early } } = callers;
  t.comment(`${done} done, ${refused} refused, ${uncertain} in doubt of which ${acted - done} were done; ${acted} acts`);
  t.same(callers.wrong, [], 'told done and not done, done twice, or told refused and done');
  t.equal(early, 0, 'what is told to be done is done by then');
  t.same(strange.slice(0, 10), [], 'no other answers');
  t.ok(uncertain <= CUTS.length * CALLERS * AT_ONCE, 'no more are in doubt than can have been in the air');
});

await t.test('the audit of the site has every order that was sent', async (t) => {
  const entries = berlin.audit();
  t.same(twice(entries.map(({ id }) => id)), []);
  const begun = counted(entries.map(({ instance }) => instance.replace('kvm1/', 'berlin/')));
  const without = [...callers.told.keys()].filter((machine) => (begun.get(machine) ?? 0) < callers.acts(machine));
  t.same(without, [], 'an entry for each act');
});

await t.test('what has happened is in the stream of events in order, and once', async (t) => {
  await eventsArrive();
  const events = await storedEvents(fleet.nats);
  const numbers = events.map(({ seq }) => seq);
  t.same(numbers.filter((seq, at) => at > 0 && seq !== numbers[at - 1]! + 1).slice(0, 10), [], `${numbers.length} events: numbers without a gap, none twice`);
  const deeds = events.filter(({ type }) => type === 'action').map(({ event }) => `${String(event['auditId'])} ${String(event['outcome'])}`);
  t.same(twice(deeds).slice(0, 10), [], 'no deed twice');
  const told = new Set(events.map(({ event }) => event['auditId']));
  const untold = berlin.audit().filter(({ id }) => !told.has(id));
  t.comment(`${untold.length} orders are in the audit alone`);
  t.ok(untold.length <= CUTS.length * CALLERS * AT_ONCE, 'no more than can have been in the air when the power failed');
});

await t.test('the audit of the front is in the stream of audits in order, and once', async (t) => {
  // what was begun as the power failed never ends
  await order();
  await auditArrives();
  const [audit, copies] = [f1.audit(), await auditMessages()];
  const entries = copies.flatMap((copy) => copy.entries);
  const strange = copies.filter(({ outbox, from, to, lost, entries: { length } }, at) =>
    lost !== undefined || outbox !== copies[0]!.outbox || from !== (copies[at - 1]?.to ?? 0) + 1 || to - from + 1 !== length);
  t.same(strange.map(({ outbox, from, to, lost }) => ({ outbox, from, to, lost })).slice(0, 10), [], `${copies.length} messages: in order, without a gap, and none is said to be lost`);
  t.same(twice(entries.map((entry) => `${entry.id} ${isEnd(entry) ? 'ended' : 'begun'}`)).slice(0, 10), [], 'none twice');
  const begun = new Set(entries.filter((entry) => !isEnd(entry)).map(({ id }) => id));
  const late = new Map(entries.map((entry, at) => [`${entry.id} ${isEnd(entry)}`, at] as const));
  t.same(audit.map(({ id }) => id).filter((id) => late.get(`${id} true`)! < late.get(`${id} false`)!).slice(0, 10), [], 'no end before its beginning');
  t.same(audit.map(({ id }) => id).filter((id) => !begun.has(id)).slice(0, 10), [], `none of ${audit.length} beginnings is missing`);
});
