import t, { type Test } from 'tap';
import { LOOKS_A_CLOCK, SLICE } from '../../src/kit/limits.js';
import { beginSlice, giveWay, mapInSlices, Slices } from '../../src/kit/slices.js';

/** Time goes on only as the test says. */
function clock(t: Test): { pass(ms: number): void; turn(): Promise<void> } {
  let now = 1000;
  t.intercept(performance, 'now', { value: () => now });
  return { pass: (ms) => { now += ms; }, turn: () => new Promise((resolve) => { setImmediate(resolve); }) };
}

await t.test('all long work shares the slice of one turn, and one piece goes on in each', async (t) => {
  const { pass, turn } = clock(t);
  const [first, other] = [new Slices(), new Slices()];
  t.same([first.isOverNow(), other.isOverNow()], [false, false]);
  pass(SLICE);
  t.same([first.isOverNow(), other.isOverNow(), new Slices().isOverNow()], [true, true, true], 'also one that begins now');
  const went: string[] = [];
  const work = async (name: string, slices: Slices): Promise<void> => {
    for (let step = 0; step < 2; step += 1) {
      await slices.pause();
      went.push(name);
      t.notOk(slices.isOverNow(), 'a slice of its own');
      pass(SLICE);
      t.ok(slices.isOverNow());
    }
  };
  const all = Promise.all([work('first', first), work('other', other)]);
  for (let turns = 1; turns <= 4; turns += 1) {
    await turn();
    t.equal(went.length, turns, 'one a turn');
  }
  await all;
  t.same(went, ['first', 'other', 'first', 'other']);
  await turn();
  t.notOk(first.isOverNow(), 'and the next turn has its slice');
});

await t.test('what ends early leaves the rest of the turn to those behind it', async (t) => {
  const { pass, turn } = clock(t);
  await turn();
  const slices = new Slices();
  slices.isOverNow();
  pass(SLICE);
  const went: number[] = [];
  const all = [1, 2, 3, 4, 5].map(async (piece) => {
    await slices.pause();
    went.push(piece);
    pass(SLICE / 2);
  });
  await turn();
  t.same(went, [1, 2], 'as long as there is time');
  await turn();
  t.same(went, [1, 2, 3, 4]);
  await Promise.all(all);
  t.same(went, [1, 2, 3, 4, 5]);
});

await t.test('the clock is read now and then', async (t) => {
  const { pass, turn } = clock(t);
  await turn();
  const slices = new Slices();
  t.notOk(slices.isOverNow());
  pass(SLICE);
  for (let look = 1; look < LOOKS_A_CLOCK; look += 1) if (slices.isOver()) t.fail(`at look ${look}`);
  t.ok(slices.isOver());
});

await t.test('others have their turns meanwhile', async (t) => {
  const slices = new Slices();
  let others = 0;
  const other = setInterval(() => { others += 1; }, 1);
  const end = performance.now() + 10_000;
  while (others < 3 && performance.now() < end) if (slices.isOver()) await slices.pause();
  clearInterval(other);
  t.equal(others, 3);
});

await t.test('what becomes of many leaves turns to others, and is in their order', async (t) => {
  const { pass, turn } = clock(t);
  // the turn before was counted on another clock
  await turn();
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const numbers = Array.from({ length: 200 }, (_, index) => index);
  t.same(await mapInSlices(numbers, (one) => { pass(SLICE / 4); return one * 2; }), numbers.map((one) => one * 2));
  t.ok(turns > 10, `${turns} turns`);
  const before = turns;
  // to wait for what is there already is no turn for others
  t.same(
    await mapInSlices(numbers, async (one) => {
      pass(SLICE / 4);
      await Promise.resolve();
      return String(one);
    }),
    numbers.map(String),
  );
  isOver = true;
  t.ok(turns - before > 10, `${turns - before} turns`);
  t.same(await mapInSlices([], () => 1), []);
  await t.rejects(mapInSlices([1], () => Promise.reject(new Error('of one'))), { message: 'of one' });
});

await t.test('few and short steps give way where they have used up the slice between them, and not before', async (t) => {
  const { pass, turn } = clock(t);
  await turn();
  let others = 0;
  const step = async (ms: number): Promise<void> => {
    await giveWay();
    pass(ms);
  };
  setImmediate(() => { others += 1; });
  beginSlice();
  pass(SLICE / 2);
  await step(SLICE / 4);
  await step(SLICE / 4);
  t.equal(others, 0, 'what led to them counts, and they fit in with it');
  await step(SLICE / 4);
  t.equal(others, 1);
  await step(SLICE / 4);
  t.equal(others, 1, 'with a slice of their own');
});
