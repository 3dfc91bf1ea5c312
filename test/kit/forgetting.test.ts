import t from 'tap';
import { oldestOfMost } from '../../src/kit/forgetting.js';

interface One { readonly owner: string | undefined; readonly size: number }

const of = (...all: readonly (readonly [string, string | undefined, number?])[]): Map<string, One> =>
  new Map(all.map(([key, owner, size = 1]) => [key, { owner, size }]));
const ownerOf = ({ owner }: One): string | undefined => owner;

void t.test('the oldest of whoever has the most is forgotten', async (t) => {
  t.equal(oldestOfMost(of(['a', 'jo'], ['b', 'kim'], ['c', 'kim']), ownerOf), 'b');
  t.equal(oldestOfMost(of(['a', 'jo'], ['b', 'kim']), ownerOf), 'a', 'of equals the one whose is the oldest');
  t.equal(oldestOfMost(of(['a', undefined], ['b', undefined], ['c', 'kim']), ownerOf), 'c', 'some stay');
  t.equal(oldestOfMost(of(['a', undefined]), ownerOf), undefined);
  t.equal(oldestOfMost(of(['a', 'kim'], ['b', 'kim'], ['c', 'jo', 5]), ownerOf, ({ size }) => size), 'c', 'by what each counts');
});
