import t from 'tap';
import { at, dateOf, flagOf, isRef, listOf, numberOf, textOf } from '../../../src/protocols/vim/value.js';

await t.test('fields', (t) => {
  const value = { a: { b: '7', c: 'true', d: null, e: '2026-01-01T00:00:00Z' }, f: [1, 2] };
  t.equal(numberOf(at(value, 'a', 'b')), 7);
  t.equal(numberOf(at(value, 'a', 'c')), undefined);
  t.equal(flagOf(at(value, 'a', 'c')), true);
  t.equal(flagOf(at(value, 'a', 'b')), false);
  t.equal(textOf(at(value, 'a', 'd')), undefined);
  t.same(dateOf(at(value, 'a', 'e')), new Date('2026-01-01T00:00:00Z'));
  t.equal(dateOf(at(value, 'a', 'b', 'c')), undefined);
  t.equal(dateOf('soon'), undefined);
  t.same(listOf(at(value, 'x', 'y')), []);
  t.same(listOf(at(value, 'a', 'b')), ['7']);
  t.same(listOf(at(value, 'f')), [1, 2]);
  t.equal(isRef(at(value, 'a')), false);
  t.end();
});
