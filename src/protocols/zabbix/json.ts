import { wholeCharacters } from '../../kit/text.js';

/**
 * JSON that a server can read. It takes a string with half of a character for none at all, and drops the row that it is
 * in while it answers with success: so each half becomes U+FFFD.
 */
export function serverJson(value: unknown): string {
  const text = JSON.stringify(value);
  // only halves are written so; a text that holds these signs itself is merely looked through for nothing
  if (!text.includes('\\ud')) return text;
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? wholeCharacters(part) : part));
}
