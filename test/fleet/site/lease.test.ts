import t from 'tap';
import { SiteKeys } from '../../../src/fleet/site-keys.js';
import { SiteLeases } from '../../../src/fleet/site/leases.js';
import { LEASES_BUCKET } from '../../../src/fleet/subjects.js';
import { CLOCKS, inOwnTime, Member, pass, sealed, signerOf, STEP, TIMES, until, value, watched } from '../../support/fleet/lease-world.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';

inOwnTime();

/** Two of whom the one in berlin holds it, and the other in paris knows that. */
async function holderAndOther() {
  const hub = new MemoryHub();
  const [one, other] = [new Member(hub, 'berlin'), new Member(hub, 'paris')];
  one.lease.start();
  await until(() => one.isHeld, 'the one to hold it');
  other.lease.start();
  await until(() => other.lease.holder === 'berlin', 'the other to know of it');
  return { hub, one, other };
}

/** The one hangs until the other holds the lease in a bucket that was made anew, under the revision that was its own. */
async function standStill(hub: MemoryHub, one: Member, other: Member): Promise<void> {
  await until(() => hub.store.get(LEASES_BUCKET, 'san1')!.revision > 8, 'it to be renewed');
  one.bus.hangs = true;
  const { revision } = hub.store.get(LEASES_BUCKET, 'san1')!;
  hub.store.empty(LEASES_BUCKET);
  await until(() => other.isHeld && hub.store.get(LEASES_BUCKET, 'san1')?.revision === revision, 'the other to have come to that revision');
  one.bus.hangs = false;
}

void t.test('one of many holds it; when that one dies, another takes it after it was unchanged for its time, with the next term', async (t) => {
  const hub = new MemoryHub();
  const members = Array.from({ length: 10 }, (_, at) => new Member(hub, `site${at}`));
  const most = watched(members);
  const began = CLOCKS.steady();
  members.forEach(({ lease }) => lease.start());
  await until(() => members.some(({ isHeld }) => isHeld), 'one to hold it');
  t.ok(CLOCKS.steady() - began >= TIMES.ttl, 'nobody takes at once what it has not seen for a whole time');
  const first = members.find(({ isHeld }) => isHeld)!;
  t.match(value(hub), { site: first.site, term: 1 });
  await until(() => members.every((one) => one === first || one.lease.holder === first.site), 'all to know who has it');
  t.match(members.find((one) => one !== first)!.lease.trouble, `no lease san1: ${first.site} has it`);
  t.equal(first.lease.trouble, undefined);
  // it goes on holding it
  await until(() => Number(value(hub)!['beat']) > 8, 'it to be renewed');
  t.ok(first.isHeld);

  const died = CLOCKS.steady();
  first.die();
  await until(() => members.some((one) => one !== first && one.isHeld), 'another to hold it');
  t.ok(CLOCKS.steady() - died >= TIMES.ttl - TIMES.renew - TIMES.look, 'not before its time is over');
  const second = members.find((one) => one !== first && one.isHeld)!;
  t.equal(second.lease.term, 2);
  t.equal(first.isHeld, false);
  t.equal(first.ended > 0, true);
  t.ok(second.lease.age <= TIMES.look, 'it was taken over just now');
  first.bus.restore();
  await until(() => first.lease.holder === second.site, 'the first to know who has it');
  t.equal(most(), 1, 'never two at a time');
  await Promise.all(members.map(({ lease }) => lease.close()));
});

void t.test('one that is given up is taken at once, as one from which nothing is under way', async (t) => {
  const { hub, one, other } = await holderAndOther();
  const began = CLOCKS.steady();
  await one.lease.close();
  t.equal(one.isHeld, false);
  await until(() => other.isHeld, 'the other to hold it');
  t.ok(CLOCKS.steady() - began < TIMES.ttl, 'without waiting');
  t.equal(other.lease.age, Infinity);
  t.equal(other.lease.term, 2);
  await other.lease.close();
  t.match(value(hub), { released: true });
});

