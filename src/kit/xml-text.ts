import { XML_PARSED_AT_ONCE } from './limits.js';
import type { Slices } from './slices.js';

const ESCAPES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&apos;', '\t': '&#9;', '\n': '&#10;', '\r': '&#13;' };

/** What nearly all texts are: nothing in it is escaped. */
const PLAIN = /^[\x20!#-%(-;=?-~]*$/;

/** Hands a document, or a part of one, to a parser, with turns for everyone else in between. */
export async function parseInSlices(xml: string, slices: Slices, write: (piece: string) => void): Promise<void> {
  for (let from = 0; from < xml.length; from += XML_PARSED_AT_ONCE) {
    if (slices.isOverNow()) await slices.pause();
    write(xml.slice(from, from + XML_PARSED_AT_ONCE));
  }
}

/**
 * Whether a document costs more to parse in one go than it should: that is told by how many tags and attributes it has at most,
 * and by its length.
 * @param most marks: `<` and `=`
 */
export function isCostlyXml(xml: string, most: { readonly characters: number; readonly marks: number }): boolean {
  if (xml.length > most.characters) return true;
  let marks = 0;
  for (const mark of '<=') {
    for (let at = xml.indexOf(mark); at !== -1 && marks <= most.marks; at = xml.indexOf(mark, at + 1)) marks += 1;
  }
  return marks > most.marks;
}

/** A text as content or attribute of XML. @throws RangeError for characters that XML cannot carry (XML 1.0, "Char") */
export function escapeXml(text: string): string {
  if (PLAIN.test(text)) return text;
  if (/[\0-\x08\v\f\x0E-\x1F\uFFFE\uFFFF]|\p{Surrogate}/u.test(text)) throw new RangeError('a character that XML cannot carry');
  return text.replace(/[<>&"'\t\n\r]/g, (character) => ESCAPES[character] as string);
}
