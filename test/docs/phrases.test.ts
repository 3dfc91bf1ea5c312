import t from 'tap';
import { PHRASES } from '../../src/kit/errors.js';
import { documentsIn, readDocument, section, tableRows } from './markdown.js';

await t.test('docs/protocol.md lists the phrases of the code, with their meanings', async (t) => {
  const rows = tableRows(section(readDocument('docs/protocol.md'), '### The reasons'));
  t.same(rows, Object.entries(PHRASES).map(([phrase, meaning]) => [`\`${phrase}\``, meaning]));
});

await t.test('what the documents print after 400 is one of the phrases', async (t) => {
  for (const path of ['README.md', ...documentsIn('docs')]) {
    for (const [, rest = ''] of readDocument(path).matchAll(/\b400 ([A-Z][A-Z ]+[A-Z])\b/g)) {
      t.ok(Object.hasOwn(PHRASES, rest) || rest === 'REASON', `${path}: ${rest}`);
    }
  }
});
