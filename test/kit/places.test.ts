import t from 'tap';
import { Places } from '../../src/kit/places.js';

const never = new AbortController().signal;

await t.test('places are given out in the order of asking', async (t) => {
  const places = new Places(2, 10);
  const order: number[] = [];
  const leaves = await Promise.all([places.take(never), places.take(never)]);
  const later = [1, 2, 3].map((number) => places.take(never).then((leave) => {
    order.push(number);
    leave();
  }));
  leaves[0]();
  leaves[0]();
  await Promise.all(later);
  t.same(order, [1, 2, 3]);
});

await t.test('who is one too many is refused, and who gives up makes room', async (t) => {
  const places = new Places(1, 1);
  const leave = await places.take(never);
  const gone = new AbortController();
  const waiting = places.take(gone.signal);
  await t.rejects(places.take(never), { message: /^BUSY/ });
  gone.abort(new Error('gone'));
  await t.rejects(waiting, { message: 'gone' });
  await t.rejects(places.take(gone.signal), { message: 'gone' });
  const next = places.take(never);
  leave();
  (await next)();
});

await t.test('a hundred thousand wait and are served', async (t) => {
  const places = new Places(1, 100_000);
  const leave = await places.take(never);
  let served = 0;
  const signals = Array.from({ length: 10_000 }, () => new AbortController().signal);
  const all = Array.from({ length: 100_000 }, (_, number) => places.take(signals[number % 10_000]!).then((leave) => {
    served += 1;
    leave();
  }));
  leave();
  await Promise.all(all);
  t.equal(served, 100_000);
});
