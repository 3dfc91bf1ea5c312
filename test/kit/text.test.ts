import t from 'tap';
import { compareWords, formatBytes, formatDuration, formatUptime, harmless, idFromWord, idWord, inOrder, orderWord, trimmed } from '../../src/kit/text.js';

await t.test('what could steer a terminal is replaced, character by character', async (t) => {
  t.equal(harmless('lj'), 'lj');
  t.equal(harmless('Bücherregal 猫 😀 e\u0301'), 'Bücherregal 猫 😀 e\u0301');
  t.equal(harmless('a\tb'), 'a b');
  t.equal(harmless('\u001b[31mred\u001b[0m'), '?[31mred?[0m');
  t.equal(harmless('\u001b]0;title\u0007'), '?]0;title?');
  t.equal(harmless('one\r\n300 DONE'), 'one??300 DONE');
  t.equal(harmless('a\u0085b\u009bc\u007fd\u0000e'), 'a?b?c?d?e');
  t.equal(harmless('a\u2028b\u2029c'), 'a?b?c');
  t.equal(harmless('\ufeffa\u202eb\u2066c\u200fd'), '?a?b?c?d');
});

await t.test('halves of surrogate pairs are replaced, pairs are not', async (t) => {
  t.equal(harmless('\ud83d'), '?');
  t.equal(harmless('\ude00'), '?');
  t.equal(harmless('\ude00\ud83d'), '??');
  t.equal(harmless('a\ud83d\ude00b'), 'a\ud83d\ude00b');
  t.equal(harmless('\ud83d\ud83d\ude00'), '?\ud83d\ude00');
});

await t.test('what is no character is replaced', async (t) => {
  for (const code of [0xfdd0, 0xfdef, 0xfffe, 0xffff, 0x1fffe, 0x10ffff]) t.equal(harmless(`a${String.fromCodePoint(code)}b`), 'a?b', `U+${code.toString(16)}`);
  t.equal(harmless('\ufdcf\ufdf0\ufffd'), '\ufdcf\ufdf0\ufffd');
});

await t.test('what is not seen is made visible', async (t) => {
  for (const code of [0xad, 0x61c, 0x180e, 0x200b, 0x200d, 0x2060, 0x2064, 0xfe0f, 0xfff9, 0xe0001, 0xe007f]) {
    t.equal(harmless(`a${String.fromCodePoint(code)}b`), 'a?b', `U+${code.toString(16)}`);
  }
});

await t.test('what parts words is taken off, and no other blanks', async (t) => {
  t.equal(trimmed(' \t\r\n stop  web\t\n'), 'stop  web');
  for (const own of ['', 'web\u00a0', '\u3000', '\ufeffweb\u2003', 'a b']) t.equal(trimmed(` ${own} `), own);
  t.equal(trimmed(' \t'), '');
  const long = `a${' '.repeat(200_000)}b`;
  t.equal(trimmed(long), long);
});

await t.test('an id is one word that can be typed, and another for every id', async (t) => {
  for (const id of ['4', '', 'a b', 'a%20b', '[ds] x/y.vmx', 'q"\\', 'x\u200b', '\ud800', '\ufffe', '\u{1ffff}', '\t', 'é猫😀', '*?']) {
    const word = idWord(id);
    t.notMatch(word, /[\s"*?[]/, word);
    t.equal(harmless(word), word);
    t.equal(idFromWord(word), id);
  }
});

await t.test('no control character of any block survives', async (t) => {
  for (let code = 0; code < 0xa0; code += 1) {
    const kept = code >= 0x20 && code < 0x7f;
    const shown = harmless(`a${String.fromCharCode(code)}b`);
    t.equal(shown, kept ? `a${String.fromCharCode(code)}b` : code === 0x09 ? 'a b' : 'a?b', `U+${code.toString(16)}`);
  }
});

await t.test('bytes', async (t) => {
  t.equal(formatBytes(0n), '0 B');
  t.equal(formatBytes(1023n), '1023 B');
  t.equal(formatBytes(1024n), '1.0 KiB');
  t.equal(formatBytes(123_456n), '120.6 KiB', 'the example of the protocol');
  t.equal(formatBytes(4n * 1024n ** 3n), '4.0 GiB');
  t.equal(formatBytes(2n ** 64n), '16.0 EiB', 'more than a double holds exactly');
});

await t.test('uptimes', async (t) => {
  t.equal(formatUptime(273_129), '3 days, 3:52:09', 'the example of the protocol');
  t.equal(formatUptime(0), '0:00:00');
  t.equal(formatUptime(59.999), '0:00:59');
  t.equal(formatUptime(86_399), '23:59:59');
  t.equal(formatUptime(86_400), '1 day, 0:00:00');
});

await t.test('durations', async (t) => {
  t.equal(formatDuration(0), '0 ms');
  t.equal(formatDuration(999), '999 ms');
  t.equal(formatDuration(1000), '1 s');
  t.equal(formatDuration(1500), '1.5 s');
  t.equal(formatDuration(30_000), '30 s');
  t.equal(formatDuration(599_000), '599 s');
  t.equal(formatDuration(600_000), '10 min');
});

await t.test('names stand as people expect them, whatever they are made of', async (t) => {
  // by texts in which all numbers have as many digits
  const plain = (name: string): string => name.normalize('NFKD').toLowerCase().replace(/\d+/g, (digits) => digits.padStart(200, '0'));
  const names = ['', 'web', 'web2', 'web10', 'web02', 'web002b', 'web-1', 'web:1', '0', '007', '8', '1234567890123', '123456789012', 'a1b22c333', 'a1b22c4', 'Web1', 'ä1', '７', 'x\u0000 1', '~9/0:', '1 2 3'.repeat(60), 'y1'.repeat(200), 'y1'.repeat(199)];
  for (const one of names)
    for (const other of names)
      t.equal(Math.sign(compareWords(orderWord(one), orderWord(other))), plain(one) < plain(other) ? -1 : plain(one) > plain(other) ? 1 : 0, `${one.slice(0, 20)}, ${other.slice(0, 20)}`);
  t.same(inOrder(['web10', 'Web2', 'db', 'web02b', 'ä', 'b'], (name) => name), ['ä', 'b', 'db', 'Web2', 'web02b', 'web10']);
});
