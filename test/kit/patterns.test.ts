import t, { type Test } from 'tap';
import { InstancePattern, isPattern, NamePattern, PatternError, resolvePatterns } from '../../src/kit/patterns.js';

/** Checks one pattern against names that it must take and names that it must refuse. */
function check(t: Test, source: string, takes: readonly string[], refuses: readonly string[]): void {
  const pattern = new NamePattern(source);
  for (const name of takes) t.equal(pattern.matches(name), true, `${source} takes ${JSON.stringify(name)}`);
  for (const name of refuses) t.equal(pattern.matches(name), false, `${source} refuses ${JSON.stringify(name)}`);
}

await t.test('plain names match themselves alone, case and all', async (t) => {
  check(t, 'web1', ['web1'], ['web', 'web10', 'Web1', ' web1', '']);
  check(t, 'a.b+c(d)$', ['a.b+c(d)$'], ['aXb+c(d)$', 'a.bbc(d)$']);
  t.equal(isPattern('a.b+c'), false);
  for (const word of ['*', 'a?', '[ab]']) t.equal(isPattern(word), true, word);
});

await t.test('globs', async (t) => {
  check(t, '*', ['', 'a', 'anything at all'], []);
  check(t, '**', ['', 'abc'], []);
  check(t, 'web*', ['web', 'web1', 'web*'], ['we', 'xweb']);
  check(t, '*.my.flat', ['one.my.flat', '.my.flat'], ['my.flat', 'one.my.flat2', 'oneXmy.flat']);
  check(t, 'a*b*c', ['abc', 'aXbYc', 'abcbc', 'abbc'], ['ab', 'acb', 'abcd']);
  check(t, 'a?c', ['abc', 'a?c', 'a😀c'], ['ac', 'abbc']);
  check(t, '??', ['ab', '😀😀'], ['a', 'abc', '😀😀a', '😀😀😀']);
});

await t.test('classes', async (t) => {
  check(t, '[abc]', ['a', 'c'], ['d', 'ab', '']);
  check(t, 'db[a-c]x', ['dbax', 'dbcx'], ['dbdx', 'dbx', 'dbAx']);
  check(t, '[!a-c]', ['d', '1'], ['a', 'b', '', 'dd']);
  check(t, '[^a]', ['b'], ['a']);
  check(t, '[a-]', ['a', '-'], ['b']);
  check(t, '[]a]', [']', 'a'], ['b', ']a']);
  check(t, '[!]a]', ['b', '['], [']', 'a']);
  check(t, '[[]', ['['], [']', '[[']);
  check(t, '[a*?]', ['a', '*', '?'], ['b']);
  check(t, '[ä-ü😀]', ['ö', '😀'], ['z', '\ud83d']);
  check(t, '[～-😀]', ['～', '😀', '𝄞'], ['a', '😁']);
});

await t.test('ranges of numbers', async (t) => {
  check(t, 'web[1-20]', ['web1', 'web9', 'web10', 'web20'], ['web0', 'web21', 'web01', 'web', 'web1a', 'web100']);
  check(t, 'n[1,3,10-12]', ['n1', 'n3', 'n10', 'n12'], ['n2', 'n13', 'n4', 'n,']);
  check(t, 'n[0-2]', ['n0', 'n2'], ['n00', 'n3']);
  check(t, '[123]', ['123'], ['1', '12', '2']);
  check(t, '[1-3]x[7-8]', ['1x7', '3x8'], ['4x7', '1x9']);
  check(t, '[0-9][0-9]', ['07', '99'], ['7', '107']);
  check(t, '[1-12]2', ['12', '122', '112'], ['2', '1', '132']);
  check(t, '*[1-2]', ['web1', 'a2', '12', '1'], ['web3', 'web']);
});

await t.test('padding: a leading zero says how wide the numbers are at least', async (t) => {
  check(t, 'n[01-12]', ['n01', 'n09', 'n12'], ['n1', 'n9', 'n001', 'n00', 'n13']);
  check(t, 'n[001-100]', ['n001', 'n042', 'n100'], ['n1', 'n42', 'n0100']);
  check(t, 'n[01-100]', ['n01', 'n99', 'n100'], ['n1', 'n001', 'n099', 'n101']);
  check(t, 'n[01-08,12]', ['n01', 'n08', 'n12'], ['n8', 'n012']);
});

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

