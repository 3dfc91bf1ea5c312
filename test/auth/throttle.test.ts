import t from 'tap';
import { Throttle } from '../../src/auth/throttle.js';

const MINUTE = 60_000;

/** A throttle on a clock that the test sets. */
function throttled(): { throttle: Throttle; clock: { now: number }; delay: (account: string, address: string) => number } {
  const clock = { now: 1000 };
  const throttle = new Throttle(() => clock.now);
  const delay = (account: string, address: string): number => {
    const { delay: ms, leave } = throttle.enter(account, address);
    leave();
    return ms;
  };
  return { throttle, clock, delay };
}

await t.test('the delay of an account grows, and has a limit', async (t) => {
  const { throttle, delay } = throttled();
  const delays = Array.from({ length: 12 }, (_, index) => {
    const ms = delay('steve', `192.0.2.${index}`);
    throttle.failed('steve', `192.0.2.${index}`);
    return ms;
  });
  t.same(delays, [0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  t.equal(delay('bob', '192.0.2.1'), 0, 'another account is not concerned');
  t.equal(delay('steve', '198.51.100.9'), 15_000, 'from wherever it comes');
});

await t.test('the delay of an address grows, whichever accounts are tried', async (t) => {
  const { throttle, delay } = throttled();
  for (let count = 0; count < 10; count += 1) throttle.failed(`name${count}`, '192.0.2.1');
  t.equal(delay('steve', '192.0.2.1'), 0);
  throttle.failed('name10', '192.0.2.1');
  t.equal(delay('steve', '192.0.2.1'), 250);
  throttle.failed('name11', '192.0.2.1');
  t.equal(delay('steve', '192.0.2.1'), 500);
  t.equal(delay('steve', '192.0.2.2'), 0);
});

await t.test('a login clears its account and not its address', async (t) => {
  const { throttle, delay } = throttled();
  for (let count = 0; count < 20; count += 1) throttle.failed('steve', '192.0.2.1');
  throttle.succeeded('steve');
  t.equal(delay('steve', '192.0.2.2'), 0);
  t.equal(delay('steve', '192.0.2.1'), 15_000);
});

await t.test('failures are forgotten, and then counted from the first', async (t) => {
  const { throttle, clock, delay } = throttled();
  for (let count = 0; count < 20; count += 1) throttle.failed('steve', '192.0.2.1');
  clock.now += 15 * MINUTE;
  t.equal(delay('steve', '192.0.2.1'), 15_000, 'not quite yet');
  clock.now += 1;
  t.equal(delay('steve', '192.0.2.1'), 0);
  throttle.failed('steve', '192.0.2.1');
  t.equal(delay('steve', '192.0.2.1'), 0, 'one failure after a long time is one failure');
});

await t.test('how many wait at a time', async (t) => {
  const { throttle, delay } = throttled();
  const busy = { message: /^BUSY/ };
  const many = Array.from({ length: 8 }, () => throttle.enter('steve', '192.0.2.1').leave);
  many.forEach((leave) => leave());
  throttle.failed('steve', '192.0.2.1');
  const leaves = Array.from({ length: 4 }, () => throttle.enter('steve', '192.0.2.1').leave);
  t.throws(() => throttle.enter('steve', '192.0.2.1'), busy, 'to one account from one address, once it has failed');
  t.equal(delay('bob', '192.0.2.1'), 0);
  t.equal(delay('steve', '192.0.2.2'), 0);
  for (let count = 4; count < 32; count += 1) leaves.push(throttle.enter(`name${count}`, '192.0.2.1').leave);
  t.throws(() => throttle.enter('another', '192.0.2.1'), busy, 'from one address');
  for (let count = 32; count < 256; count += 1) leaves.push(throttle.enter('steve', `2001:db8::${count}`).leave);
  t.throws(() => throttle.enter('steve', '198.51.100.1'), busy, 'in all');
  leaves.shift()?.();
  t.equal(delay('steve', '198.51.100.1'), 0, 'one that leaves makes room');
  leaves.forEach((leave) => leave());
  t.equal(delay('steve', '192.0.2.1'), 0);
});

await t.test('the memory of failures has a limit; the last ones are kept', async (t) => {
  const { throttle, delay } = throttled();
  for (let count = 0; count < 5; count += 1) throttle.failed('first', '192.0.2.1');
  for (let count = 0; count < 10_000; count += 1) throttle.failed(`name${count}`, `2001:db8::${count.toString(16)}`);
  t.equal(delay('first', '192.0.2.1'), 0, 'pushed out by ten thousand others');
  for (let count = 0; count < 3; count += 1) throttle.failed('name1', '192.0.2.9');
  t.not(delay('name1', '192.0.2.9'), 0);
});
