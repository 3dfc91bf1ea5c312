import { VMSERVERD_DEPTH, VMSERVERD_PLAIN } from '../../kit/vmserverd-limits.js';
import type { Element } from './shape.js';

/**
 * Documents as nearly all clients send them: elements without attributes, and ASCII that XML has nothing to say about. They are
 * read here in a tenth of the time. Whatever is anything else, or wrong, is left to {@link ./xml.js}, which knows why.
 */

type Open = Element & { text: string; readonly children: Element[] };

const NAME = /^[A-Za-z_][\w.-]*$/;
/** Of a carriage return XML makes something else, and of what begins with `&`. */
const PLAIN = /^[\t\n\x20-%'-~]*$/;
const SPACE = /^[\t\n ]*$/;
const LESS = 0x3C;
const SLASH = 0x2F;

/**
 * @param bytes of one whole document
 * @returns undefined where it is not as plain as that
 */
export function readPlainDocument(bytes: Uint8Array): Element | undefined {
  if (bytes.length > VMSERVERD_PLAIN) return undefined;
  const text = (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).toString('latin1');
  if (!PLAIN.test(text)) return undefined;
  const open: Open[] = [];
  let root: Open | undefined;
  for (let at = 0, next = 0; at < text.length; at = next) {
    // a tag, and the text up to the next one
    const end = text.indexOf('>', at);
    if (end === -1 || text.charCodeAt(at) !== LESS) return undefined;
    const isEnd = text.charCodeAt(at + 1) === SLASH;
    const name = text.slice(isEnd ? at + 2 : at + 1, end);
    next = text.indexOf('<', end);
    if (next === -1) next = text.length;
    const behind = text.slice(end + 1, next);
    if (behind.includes('>')) return undefined;
    if (!isEnd) {
      if (!NAME.test(name) || (root !== undefined && open.length === 0)) return undefined;
      const element: Open = { name, text: '', children: [] };
      open.at(-1)?.children.push(element);
      root ??= element;
      if (open.push(element) > VMSERVERD_DEPTH) return undefined;
    } else if (open.pop()?.name !== name) return undefined;
    const inner = open.at(-1);
    if (inner !== undefined) inner.text += behind;
    else if (!SPACE.test(behind)) return undefined;
  }
  return open.length === 0 ? root : undefined;
}