void t.test('while the store refuses, it is held for its time and no longer; then it goes on with the same term', async (t) => {
  const hub = new MemoryHub();
  const one = new Member(hub, 'berlin');
  one.lease.start();
  await until(() => one.isHeld, 'it to be held');
  hub.store.trouble = 'no quorum';
  const began = CLOCKS.steady();
  await until(() => !one.isHeld, 'it to be held no longer');
  const lasted = CLOCKS.steady() - began;
  t.ok(lasted <= TIMES.ttl - TIMES.margin + STEP, `${lasted} ms`);
  await until(() => one.ended === 1, 'what is under way to be told');
  t.match(one.lease.trouble, /^no lease san1: no quorum/);
  hub.store.trouble = undefined;
  const back = CLOCKS.steady();
  await until(() => one.isHeld, 'it to be held again');
  t.ok(CLOCKS.steady() - back < TIMES.ttl - TIMES.margin, 'nobody else has written: there is nothing to wait for');
  t.equal(one.lease.term, 1);
  t.same(one.logged, ['info lease is held', 'warn lease cannot be asked for', 'warn lease is not held', 'info lease is held']);
  t.equal(one.changes, 3);
  await one.lease.close();
});

void t.test('an own write whose answer was lost is known again, and counts from when it was asked for', async (t) => {
  const hub = new MemoryHub();
  const one = new Member(hub, 'berlin');
  hub.store.losesAnswers = true;
  one.lease.start();
  // questions are lost as well as what they do: only writes count here
  await pass(TIMES.ttl);
  t.equal(one.isHeld, false);
  hub.store.losesAnswers = false;
  await until(() => one.isHeld, 'it to be held');
  for (let round = 0; round < 3; round += 1) {
    const beat = Number(value(hub)!['beat']);
    hub.store.losesAnswers = true;
    await until(() => Number(value(hub)!['beat']) > beat, 'a write that nobody hears of');
    hub.store.losesAnswers = false;
    await until(() => Number(value(hub)!['beat']) > beat + 2, 'it to be renewed');
    t.ok(one.isHeld);
  }
  t.equal(one.lease.term, 1);
  t.equal(one.ended, 0, 'it was held all the time');
  await one.lease.close();
});

void t.test('one that stood still does not believe that it holds it, and cannot renew it once another has it', async (t) => {
  const { hub, one, other } = await holderAndOther();
  one.bus.hangs = true;
  one.steady = TIMES.ttl;
  t.equal(one.isHeld, false, 'at once, before any timer');
  await until(() => other.isHeld, 'the other to hold it');
  one.bus.hangs = false;
  await until(() => one.lease.holder === 'paris', 'the one to know of it');
  t.equal(one.isHeld, false);
  t.match(value(hub), { site: 'paris', term: 2 });
  await Promise.all([one.lease.close(), other.lease.close()]);
  t.match(value(hub), { site: 'paris', released: true }, 'only who has it gives it up');
});

void t.test('one that stood still while it was renewed ends what is under way, though the answer comes before the timer', async (t) => {
  for (const [before, after] of [[0, TIMES.ttl - TIMES.margin], [TIMES.ttl - TIMES.margin - TIMES.renew - STEP, 2 * STEP]] as const) {
    const hub = new MemoryHub();
    let stands = false;
    const one: Member = new Member(hub, 'berlin', undefined, undefined, (bucket) => ({
      ...bucket,
      get: (key) => bucket.get(key),
      update: async (key, value, revision) => {
        if (!stands) return bucket.update(key, value, revision);
        stands = false;
        const stored = await bucket.update(key, value, revision);
        one.steady += after;
        return stored;
      },
    }));
    one.lease.start();
    await until(() => one.isHeld, 'it to be held');
    await pass(STEP);
    one.steady += before;
    stands = true;
    await until(() => !stands, 'it to be renewed');
    await until(() => one.isHeld, 'it to be held again');
    t.equal(one.ended, 1, `${before} and ${after} ms`);
    t.equal(one.logged.filter((line) => line === 'warn lease is not held').length, 1);
    await one.lease.close();
  }
});

