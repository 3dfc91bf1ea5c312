import t from 'tap';
import { inPortions } from '../../../src/drivers/host/portions.js';

await t.test('all at the same time, in order, with turns for others between', async (t) => {
  const items = Array.from({ length: 1050 }, (_, index) => index);
  let begun = 0;
  let turns = 0;
  let ended = false;
  const others = (): void => {
    turns += 1;
    if (!ended) setImmediate(others);
  };
  setImmediate(others);
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => { release = resolve; });
  const results = await inPortions(items, async (item) => {
    begun += 1;
    if (begun === items.length) release();
    await gate;
    return item * 2;
  });
  ended = true;
  t.same(results, items.map((item) => item * 2));
  t.ok(turns >= 10, `${turns} turns`);
  t.same(await inPortions([], () => Promise.resolve(1)), []);
});

await t.test('a failure is told once, and leaves nothing unhandled', async (t) => {
  const outcome = inPortions(Array.from({ length: 350 }, (_, index) => index), (item) => (item % 100 === 7 ? Promise.reject(new Error(`no ${item}`)) : Promise.resolve()));
  await t.rejects(outcome, { message: 'no 7' });
});
