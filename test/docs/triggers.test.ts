import t from 'tap';
import * as v from 'valibot';
import { EVENTS } from '../../src/plans/triggers/event/trigger.js';
import { TriggerCatalogue } from '../../src/plans/triggers/catalogue.js';
import { UPS_VOCABULARY } from '../../src/plans/triggers/nut/status.js';
import { codeWords, readDocument, section, tableRows } from './markdown.js';

const DOCUMENT = readDocument('docs/triggers.md');

await t.test('every key of every trigger is described, with its default', async (t) => {
  const catalogue = new TriggerCatalogue();
  for (const type of catalogue.types()) {
    const rows = new Map(tableRows(section(DOCUMENT, `## \`${type}\``)).flatMap(([keys = '', value = '']) => codeWords(keys).map((key) => [key, value] as const)));
    for (const [key, entry] of Object.entries((await catalogue.options(type))!)) {
      t.ok(rows.has(key), `${type}: ${key}`);
      const value = v.getDefault(entry as v.GenericSchema);
      // that of the three by which a user is trusted is said in words
      if (value !== undefined && key !== 'insecure') t.equal(rows.get(key), `\`${JSON.stringify(value)}\``, `${type}: ${key}`);
    }
  }
});

await t.test('every word of conditions and every event is described', (t) => {
  const words = new Set(codeWords(DOCUMENT));
  for (const word of [...UPS_VOCABULARY.words, ...Object.keys(UPS_VOCABULARY.numbers), ...EVENTS]) t.ok(words.has(word), word);
  t.end();
});
