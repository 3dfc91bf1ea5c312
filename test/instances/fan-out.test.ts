import t from 'tap';
import { fanOut, Shares, type Settled } from '../../src/instances/fan-out.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

async function collect<T>(many: AsyncIterable<Settled<T, number>>): Promise<Settled<T, number>[]> {
  const all = [];
  for await (const one of many) all.push(one);
  return all;
}

void t.test('each ends once, in the order of the ends, and what is thrown is an end', async (t) => {
  const all = await collect(fanOut(numbers(4), (one) => {
    if (one === 1) throw new Error('at once');
    return one === 2 ? Promise.reject(new Error('later')) : Promise.resolve(one * 10);
  }, () => 10));
  t.equal(all.length, 4);
  t.same(all.filter(({ error }) => error === undefined).map(({ value }) => value), [0, 30]);
  t.same(all.filter(({ error }) => error !== undefined).map(({ subject, error }) => [subject, String(error)]), [[1, 'Error: at once'], [2, 'Error: later']]);
  t.same(await collect(fanOut([], () => Promise.resolve(), () => 10)), []);
});

void t.test('what is under way and what was not taken are bounded together', async (t) => {
  let begun = 0;
  const many = fanOut(numbers(1000), (one) => { begun += 1; return Promise.resolve(one); }, () => 8);
  for (let taken = 1; taken <= 20; taken += 1) {
    await many.next();
    await new Promise(setImmediate);
    t.ok(begun <= taken + 8, `${begun} begun, ${taken} taken`);
  }
  await many.return(undefined);
  const before = begun;
  await new Promise(setImmediate);
  t.equal(begun, before, 'nothing is begun for who left');
});

void t.test('others get their turns while many are begun', async (t) => {
  let turns = 0;
  let goesOn = true;
  setImmediate(function again(): void { turns += 1; if (goesOn) setImmediate(again); });
  const work = (one: number): Promise<number> => {
    for (const until = performance.now() + 0.2; performance.now() < until;);
    return Promise.resolve(one);
  };
  t.equal((await collect(fanOut(numbers(100), work, () => 100))).length, 100);
  goesOn = false;
  t.ok(turns > 5, `${turns} turns`);
});

void t.test('others get their turns also where all that is begun ends at once', async (t) => {
  let turns = 0;
  let goesOn = true;
  setImmediate(function again(): void { turns += 1; if (goesOn) setImmediate(again); });
  const work = (one: number): Promise<number> => {
    for (const until = performance.now() + 0.1; performance.now() < until;);
    return Promise.resolve(one);
  };
  t.equal((await collect(fanOut(numbers(200), work, () => 4))).length, 200);
  goesOn = false;
  t.ok(turns > 10, `${turns} turns`);
});

void t.test('subjects are taken one by one as their turn comes', async (t) => {
  let made = 0;
  const subjects = { *[Symbol.iterator]() { for (; made < 1000; made += 1) yield made; } };
  const many = fanOut(subjects, (one) => Promise.resolve(one), () => 8);
  for (let taken = 1; taken <= 3; taken += 1) await many.next();
  t.ok(made <= 11, `${made} made for 3 that were taken`);
  await many.return(undefined);
});

void t.test('subjects that break off end it when what was begun has ended', async (t) => {
  const subjects = {
    *[Symbol.iterator]() {
      yield 1;
      yield 2;
      throw new Error('no more');
    },
  };
  const ended: number[] = [];
  await t.rejects(async () => {
    for await (const { subject } of fanOut(subjects, (one) => new Promise((resolve) => setTimeout(() => resolve(one), 5)), () => 8)) ended.push(subject);
  }, { message: 'no more' });
  t.same(ended, [1, 2]);
});

void t.test('requests of one account share what may be under way; those of others do not', (t) => {
  const shares = new Shares();
  const first = shares.take('steve');
  const alone = first.most();
  const second = shares.take('steve');
  t.equal(first.most(), alone / 2);
  t.equal(shares.take('ann').most(), alone);
  second.end();
  t.equal(first.most(), alone);
  for (let count = 0; count < 1000; count += 1) shares.take('steve');
  t.ok(first.most() >= 1, 'each has some');
  t.end();
});
