import t from 'tap';
import { entryOf } from '../../src/kit/tables.js';

await t.test('entries are a table\'s own', (t) => {
  const table = { on: 1, off: 0 };
  t.equal(entryOf(table, 'on'), 1);
  t.equal(entryOf(table, 'off'), 0);
  for (const word of ['constructor', 'toString', '__proto__', '', 'other']) t.equal(entryOf(table, word), undefined, word);
  t.end();
});