void t.test('a computer that slept knows it by the clock of the day; one that is set back means nothing', async (t) => {
  const hub = new MemoryHub();
  const one = new Member(hub, 'berlin');
  one.lease.start();
  await until(() => one.isHeld, 'it to be held');
  one.day = 3_600_000;
  t.equal(one.isHeld, false);
  await until(() => one.isHeld, 'it to be held again by the next write');
  one.day = -3_600_000;
  t.ok(one.lease.left <= TIMES.ttl - TIMES.margin);
  hub.store.trouble = 'no quorum';
  await until(() => !one.isHeld, 'it to end by the other clock');
  await one.lease.close();
});

void t.test('one that was deleted, made anew or is of a newer version is waited for as any other', async (t) => {
  const hub = new MemoryHub();
  const [one, other] = [new Member(hub, 'berlin'), new Member(hub, 'paris')];
  const most = watched([one, other]);
  one.lease.start();
  await until(() => one.isHeld, 'the one to hold it');
  one.bus.hangs = true;
  hub.store.put(LEASES_BUCKET, 'san1', undefined);
  const began = CLOCKS.steady();
  other.lease.start();
  await until(() => other.isHeld, 'the other to hold it');
  t.ok(CLOCKS.steady() - began >= TIMES.ttl);
  t.equal(most(), 1);
  await other.lease.close();
  one.bus.hangs = false;

  const third = new Member(hub, 'rome');
  hub.store.put(LEASES_BUCKET, 'san1', Buffer.from(JSON.stringify({ v: 2, holder: 'from the future' })));
  const put = CLOCKS.steady();
  third.lease.start();
  await until(() => third.isHeld, 'the third to hold it');
  t.ok(CLOCKS.steady() - put >= TIMES.ttl);
  await Promise.all([one.lease.close(), third.lease.close()]);
});

void t.test('a bucket that counts from the beginning again is not taken for one that did not change', async (t) => {
  const hub = new MemoryHub();
  const other = new Member(hub, 'paris');
  const put = (beat: number): void => void hub.store.put(LEASES_BUCKET, 'san1', sealed(signerOf('berlin'), { v: 1, site: 'berlin', incarnation: 'x', term: 1, beat }));
  put(1);
  other.lease.start();
  const end = CLOCKS.steady() + 2 * TIMES.ttl;
  for (let beat = 2; CLOCKS.steady() < end; beat += 1) {
    await pass(TIMES.renew);
    hub.store.empty(LEASES_BUCKET);
    put(beat);
    t.equal(other.isHeld, false);
  }
  await other.lease.close();
});

void t.test('one that stood still does not write over what another has written under the same revision', async (t) => {
  const { hub, one, other } = await holderAndOther();
  const most = watched([one, other]);
  await standStill(hub, one, other);
  await until(() => one.lease.holder === 'paris', 'the one to know of it');
  t.equal(most(), 1);
  t.ok(other.isHeld);
  await Promise.all([one.lease.close(), other.lease.close()]);
  t.match(value(hub), { site: 'paris', released: true });
});

void t.test('one that stood still, and ends, does not give up what another holds under the same revision', async (t) => {
  const { hub, one, other } = await holderAndOther();
  await standStill(hub, one, other);
  await one.lease.close();
  t.match(value(hub), { site: 'paris' });
  t.notMatch(value(hub), { released: true });
  await other.lease.close();
});

void t.test('one that could not look for a while does not take what was put back meanwhile for unchanged', async (t) => {
  for (const isThere of [true, false]) {
    const hub = new MemoryHub();
    const [one, other] = [new Member(hub, 'berlin'), new Member(hub, 'paris')];
    const most = watched([one, other]);
    if (isThere) hub.store.put(LEASES_BUCKET, 'san1', sealed(signerOf('rome'), { v: 1, site: 'rome', incarnation: 'x', term: 1, beat: 1 }));
    const before = hub.store.get(LEASES_BUCKET, 'san1');
    other.lease.start();
    await pass(3 * TIMES.look);
    other.bus.hangs = true;
    one.lease.start();
    await until(() => one.isHeld, 'the one to hold it');
    hub.store.empty(LEASES_BUCKET);
    if (before !== undefined) t.equal(hub.store.put(LEASES_BUCKET, 'san1', before.value), before.revision);
    other.bus.hangs = false;
    await until(() => other.isHeld || one.isHeld, 'one of them to hold it');
    await pass(3 * TIMES.ttl);
    t.equal(most(), 1, isThere ? 'one that was there' : 'none');
    await Promise.all([one.lease.close(), other.lease.close()]);
  }
});

