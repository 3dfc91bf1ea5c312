import type { Test } from 'tap';
import { blocksOf, readDocument } from '../docs/markdown.js';

/**
 * A block of a document, as somebody would write it who follows the document here.
 * @param beginning by which the block is known
 * @param here what stands in it, and what it is here, such as ports and folders; each must be there
 */
export function documented(t: Test, path: string, beginning: string, here: Readonly<Record<string, string>>): string {
  const block = blocksOf(readDocument(path)).find(({ text }) => text.startsWith(beginning));
  if (block === undefined) throw new Error(`${path} has no block that begins with ${beginning}`);
  return Object.entries(here).reduce((text, [there, place]) => {
    t.ok(text.includes(there), `${path}:${block.line}: ${there}`);
    return text.replaceAll(there, place);
  }, block.text);
}
