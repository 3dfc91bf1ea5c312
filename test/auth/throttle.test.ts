import t from 'tap';
import { originOf } from '../../src/auth/networks.js';
import { Throttle, type Attempt } from '../../src/auth/throttle.js';

const MINUTE = 60_000;
const busy = { message: /^BUSY/ };

/** A throttle on a clock that the test sets. */
function throttled() {
  const clock = { now: 1000 };
  const throttle = new Throttle(() => clock.now);
  const enter = (account: string, address: string): Attempt => throttle.enter(account, originOf(address));
  const fail = (account: string, address: string, times = 1): void => {
    for (let count = 0; count < times; count += 1) throttle.failed(account, originOf(address));
  };
  const succeed = (account: string, address: string): void => throttle.succeeded(account, originOf(address));
  const delay = (account: string, address: string): number => {
    const attempt = enter(account, address);
    attempt.leave();
    return attempt.delay;
  };
  return { throttle, clock, enter, fail, succeed, delay };
}

/** An address of a region, a network and a place in it. */
const ipv4 = (region: number, network = 0, host = 1): string => `10.${region}.${network}.${host}`;

await t.test('the delay at one account from one address grows, and has a limit', async (t) => {
  const { fail, delay } = throttled();
  const delays = Array.from({ length: 11 }, () => {
    const ms = delay('steve', ipv4(1));
    fail('steve', ipv4(1));
    return ms;
  });
  t.same(delays, [0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  t.equal(delay('steve', ipv4(2)), 0, 'its owner elsewhere is not concerned');
  t.equal(delay('steve', ipv4(1, 0, 2)), 0, 'nor next door');
});

await t.test('the delay of an address grows, whichever accounts are tried', async (t) => {
  const { fail, delay } = throttled();
  for (let count = 0; count < 10; count += 1) fail(`name${count}`, ipv4(1));
  t.equal(delay('steve', ipv4(1)), 0);
  fail('name10', ipv4(1));
  t.equal(delay('steve', ipv4(1)), 250);
  fail('name11', ipv4(1));
  t.equal(delay('steve', ipv4(1)), 500);
  t.equal(delay('steve', ipv4(1, 0, 2)), 0);
});

await t.test('a login clears what failed at its account from its address, and not the address', async (t) => {
  const { fail, succeed, delay } = throttled();
  fail('steve', ipv4(1), 20);
  succeed('steve', ipv4(1));
  t.equal(delay('steve', ipv4(1)), 0);
  t.equal(delay('bob', ipv4(1)), 15_000, 'who knows one password does not guess another\'s with it');
});

await t.test('failures are forgotten, and then counted from the first', async (t) => {
  const { fail, clock, delay } = throttled();
  fail('steve', ipv4(1), 20);
  clock.now += 15 * MINUTE;
  t.equal(delay('steve', ipv4(1)), 15_000, 'not quite yet');
  clock.now += 1;
  t.equal(delay('steve', ipv4(1)), 0);
  fail('steve', ipv4(1));
  t.equal(delay('steve', ipv4(1)), 0, 'one failure after a long time is one failure');
});

await t.test('many addresses of one network, or of one region, are slowed together; newcomers among them less', async (t) => {
  for (const addressOf of [(count: number) => ipv4(1, 1, count), (count: number) => `2001:db8:1:${count.toString(16)}::1`]) {
    const { fail, delay } = throttled();
    for (let count = 1; count <= 50; count += 1) fail(`name${count}`, addressOf(count));
    fail('again', addressOf(1), 2);
    t.equal(delay('another', addressOf(1)), 15_000);
    t.equal(delay('another', addressOf(99)), addressOf(1).includes(':') ? 15_000 : 4000, 'of an IPv6 network all is one');
    t.equal(delay('another', ipv4(9)), 0);
  }
  const { fail, delay } = throttled();
  for (let count = 1; count <= 170; count += 1) fail(`name${count}`, ipv4(1, count));
  fail('again', ipv4(1, 1), 2);
  t.equal(delay('another', ipv4(1, 1)), 15_000);
  t.equal(delay('another', ipv4(1, 200)), 4000);
  t.equal(delay('another', ipv4(2, 200)), 0);
});

await t.test('guesses at one account from everywhere are slowed, its owner\'s known places are not', async (t) => {
  const { clock, enter, fail, succeed, delay } = throttled();
  succeed('steve', ipv4(200));
  for (let count = 0; count < 110; count += 1) fail('steve', ipv4(count));
  t.equal(delay('steve', ipv4(200)), 0);
  t.equal(enter('steve', ipv4(200)).turn.isFirst, true);
  t.equal(delay('steve', ipv4(201)), 4000, 'from a new place it takes a moment');
  fail('steve', ipv4(201), 2);
  t.equal(delay('steve', ipv4(201)), 15_000, 'and longer after two failures');
  t.equal(delay('bob', ipv4(202)), 0, 'another account is not concerned');
  for (let count = 0; count < 9; count += 1) fail('x', ipv4(count));
  const leaves = Array.from({ length: 8 }, (_, count) => enter('steve', ipv4(count)).leave);
  t.throws(() => enter('steve', ipv4(8)), busy, 'eight at a time');
  t.equal(delay('steve', ipv4(203)), 4000, 'newcomers have room of their own');
  const newcomers = Array.from({ length: 8 }, (_, count) => enter('steve', ipv4(210 + count)).leave);
  t.throws(() => enter('steve', ipv4(220)), busy, 'which has a limit too');
  t.equal(delay('steve', ipv4(200)), 0, 'none of it concerns a known place');
  [...leaves, ...newcomers].forEach((leave) => leave());
  clock.now += 2 * MINUTE;
  t.equal(delay('steve', ipv4(221)), 0, 'it passes by and by');
});

await t.test('where an account has logged in, only failures at it from there make it wait', async (t) => {
  const { clock, enter, fail, succeed, delay } = throttled();
  succeed('steve', ipv4(1));
  for (let count = 0; count < 60; count += 1) fail(`name${count}`, ipv4(1));
  const crowd = Array.from({ length: 4 }, (_, count) => enter(`name${count}`, ipv4(1)).leave);
  t.throws(() => enter('bob', ipv4(1)), busy);
  t.equal(delay('steve', ipv4(1)), 0, 'whatever others do from there');
  crowd.forEach((leave) => leave());
  fail('steve', ipv4(1), 3);
  t.equal(delay('steve', ipv4(1)), 250);
  t.equal(enter('steve', ipv4(1)).turn.isFirst, false, 'who guesses there does not go first');
  for (let count = 0; count < 200; count += 1) fail('steve', ipv4(1));
  t.equal(delay('steve', ipv4(2)), 0, 'nor slows the account elsewhere');
  clock.now += 7 * 24 * 60 * MINUTE + 1;
  t.equal(enter('steve', ipv4(1)).turn.isFirst, false, 'it is forgotten after a week');
});

await t.test('what is known of accounts that are no more is forgotten', async (t) => {
  const { throttle, enter, succeed } = throttled();
  succeed('steve', ipv4(1));
  succeed('bob', ipv4(1));
  throttle.forgetAccounts((name) => name === 'steve');
  t.equal(enter('steve', ipv4(1)).turn.isFirst, false);
  t.equal(enter('bob', ipv4(1)).turn.isFirst, true);
});

await t.test('how many are under way at a time', async (t) => {
  const { enter, fail, succeed, delay } = throttled();
  const many = Array.from({ length: 32 }, () => enter('steve', ipv4(1)));
  t.same(new Set(many.map((attempt) => attempt.delay)), new Set([0]), 'many scripts may log in at a time');
  t.throws(() => enter('another', ipv4(1)), busy, 'but no more from one address');
  t.equal(delay('steve', ipv4(2)), 0);
  many.shift()?.leave();
  t.equal(delay('another', ipv4(1)), 0, 'one that leaves makes room');
  many.forEach(({ leave }) => leave());
  fail('steve', ipv4(1), 3);
  const four = Array.from({ length: 4 }, () => enter('steve', ipv4(1)).leave);
  t.throws(() => enter('steve', ipv4(1)), busy, 'at one account from one address, once it is slowed');
  t.equal(delay('bob', ipv4(1)), 0);
  four.forEach((leave) => leave());
  succeed('steve', ipv4(1));
  const known = Array.from({ length: 32 }, () => enter('steve', ipv4(1)).leave);
  t.throws(() => enter('steve', ipv4(1)), busy, 'known places have a limit too');
  known.forEach((leave) => leave());
  t.equal(delay('steve', ipv4(1)), 0);
});

await t.test('a region takes half of the room for delays at most', async (t) => {
  const { enter, fail } = throttled();
  const delayed = (region: number): number => {
    let count = 0;
    try {
      for (; count < 2000; count += 1) {
        const account = `name${region} ${count}`;
        const address = ipv4(region, Math.floor(count / 4));
        fail(account, address, 3);
        enter(account, address);
      }
    } catch {
      return count;
    }
    return count;
  };
  // failures of its own make the region's limit the first that holds
  t.ok(delayed(1) <= 512);
  t.ok(delayed(2) > 0);
});

await t.test('the memory has a limit, whatever is tried from wherever; the last ones are kept', async (t) => {
  const { throttle, fail, succeed, delay, enter } = throttled();
  fail('first', ipv4(1), 5);
  const addressOf = (count: number): string => `2001:${(count >> 12).toString(16)}:${(count & 0xfff).toString(16)}:1::1`;
  for (let count = 0; count < 30_000; count += 1) {
    fail(`${count}${'x'.repeat(1000)}`, addressOf(count));
    succeed('steve', addressOf(count));
  }
  t.ok(throttle.remembered <= 5 * 10_000 + 64, `${throttle.remembered}`);
  t.equal(delay('first', ipv4(1)), 0, 'pushed out by many others');
  fail('name1', ipv4(2), 3);
  t.not(delay('name1', ipv4(2)), 0);
  t.equal(enter('steve', addressOf(29_999)).turn.isFirst, true);
  t.equal(enter('steve', addressOf(0)).turn.isFirst, false);
});