void t.test('the same site in another life is another holder', async (t) => {
  const hub = new MemoryHub();
  const one = new Member(hub, 'berlin');
  one.lease.start();
  await until(() => one.isHeld, 'it to be held');
  one.die();
  const again = new Member(hub, 'berlin', 'berlin-incarnation-2');
  const began = CLOCKS.steady();
  again.lease.start();
  await until(() => again.isHeld, 'the next life to hold it');
  t.ok(CLOCKS.steady() - began >= TIMES.ttl);
  t.equal(again.lease.term, 2);
  await Promise.all([one.lease.close(), again.lease.close()]);
});

void t.test('those of a configuration are asked for, and given up at the end', async (t) => {
  const hub = new MemoryHub();
  const bus = hub.connect('berlin');
  const leases = new SiteLeases({ bucket: bus.bucket(LEASES_BUCKET), site: 'berlin', incarnation: 'berlin-incarnation-1', signer: signerOf('berlin'), keys: new SiteKeys(undefined), refused: { add: () => undefined }, log: () => undefined, changed: () => undefined, times: TIMES, clocks: CLOCKS });
  leases.keep(new Set(['san1', 'san 2/ü']));
  t.equal(leases.of('san3'), undefined);
  const [one, other] = [leases.of('san1')!, leases.of('san 2/ü')!];
  await until(() => one.left > 0 && other.left > 0, 'both to be held');
  leases.keep(new Set(['san1']));
  t.ok(leases.of('san 2/ü')!.left > 0, 'what is under way by it may end');
  leases.keep(new Set(['san1', 'san 2/ü']));
  t.equal(leases.of('san 2/ü'), other);
  await leases.close();
  t.same([one.left, other.left], [0, 0]);
  t.match(value(hub), { released: true });
});

void t.test('that somebody has given it up is believed by his own signature alone, for that lease, and once', async (t) => {
  const hub = new MemoryHub();
  const keys = new SiteKeys(new Map(['berlin', 'paris'].map((site) => [site, signerOf(site).publicKey])));
  const [one, other] = [new Member(hub, 'berlin', undefined, keys), new Member(hub, 'paris', undefined, keys)];
  const most = watched([one, other]);
  one.lease.start();
  await until(() => one.isHeld, 'the one to hold it');
  other.lease.start();
  await until(() => other.lease.holder === 'berlin', 'the other to know of it');
  const { revision, value: held } = hub.store.get(LEASES_BUCKET, 'san1')!;
  one.bus.hangs = true;
  const given = { ...value(hub)!, released: true, beat: 1_000_000 };
  const forged = [sealed(signerOf('thief'), given), sealed(signerOf('berlin'), given, 'san2'), Buffer.from(JSON.stringify(given)), new Uint8Array(1), sealed(signerOf('berlin'), { ...given, term: 0 })];
  let last = revision;
  for (const bytes of forged) {
    last = hub.store.put(LEASES_BUCKET, 'san1', bytes);
    const { refused } = other;
    const count = refused.length;
    if (bytes !== forged.at(-1)) await until(() => refused.length > count, 'it to be refused');
    else await pass(5 * TIMES.look);
    t.equal(other.isHeld, false);
  }
  t.same(new Set(other.refused.map(({ reason }) => reason)), new Set(['its signature is not by the key of that site', 'it is not JSON in UTF-8']));
  hub.store.put(LEASES_BUCKET, 'san1', held);
  await until(() => other.lease.holder === 'berlin', 'the right one to be known again');
  await until(() => other.isHeld, 'it to be taken after its time');
  t.equal(most(), 1);
  t.ok(last > revision);
  one.bus.hangs = false;
  await Promise.all([one.lease.close(), other.lease.close()]);
});
