import { wholeCharacters } from '../../kit/text.js';

/**
 * JSON that a server can read. It takes a string with half of a character for none at all, and drops the row that it is
 * in while it answers with success; and it ends a text at a NUL, so that the rest is lost: each becomes U+FFFD.
 */
export function serverJson(value: unknown): string {
  const text = JSON.stringify(value);
  // only those are written so; a text that holds these signs itself is merely looked through for nothing
  if (!text.includes('\\ud') && !text.includes('\\u0000')) return text;
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? wholeCharacters(part).replaceAll('\0', '\ufffd') : part));
}
