import t from 'tap';
import { BusError, type Bucket } from '../../../src/fleet/contract.js';
import { CLOCKS, inOwnTime, Member, pass, STEP, TIMES, until, watched } from '../../support/fleet/lease-world.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';

/** How one is taken over at a bus that may tell two that they have it. */

inOwnTime();

/** Courses of what dies, hangs and is lost. */
const SEEDS = 20;

/**
 * A bucket as of nats-server 2.9: its leader compares a write's revision when it is asked, and stores it when the others have it, each
 * after the one before. What is under way is compared with nothing.
 */
class Leader {
  #last = Promise.resolve();

  /** @param lag of the next write, ms, and whether its answer is lost */
  constructor(readonly lag: () => { readonly ms: number; readonly isLost?: boolean }) {}

  readonly seen = (bucket: Bucket): Bucket => ({
    ...bucket,
    update: async (key, value, revision) => {
      const there = (await bucket.get(key))?.revision ?? 0;
      if (there !== revision) throw new BusError('conflict', `it is at ${there}, not ${revision}`);
      const { ms, isLost } = this.lag();
      const stored = this.#last.then(() => new Promise((done) => { setTimeout(done, ms); })).then(() => bucket.put(key, value));
      this.#last = stored.then(() => undefined, () => undefined);
      const result = await stored;
      if (isLost === true) throw new BusError('store', 'its answer was lost');
      return result;
    },
  });
}

/** Gives them up at a bus whose answers take time. */
async function giveUp(members: readonly Member[]): Promise<void> {
  let isOver = false;
  void Promise.all(members.map(({ lease }) => lease.close())).then(() => { isOver = true; });
  await until(() => isOver, 'all to be given up');
}

/** Numbers from 0 to 1 that are the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

void t.test('two who are told that they have taken over the same revision do not both hold it', async (t) => {
  const hub = new MemoryHub();
  const leader = new Leader(() => ({ ms: 20 }));
  const members = ['berlin', 'paris', 'rome'].map((site) => new Member(hub, site, undefined, undefined, leader.seen));
  const most = watched(members);
  const [first, ...others] = members as [Member, Member, Member];
  first.lease.start();
  await until(() => first.isHeld, 'the first to hold it');
  others.forEach(({ lease }) => lease.start());
  await until(() => others.every(({ lease }) => lease.holder === 'berlin'), 'the others to know of it');
  first.die();
  await until(() => others.every(({ lease }) => lease.term === 2), 'both to have been told that they have it');
  await until(() => others.some(({ isHeld }) => isHeld), 'one to hold it');
  await pass(3 * TIMES.ttl);
  t.equal(most(), 1);
  t.same(others.map(({ lease }) => lease.term), [2, 2]);
  t.same(others.map(({ lease }) => lease.holder).filter(Boolean), [others.find(({ isHeld }) => isHeld)!.site]);
  await giveUp(members);
});

void t.test('who hears late that he has taken it over waits for a whole term, and so does who could not write for long', async (t) => {
  const hub = new MemoryHub();
  let ms = TIMES.look;
  const leader = new Leader(() => ({ ms }));
  const one = new Member(hub, 'berlin', undefined, undefined, leader.seen);
  one.lease.start();
  await until(() => one.lease.trouble?.includes('to store it, so that another site may have been told the same') === true, 'it to say why it does not have it');
  ms = TIMES.look - STEP;
  const began = CLOCKS.steady();
  await until(() => one.isHeld, 'it to hold it');
  t.ok(CLOCKS.steady() - began > TIMES.ttl);
  ms = TIMES.look * 3;
  await pass(TIMES.ttl);
  t.equal(one.ended, 0, 'what is held is renewed, however slowly, as long as it does not end meanwhile');
  ms = TIMES.ttl - TIMES.margin;
  await until(() => !one.isHeld, 'it to end');
  ms = 0;
  const ended = CLOCKS.steady();
  await until(() => one.isHeld, 'it to hold it again');
  t.ok(CLOCKS.steady() - ended > TIMES.ttl);
  await giveUp([one]);
});

void t.test('whatever dies, hangs, is lost or stored late: nobody holds it beside another, and somebody has it in the end', async (t) => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const hub = new MemoryHub();
    const random = numbers(seed);
    let isWild = true;
    // most are fast, as they are of a leader that has its others; some wait for a new leader
    const lag = (): number => Math.round(random() ** 6 * (random() < 0.2 ? 2 * TIMES.ttl : TIMES.look * 1.5));
    const leader = new Leader(() => isWild ? { ms: lag(), isLost: random() < 0.1 } : { ms: STEP });
    const members = ['berlin', 'paris', 'rome', 'oslo'].map((site) => new Member(hub, site, undefined, undefined, leader.seen));
    const most = watched(members);
    members.forEach(({ lease }) => lease.start());
    for (let turn = 0; turn < 12; turn += 1) {
      await pass(TIMES.ttl * random());
      const one = members.find(({ isHeld }) => random() < 0.5 && isHeld) ?? members[Math.floor(random() * members.length)]!;
      if (random() < 0.5) one.bus.hangs = !one.bus.hangs;
      else if (one.bus.trouble === undefined) one.die();
      else one.bus.restore();
    }
    isWild = false;
    members.forEach(({ bus }) => { bus.restore(); });
    await until(() => members.some(({ isHeld }) => isHeld), 'one to hold it');
    t.equal(most(), 1, `seed ${seed}`);
    await giveUp(members);
  }
});
