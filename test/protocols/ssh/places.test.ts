import t from 'tap';
import { Places } from '../../../src/protocols/ssh/places.js';

const never = new AbortController().signal;

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

await t.test('no more than the host takes, until it is another connection', async (t) => {
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
