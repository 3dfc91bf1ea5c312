import { getEventListeners } from 'node:events';
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
  const signals = Array.from({ length: 1000 }, () => new AbortController().signal);
  const all = Array.from({ length: 100_000 }, (_, number) => places.take(signals[number % 1000]!).then((leave) => {
    served += 1;
    leave();
  }));
  t.equal(signals.every((signal) => getEventListeners(signal, 'abort').length === 1), true, 'a signal of many has one listener, so that Node warns of none');
  leave();
  await Promise.all(all);
  t.equal(served, 100_000);
  t.equal(signals.some((signal) => getEventListeners(signal, 'abort').length > 0), false);
});

await t.test('what goes first passes what waits, and has spare places', async (t) => {
  const places = new Places(1, 8, 1);
  const order: string[] = [];
  const ask = (name: string, first: boolean) => places.take(never, first).then((leave) => {
    order.push(name);
    return leave;
  });
  const reading = await ask('reading', false);
  const acting = await ask('acting', true);
  const further = ask('further reading', false);
  const urgent = ask('urgent', true);
  reading();
  (await urgent)();
  acting();
  (await further)();
  t.same(order, ['reading', 'acting', 'urgent', 'further reading']);
  t.equal(places.taken, 0);
});

await t.test('fewer for a while', async (t) => {
  const places = new Places(4, 8, 2);
  const leave = await places.take(never);
  places.narrow(0);
  let entered = 0;
  const others = [true, false, false].map((first) => places.take(never, first).then((free) => {
    entered += 1;
    return free;
  }));
  await new Promise((resolve) => { setImmediate(resolve); });
  t.equal(entered, 0);
  places.widen();
  (await Promise.all(others)).forEach((free) => free());
  leave();
  t.equal(places.taken, 0);
});

await t.test('who waits is sent away at the end', async (t) => {
  const places = new Places(1, 8);
  const leave = await places.take(never);
  const waiting = [false, true].map((first) => places.take(never, first));
  places.clear(new Error('closed'));
  for (const each of waiting) await t.rejects(each, { message: 'closed' });
  leave();
  (await places.take(never))();
  t.equal(places.taken, 0);
});
