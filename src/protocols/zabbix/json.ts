/** Half of a character, alone. */
const HALF = /\p{Surrogate}/gu;

/**
 * JSON that a server can read. It takes a string with half of a character for none at all, and drops the row that it is
 * in while it answers with success: so each half becomes U+FFFD, as it would in UTF-8.
 */
export function serverJson(value: unknown): string {
  const text = JSON.stringify(value);
  // only halves are written so; a text that holds these signs itself is merely looked through for nothing
  if (!text.includes('\\ud')) return text;
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? part.replace(HALF, '\ufffd') : part));
}
