import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { LineReader } from '../../src/server/line-reader.js';

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Everything that a reader makes of chunks: lines, and the words of errors. */
function read(chunks: readonly string[], { maxLine = 100, end = false } = {}): string[] {
  const reader = new LineReader(maxLine);
  const found: string[] = [];
  const take = (line: string | ArgoError | undefined): boolean => {
    if (line !== undefined) found.push(typeof line === 'string' ? line : `!${line.message}`);
    return line !== undefined;
  };
  for (const chunk of chunks) {
    reader.push(chunk);
    while (take(reader.next()));
  }
  if (end) take(reader.rest());
  return found;
}

await t.test('LF and CRLF end a line', async (t) => {
  t.same(read(['a\nb c\r\n\n\r\nd']), ['a', 'b c', '', '']);
  t.same(read(['a\r', '\n', 'b', '\n']), ['a', 'b']);
});

await t.test('the reader tells how the last line ended', async (t) => {
  const reader = new LineReader(100);
  reader.push('a\r\nb\nc\r\n');
  const ends = [reader.crlf];
  while (reader.next() !== undefined) ends.push(reader.crlf);
  t.same(ends.slice(0, 4), [false, true, false, true]);
});

await t.test('characters of several bytes, whole and cut', async (t) => {
  const bytes = latin1('é猫😀\n');
  for (let cut = 0; cut <= bytes.length; cut += 1) t.same(read([bytes.slice(0, cut), bytes.slice(cut)]), ['é猫😀']);
});

await t.test('what is not UTF-8', async (t) => {
  for (const bytes of ['\xff', '\x80', '\xc3', '\xc3(', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xc0\x80', '\xe2\x82', 'list \xe9']) {
    t.same(read([`${bytes}\nnop\n`]), [`!BAD REQUEST: not UTF-8${bytes === '\xff' ? ': the byte 255 and no whole telnet command' : ''}`, 'nop'], JSON.stringify(bytes));
  }
});

await t.test('control characters, except the tab', async (t) => {
  for (let code = 0; code < 0xa0; code += 1) {
    if (code === 0x0a || (code >= 0x20 && code < 0x7f)) continue;
    const line = latin1(`list${String.fromCharCode(code)}x`);
    t.same(read([`${line}\n`]), [code === 0x09 ? 'list\tx' : '!BAD REQUEST: control characters'], `U+${code.toString(16)}`);
  }
});

await t.test('the longest line that is taken, in bytes', async (t) => {
  for (const eol of ['\n', '\r\n']) {
    t.same(read([`${'x'.repeat(100)}${eol}`]), ['x'.repeat(100)]);
    t.same(read([`${'x'.repeat(101)}${eol}nop${eol}`]), ['!LINE TOO LONG: more than 100 bytes', 'nop']);
    t.same(read([...'x'.repeat(100), ...eol]), ['x'.repeat(100)], 'byte by byte');
    t.same(read([...'x'.repeat(101), ...eol, 'nop', eol]), ['!LINE TOO LONG: more than 100 bytes', 'nop'], 'byte by byte');
  }
  t.same(read([`${latin1('é'.repeat(50))}\n`]), ['é'.repeat(50)]);
  t.same(read([`${latin1('é'.repeat(51))}\n`]), ['!LINE TOO LONG: more than 100 bytes']);
});

await t.test('a line without end is answered once, and dropped to its end', async (t) => {
  const chunk = 'x'.repeat(1000);
  t.same(read([chunk, chunk, `${chunk}\nnop\n`, chunk]), ['!LINE TOO LONG: more than 100 bytes', 'nop', '!LINE TOO LONG: more than 100 bytes']);
  const reader = new LineReader(100);
  let most = 0;
  for (let count = 0; count < 1000; count += 1) {
    reader.push(chunk);
    reader.next();
    most = Math.max(most, reader.pending);
  }
  t.equal(most, 0, 'nothing of it is kept');
});

await t.test('a limit that changes applies to the next line', async (t) => {
  const reader = new LineReader(10);
  reader.push(`${'x'.repeat(20)}\n${'y'.repeat(20)}\n`);
  t.ok(reader.next() instanceof ArgoError);
  reader.maxLine = 20;
  t.equal(reader.next(), 'y'.repeat(20));
});

await t.test('a request that was cut off by the end is not carried out', async (t) => {
  t.same(read(['nop\nstop web1'], { end: true }), ['nop', '!BAD REQUEST: the last line has no end']);
  t.same(read(['nop\n  \r'], { end: true }), ['nop']);
  t.same(read(['nop\n'], { end: true }), ['nop']);
  t.same(read(['x'.repeat(500)], { end: true }), ['!LINE TOO LONG: more than 100 bytes'], 'one error is enough');
});

await t.test('many lines at a time, and a million bytes in one', async (t) => {
  t.equal(read([`${'nop\n'.repeat(10_000)}`]).length, 10_000);
  t.same(read([`${'x'.repeat(1_000_000)}\nnop\n`]), ['!LINE TOO LONG: more than 100 bytes', 'nop']);
});

await t.test('a bad line between plain ones, and halves of it in plain chunks', async (t) => {
  t.same(read(['no', 'p\xff', 'x\nnop\n', 'nop\r', '\nnop\r', 'x\n']), ['!BAD REQUEST: not UTF-8: the byte 255 and no whole telnet command', 'nop', 'nop', '!BAD REQUEST: control characters']);
});
