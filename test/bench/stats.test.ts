import t from 'tap';
import { interleave, median, pairedRatio, summarise } from '../../bench/stats.js';

await t.test('median', async (t) => {
  t.equal(median([3]), 3);
  t.equal(median([10, 2, 9]), 9, 'of an odd number the middle one, sorted as numbers');
  t.equal(median([4, 1, 3, 2]), 2.5, 'of an even number the mean of the two in the middle');
  const values = [3, 1, 2];
  median(values);
  t.same(values, [3, 1, 2], 'leaves its input as it is');
  t.throws(() => median([]), RangeError);
});

await t.test('summarise keeps the runs in their order', async (t) => {
  t.same(summarise([5, 1, 3]), { median: 3, min: 1, max: 5, runs: [5, 1, 3] });
});

await t.test('a machine that is slow for a while does not change the ratio', async (t) => {
  t.equal(pairedRatio([100, 50, 100, 10, 100], [200, 100, 200, 20, 200]), 0.5);
  t.throws(() => pairedRatio([1], [1, 2]), RangeError);
});

await t.test('interleave takes turns, and every other round backwards', async (t) => {
  const order: string[] = [];
  const step = (name: string) => async () => `${name}${order.push(name)}`;
  const results = await interleave(3, [step('a'), step('b')]);
  t.same(order, ['a', 'b', 'b', 'a', 'a', 'b']);
  t.same(results, [['a1', 'a4', 'a5'], ['b2', 'b3', 'b6']]);
});
