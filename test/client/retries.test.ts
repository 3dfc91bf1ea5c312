import t from 'tap';
import { Retries } from '../../src/client/retries.js';

await t.test('each time twice as long, up to a limit', (t) => {
  const retries = new Retries(500, 30_000);
  t.same(Array.from({ length: 8 }, () => retries.failed(0)), [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  t.end();
});

await t.test('what was there and is gone at once is not asked at once each time', (t) => {
  const retries = new Retries(500, 30_000);
  t.same([0, 10, 20, 30_000].map((lasted) => retries.failed(lasted)), [500, 1000, 2000, 4000]);
  t.same([30_001, 0].map((lasted) => retries.failed(lasted)), [500, 1000], 'what has lasted begins anew');
  t.end();
});

await t.test('a pause that nobody waits for any longer', async (t) => {
  const ends = new AbortController();
  const pause = new Retries(3_600_000, 3_600_000).pause(0, ends.signal);
  ends.abort();
  await t.resolves(pause);
});
