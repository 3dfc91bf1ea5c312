import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { fromRoot } from '../support/paths.js';
import { documentsIn, readDocument } from './markdown.js';

/** The anchors that GitHub and others make of headings. */
function anchors(markdown: string): Set<string> {
  const text = markdown.replace(/^```[^]*?^```/gm, '');
  return new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')));
}

await t.test('every link within the project leads somewhere', (t) => {
  for (const path of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...documentsIn('docs')]) {
    for (const [, target = ''] of readDocument(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const linked = file === '' ? path : join(dirname(path), file);
      t.ok(existsSync(fromRoot(linked)), `${path}: ${target}`);
      if (anchor !== undefined && existsSync(fromRoot(linked)) && statSync(fromRoot(linked)).isFile()) {
        t.ok(anchors(readDocument(linked)).has(anchor), `${path}: ${target}`);
      }
    }
  }
  t.end();
});
