import t from 'tap';
import { ConditionError, parseCondition, type ConditionWatch, type Facts, type Truth, type Vocabulary } from '../../../src/plans/triggers/conditions.js';

const WORDS: Vocabulary = { words: ['a', 'b', 'c'], numbers: { charge: '%', runtime: 'duration' } };
const GAP = 15_000;

const facts = (truths: Readonly<Record<string, Truth>>, numbers: Readonly<Record<string, number>> = {}): Facts => ({
  is: (word) => truths[word],
  compare: (word, _, holds) => (numbers[word] === undefined ? undefined : holds(numbers[word])),
});

const watch = (source: string): ConditionWatch => parseCondition(source, WORDS).watch(GAP);
const now = (source: string, truths: Readonly<Record<string, Truth>>, numbers?: Readonly<Record<string, number>>): Truth =>
  watch(source).look(facts(truths, numbers), 0);

void t.test('and, or, brackets', async (t) => {
  t.equal(now('a or b and c', { a: true, b: false, c: false }), true, 'and binds closer');
  t.equal(now('(a or b) and c', { a: true, b: false, c: false }), false);
  t.equal(now('a and b and c', { a: true, b: true, c: true }), true);
  t.equal(now('((a))', { a: true }), true);
  t.same([...parseCondition('a or (b and charge > 4%)', WORDS).words].sort(), ['a', 'b', 'charge']);
});

void t.test('what is not known', async (t) => {
  const all: readonly Truth[] = [true, false, undefined];
  for (const a of all) {
    for (const b of all) {
      t.equal(now('a and b', { a, b }), a === false || b === false ? false : a && b, `${a} and ${b}`);
      t.equal(now('a or b', { a, b }), a === true || b === true ? true : a === undefined || b === undefined ? undefined : false, `${a} or ${b}`);
    }
  }
  t.equal(now('charge < 40%', {}), undefined);
  t.equal(now('charge < 40% or a', { a: true }), true);
});

void t.test('numbers', async (t) => {
  t.equal(now('charge < 40%', {}, { charge: 39.9 }), true);
  t.equal(now('charge<40%', {}, { charge: 40 }), false);
  t.equal(now('charge <= 40%', {}, { charge: 40 }), true);
  t.equal(now('charge >= 12.5%', {}, { charge: 12.5 }), true);
  t.equal(now('runtime > 10m', {}, { runtime: 600_001 }), true);
});

void t.test('a fault says where it is', async (t) => {
  const faults: readonly [string, RegExp, number][] = [
    ['', /one of a, b, c, charge, runtime is expected/, 0],
    ['a and', /is expected/, 5],
    ['a und b', /"and", "or" or "for" is expected before "und"/, 2],
    ['x or a', /"x" is not one of/, 0],
    ['a for', /a duration is expected/, 5],
    ['a for 2 m', /a duration is expected/, 6],
    ['charge', /one of <, <=, >, >=/, 6],
    ['charge < 40', /percents/, 9],
    ['charge < 4m', /percents/, 9],
    ['runtime < 40%', /a duration/, 10],
    ['charge < 400%', /never more than 100%/, 9],
    ['(a or b', /a "\)" is missing/, 7],
    ['a)', /"\)" without/, 1],
    ['a or or b', /is expected/, 5],
    ['a & b', /before "&"/, 2],
    ['A', /"A" is not one of/, 0],
    [`${'('.repeat(40)}a${')'.repeat(40)}`, /too many brackets/, 32],
    ['a or '.repeat(300), /at most 1000 characters/, 1000],
  ];
  for (const [source, message, at] of faults) {
    try {
      parseCondition(source, WORDS);
      t.fail(`${source} was taken`);
    } catch (error) {
      t.ok(error instanceof ConditionError, source);
      t.match(error, { message, at });
      t.match((error as Error).message, `, at character ${at + 1}`);
    }
  }
});

/** Looks once a step of so many seconds. @returns what it made of each */
function over(source: string, seconds: number, truths: readonly Truth[]): Truth[] {
  const condition = watch(source);
  return truths.map((a, index) => condition.look(facts({ a }), 5000 + index * seconds * 1000));
}

void t.test('how long something has held', async (t) => {
  const [T, F, U] = [true, false, undefined];
  t.same(over('a for 3s', 1, [F, T, T, T, T, T]), [F, F, F, F, T, T], 'from the first time that it was seen');
  t.same(over('a for 3s', 1, [T, T, T, T]), [U, U, U, T], 'how long it had held before the first look nobody knows');
  t.same(over('a for 3s', 1, [F, T, T, T, F, T, T, T, T]), [F, F, F, F, F, F, F, F, T], 'anew once it was over');
  t.same(over('a for 3s', 1, [F, T, T, U, U, U, U, T, T, T]), [F, F, F, U, U, U, U, U, U, T], 'what is not known neither counts nor undoes what was counted');
  t.same(over('a for 3s', 1, [F, T, T, U, F, T, T, T, T]), [F, F, F, U, F, F, F, F, T]);
  t.same(over('a for 3s', 1, [U, U, U, U, U]), [U, U, U, U, U]);
  t.same(over('a for 30s', 20, [F, T, T, T, T]), [F, U, U, U, U], 'two looks that are too far apart say nothing of the time between');
  t.same(over('a for 0s', 1, [T]), [T]);
  t.same(over('(a for 2s) for 2s', 1, [F, T, T, T, T, T]), [F, F, F, F, F, T]);
});
