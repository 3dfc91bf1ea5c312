import { readFileSync } from 'node:fs';
import t from 'tap';
import { fromRoot } from '../support/paths.js';
import { readDocument, tableRows } from './markdown.js';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

await t.test('docs/dependencies.md has a row for each package that is used at run time, with reasons', (t) => {
  const { dependencies, optionalDependencies = {} } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as Manifest;
  const rows = tableRows(readDocument('docs/dependencies.md'));
  t.same(rows.map(([name]) => name), Object.keys({ ...dependencies, ...optionalDependencies }).sort().map((name) => `\`${name}\``));
  for (const [name, purpose, alternatives] of rows) {
    t.ok(purpose, `${name}: what for`);
    t.ok(alternatives, `${name}: what else`);
  }
  t.end();
});
