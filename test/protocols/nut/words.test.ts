import t from 'tap';
import { lineOf, wordsOf } from '../../../src/protocols/nut/words.js';

void t.test('words are quoted as upsd wants them, and read as it sends them', async (t) => {
  const lines: [string, readonly string[]][] = [
    ['GET VAR rack1 ups.status', ['GET', 'VAR', 'rack1', 'ups.status']],
    ['PASSWORD "se\\"cret \\\\ one"', ['PASSWORD', 'se"cret \\ one']],
    ['VAR rack1 ups.mfr ""', ['VAR', 'rack1', 'ups.mfr', '']],
    ['UPS "größe 1" "it\'s #1"', ['UPS', 'größe 1', 'it\'s #1']],
  ];
  for (const [line, words] of lines) {
    t.equal(lineOf(words), line);
    t.same(wordsOf(line), words);
  }
  t.same(wordsOf(' VAR  rack1 x "a  b" \r'), ['VAR', 'rack1', 'x', 'a  b']);
  t.same(wordsOf(''), []);
});

void t.test('what is no line of the protocol is not guessed at', async (t) => {
  for (const line of ['VAR "rack1', 'VAR a"b"', 'VAR "a"b', '"', '"\\"']) t.equal(wordsOf(line), undefined, line);
});

void t.test('nobody can send two lines in place of one', async (t) => {
  for (const word of ['a\nFSD rack1', 'a\rb', 'a\0b', 'a\tb']) t.throws(() => lineOf(['PASSWORD', word]), RangeError);
});
