import t from 'tap';
import { FIGURE_SERIES } from '../../src/kit/limits.js';
import { Metrics } from '../../src/kit/metrics.js';

await t.test('a counter counts by its labels, and forgets the oldest of too many', (t) => {
  const metrics = new Metrics();
  const counter = metrics.counter('things_total', 'Things.');
  counter.add({ of: 'a' });
  counter.add({ of: 'a' }, 2);
  const [figure] = metrics.figures();
  t.same([...figure!.samples()], [{ labels: { of: 'a' }, value: 3 }]);
  for (let at = 0; at < FIGURE_SERIES; at += 1) counter.add({ of: String(at) });
  const kept = [...figure!.samples()];
  t.equal(kept.length, FIGURE_SERIES);
  t.notOk(kept.some(({ labels }) => labels?.of === 'a'), 'the first is gone');
  t.end();
});

await t.test('a histogram\'s values of one set of labels are of one moment', (t) => {
  const metrics = new Metrics();
  const histogram = metrics.histogram('time_seconds', 'Time.', [0.1, 1]);
  for (const value of [0.05, 0.5, 5]) histogram.observe({ of: 'a' }, value);
  const [figure] = metrics.figures();
  const samples = figure!.samples()[Symbol.iterator]();
  const values = [samples.next().value as { value: number }];
  histogram.observe({ of: 'a' }, 0.05);
  for (let next = samples.next(); !next.done; next = samples.next()) values.push(next.value);
  t.same(values.map(({ value }) => value), [1, 2, 3, 5.55, 3]);
  t.end();
});

await t.test('a name stands for one figure, until that has ended', (t) => {
  const metrics = new Metrics();
  metrics.counter('a_total', 'A.');
  t.throws(() => metrics.counter('a_total', 'A.'), { message: /there is a figure a_total already/ });
  metrics.remove('a_total');
  const end = metrics.collect('gauge', 'a_total', 'A.', () => []);
  end();
  metrics.counter('a_total', 'A.');
  t.throws(() => metrics.counter('A b', 'A.'), { message: /is no name of a figure/ });
  t.end();
});
