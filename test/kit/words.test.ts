import t from 'tap';
import { splitWords, takeOptions, type OptionName } from '../../src/kit/words.js';

const texts = (line: string): string[] => splitWords(line).map(({ text }) => text);
const quoted = (line: string): boolean[] => splitWords(line).map((word) => word.quoted);

await t.test('blanks and tabs separate words', async (t) => {
  t.same(texts('list'), ['list']);
  t.same(texts('  stop \t web1\tdb2  '), ['stop', 'web1', 'db2']);
  t.same(texts('a\u00a0b \u3000'), ['a\u00a0b', '\u3000'], 'other white space is part of a word');
});

await t.test('quotes', async (t) => {
  t.same(texts('start "a b"'), ['start', 'a b']);
  t.same(quoted('start "a b" c "*"'), [false, true, false, true]);
  t.same(texts('auth steve "a \\"b\\" \\\\c"'), ['auth', 'steve', 'a "b" \\c']);
  t.same(texts('"list"'), ['list']);
  t.same(texts('x ""'), ['x', '']);
  t.same(texts('x "\t"'), ['x', '\t']);
  t.same(texts('auth steve pa"ss"word \\n'), ['auth', 'steve', 'pa"ss"word', '\\n'], 'in the middle of a word they are characters');
  t.same(texts('x "😀 é"'), ['x', '😀 é']);
});

await t.test('a tag with blanks is no literal name', async (t) => {
  t.same(splitWords('stop @tag:"rack 7" "@tag:rack 7" @tag:web'), [
    { text: 'stop', quoted: false }, { text: '@tag:rack 7', quoted: false }, { text: '@tag:rack 7', quoted: true }, { text: '@tag:web', quoted: false },
  ]);
  t.same(texts('x @tag:"a @tag:"b"c'), ['x', '@tag:"a', '@tag:"b"c'], 'a quote that does not end the word is a character, as anywhere else in a word');
});

await t.test('an open quote, or one that ends inside a word, is an error', async (t) => {
  for (const line of ['x "', 'x "a', 'x "a\\"', 'x "a"b', 'x "a" "b', '"', 'x "a\\', 'x "\\n"', 'x "a""b"']) {
    t.throws(() => splitWords(line), { message: 'BAD REQUEST: an open quote' }, line);
  }
});

await t.test('the number of words has a limit', async (t) => {
  t.equal(splitWords('x '.repeat(1024)).length, 1024);
  t.throws(() => splitWords('x '.repeat(1025)), { message: /^BAD REQUEST: more than 1024 words/ });
  t.throws(() => splitWords('"x" '.repeat(1025)), { message: /^BAD REQUEST/ });
});

const ALL: readonly OptionName[] = ['wait', 'force', 'timeout', 'dry-run'];
const take = (line: string, allowed = ALL) => {
  const taken = takeOptions(splitWords(line), allowed);
  return taken && { names: taken.names.map(({ text }) => text), ...taken.options };
};
const NONE = {
  wait: false,
  force: false,
  timeout: undefined,
  dryRun: false,
  json: false,
  ids: false,
  full: false,
  follow: false,
  undo: false,
  disks: false,
  rollback: undefined,
};

await t.test('options among the names', async (t) => {
  t.same(take('web1'), { ...NONE, names: ['web1'] });
  t.same(take('--force web1 --wait web2'), { ...NONE, names: ['web1', 'web2'], force: true, wait: true });
  t.same(take('a --wait=2.5 --timeout=60 --dry-run'), { ...NONE, names: ['a'], wait: 2500, timeout: 60_000, dryRun: true });
  t.same(take('a --timeout=500ms --wait=2m'), { ...NONE, names: ['a'], timeout: 500, wait: 120_000 });
  t.same(take('a --timeout=86400'), { ...NONE, names: ['a'], timeout: 86_400_000 }, 'a day is the longest');
});

await t.test('what is no option, not allowed here, or has a bad value', async (t) => {
  for (const line of [
    '--bogus', '--Force', '--force=1', '--dry-run=yes', '--timeout', '--timeout=', '--timeout=0', '--timeout=-1', '--timeout=1e3', '--timeout=abc',
    '--timeout=86401', '--timeout=2d', '--wait=', '--wait=0', '--wait=1=2', '--wait=1.2345', '--', '--=1', '--toString', '--__proto__',
  ]) {
    t.equal(take(`web1 ${line}`) === undefined, line !== '--', line);
  }
  t.equal(take('web1 --force', ['wait']), undefined);
  t.equal(take('web1 --timeout=5', []), undefined);
});

await t.test('names that look like options', async (t) => {
  t.same(take('a -- --force --'), { ...NONE, names: ['a', '--force', '--'] });
  t.same(take('a "--force"'), { ...NONE, names: ['a', '--force'] });
  t.same(take('-x -'), { ...NONE, names: ['-x', '-'] });
});
