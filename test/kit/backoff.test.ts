import t from 'tap';
import { afterFailures, longer } from '../../src/kit/backoff.js';

await t.test('what fails is left alone twice as long each time, up to a longest, however often that is', async (t) => {
  t.same([1, 2, 3, 4, 5, 2000, Number.MAX_SAFE_INTEGER].map((failures) => afterFailures(failures, 500, 3000)), [500, 1000, 2000, 3000, 3000, 3000, 3000]);
  t.equal(afterFailures(1, 500, 300), 300);
});

await t.test('what is looked at again is looked at more seldom', async (t) => {
  t.same([longer(100, 1000), longer(800, 1000), longer(1000, 1000)], [200, 1000, 1000]);
});
