import t from 'tap';
import { driverTypes } from '../../src/drivers/catalogue.js';
import { NO_CONSOLE } from '../../src/drivers/no-console.js';
import { readDocument, section, tableRows } from './markdown.js';

const DOCUMENT = readDocument('docs/consoles.md');
const WORDS = { vnc: 'screen', text: 'text console', shell: 'shell' } as const;

await t.test('docs/consoles.md has the reasons of the code', async (t) => {
  const rows = Object.entries(NO_CONSOLE).flatMap(([driver, machines]) => Object.entries(machines).flatMap(([machine, reasons]) =>
    Object.entries(reasons).map(([kind, reason]) => [driver, machine, WORDS[kind as keyof typeof WORDS], reason])));
  t.same(tableRows(section(DOCUMENT, '## Where there is none')), rows);
});

await t.test('no driver is forgotten', async (t) => {
  t.same(Object.keys(NO_CONSOLE).sort(), driverTypes().sort());
  const [, table = ''] = DOCUMENT.split('| driver | text console |');
  for (const type of driverTypes()) t.match(table.split('\n\n')[0], new RegExp(`^\\|.*\\b${type}\\b`, 'm'), type);
});