await t.test('what is no pattern is an error with its reason', async (t) => {
  for (const [source, reason] of [
    ['web[1-20', /without \]/], ['[', /without \]/], ['[]', /without \]/], ['[!]', /without \]/],
    ['[20-1]', /backwards/], ['[z-a]', /backwards/], ['[1-9999999999999999]', /too long/],
  ] as const) {
    t.throws(() => new NamePattern(source), { message: reason }, source);
    t.ok(thrownBy(() => new InstancePattern(source)) instanceof PatternError, `${source} is refused as a pattern`);
  }
});

await t.test('with a slash, the part before it is the provider', async (t) => {
  const at = (provider: string, name: string) => ({ provider, name });
  t.equal(new InstancePattern('lj').matches(at('dom0', 'lj')), true);
  t.equal(new InstancePattern('lab/*').matches(at('lab', 'anything')), true);
  t.equal(new InstancePattern('lab/*').matches(at('lab2', 'anything')), false);
  t.equal(new InstancePattern('lab*').matches(at('lab', 'x')), false, 'no slash: the short name alone');
  t.equal(new InstancePattern('*/web[1-2]').matches(at('kvm1', 'web2')), true);
  t.equal(new InstancePattern('kvm?/a/b').matches(at('kvm1', 'a/b')), true, 'a short name may hold a slash');
  t.equal(new InstancePattern('a/b').matches(at('x', 'a/b')), false, 'and is then not matched by its own text alone');
  t.equal(new InstancePattern('/x').matches(at('', 'x')), true);
});

await t.test('what a pattern covers before anything exists', async (t) => {
  t.equal(new InstancePattern('*').coversProvider('any'), true);
  t.equal(new InstancePattern('lab/*').coversProvider('lab'), true);
  t.equal(new InstancePattern('lab/*').coversProvider('other'), false);
  t.equal(new InstancePattern('lab/a*').coversProvider('lab'), false);
  t.equal(new InstancePattern('lab/*').coversName('lab/new'), true);
  t.equal(new InstancePattern('lab/*').coversName('new'), false);
  t.equal(new InstancePattern('web*').coversName('web9'), true);
  t.equal(new InstancePattern('web*').coversName('lab/web9'), true);
});

await t.test('groups: nested, cyclic, absent, and each pattern once', async (t) => {
  const groups = new Map([
    ['web', ['web[1-20]', 'lab/www*', '@extra']],
    ['extra', ['lj', '@web']],
    ['self', ['@self', 'me']],
    ['empty', []],
  ]);
  const sources = (...words: string[]) => resolvePatterns(words, groups).map(({ source }) => source);
  t.same(sources('@web'), ['web[1-20]', 'lab/www*', 'lj']);
  t.same(sources('@self'), ['me']);
  t.same(sources('lj', '@extra', 'lj'), ['lj', 'web[1-20]', 'lab/www*']);
  t.same(sources('@empty', '@nope', '@'), []);
});

await t.test('a chain of groups does not need a stack of its length', async (t) => {
  const length = 2000;
  const groups = new Map(Array.from({ length }, (_, index) => [`g${index}`, [`@g${index + 1}`, `n${index}`]]));
  t.equal(resolvePatterns(['@g0'], groups).length, length);
});

/** How often a match looks at the name, whichever way it looks. */
function looks(t: Test, pattern: NamePattern, name: string): number {
  let count = 0;
  const counted = <Arguments extends unknown[], Result>(method: (...args: Arguments) => Result) =>
    function (this: string, ...args: Arguments): Result {
      count += 1;
      return method.apply(this, args);
    };
  const { startsWith, codePointAt, charCodeAt } = String.prototype;
  Object.assign(String.prototype, { startsWith: counted(startsWith), codePointAt: counted(codePointAt), charCodeAt: counted(charCodeAt) });
  try {
    t.equal(pattern.matches(name), false);
  } finally {
    Object.assign(String.prototype, { startsWith, codePointAt, charCodeAt });
  }
  return count;
}

await t.test('no pattern costs more than its length times that of the name', async (t) => {
  const name = 'a'.repeat(100);
  const digits = '1'.repeat(100);
  for (const [source, subject] of [
    [`${'*a'.repeat(40)}*b`, name],
    [`${'*?'.repeat(40)}b`, name],
    [`${'*[a-c]'.repeat(40)}[!a]`, name],
    [`${'*[1-99999]'.repeat(40)}x`, digits],
    [`${'[1-11111]'.repeat(40)}x`, digits],
  ] as const) {
    const count = looks(t, new NamePattern(source), subject);
    t.ok(count > 0, 'the looks are counted');
    t.ok(count <= 15 * source.length * (subject.length + 1), `${source.slice(0, 20)}…: ${count} looks`);
  }
});
