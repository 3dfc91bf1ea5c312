import t from 'tap';
import { fromRoot } from '../support/paths.js';
import { deadLinks, documentsIn } from './markdown.js';

await t.test('every link within the project leads somewhere', (t) => {
  for (const path of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...documentsIn('docs')]) t.same(deadLinks(fromRoot(), path), [], path);
  t.end();
});
