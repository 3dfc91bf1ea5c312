/**
 * The words of a line (RFC 9271): parted by spaces, those with spaces in double quotes, within which a
 * backslash stands before a quote or a backslash.
 */

const PLAIN = /^[A-Za-z0-9._@:-]+$/;
const WORD = /\s*(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|([^\s"]+)(?=\s|$))/y;

/** A line to be sent, without its end. @throws RangeError where a word holds what ends a line */
export function lineOf(words: readonly string[]): string {
  return words.map((word) => {
    if (/[\u0000-\u001f\u007f]/.test(word)) throw new RangeError('a control character cannot be sent to upsd');
    return PLAIN.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
  }).join(' ');
}

/** @returns undefined where a quote does not end, or stands within a word */
export function wordsOf(line: string): readonly string[] | undefined {
  const words: string[] = [];
  const text = line.trimEnd();
  for (WORD.lastIndex = 0; WORD.lastIndex < text.length;) {
    const [, quoted, plain] = WORD.exec(text) ?? [];
    if (quoted === undefined && plain === undefined) return undefined;
    words.push(plain ?? quoted!.replace(/\\(.)/g, '$1'));
  }
  return words;
}
