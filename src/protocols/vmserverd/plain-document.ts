import { VMSERVERD_DEPTH, VMSERVERD_PLAIN } from '../../kit/vmserverd-limits.js';
import type { Element } from './shape.js';

/**
 * Documents as nearly all clients send them: elements without attributes, and ASCII that XML has nothing to say about. They are
 * read here in a tenth of the time. Whatever is anything else, or wrong, is left to {@link ./xml.js}, which knows why.
 */

type Open = Element & { text: string; readonly children: Element[] };

/** A tag, and the text up to the next one. */
const TAG = /<(\/?)([A-Za-z_][\w.-]*)>([^<>&]*)/y;
/** Of a carriage return XML makes something else. */
const PLAIN = /^[\t\n\x20-\x7E]*$/;
const SPACE = /^[\t\n ]*$/;

/**
 * @param bytes of one whole document
 * @returns undefined where it is not as plain as that
 */
export function readPlainDocument(bytes: Uint8Array): Element | undefined {
  if (bytes.length > VMSERVERD_PLAIN) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  if (!PLAIN.test(text)) return undefined;
  const open: Open[] = [];
  let root: Open | undefined;
  for (TAG.lastIndex = 0; TAG.lastIndex < text.length;) {
    const found = TAG.exec(text);
    if (found === null) return undefined;
    const [, slash, name = '', behind = ''] = found;
    if (slash === '') {
      if (root !== undefined && open.length === 0) return undefined;
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
