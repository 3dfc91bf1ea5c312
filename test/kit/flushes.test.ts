import t from 'tap';
import { SLICE, WRITES_A_LOOK } from '../../src/kit/limits.js';
import { flushInTurn } from '../../src/kit/flushes.js';

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

await t.test('what is due together is written in slices, in order, and none is left out', async (t) => {
  let now = 1000;
  t.intercept(performance, 'now', { value: () => now });
  const written: number[] = [];
  const count = 5 * WRITES_A_LOOK;
  for (let i = 0; i < count; i += 1) flushInTurn(() => { written.push(i); now += SLICE / WRITES_A_LOOK; });
  t.same(written, [], 'not before the turn is over');
  const inTurns: number[] = [];
  while (written.length < count) {
    await turn();
    inTurns.push(written.length);
    if (inTurns.length > 20) break;
    if (written.length === 2 * WRITES_A_LOOK) flushInTurn(() => written.push(count));
  }
  t.same(inTurns.slice(0, 5), [1, 2, 3, 4, 5].map((slices) => slices * WRITES_A_LOOK));
  while (written.length <= count && inTurns.push(0) < 20) await turn();
  t.same(written, Array.from({ length: count + 1 }, (_, i) => i), 'what came meanwhile is the last');
});

await t.test('where there is time, all go out in one turn', async (t) => {
  t.intercept(performance, 'now', { value: () => 1000 });
  let written = 0;
  for (let i = 0; i < 100; i += 1) flushInTurn(() => { written += 1; });
  await turn();
  t.equal(written, 100);
});
