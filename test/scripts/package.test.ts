import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { fromRoot } from '../support/paths.js';

/** What goes into packages, decided without touching a file. */

const load = async <T>(name: string): Promise<T> => await import(pathToFileURL(fromRoot('scripts', name)).href) as T;
const { linked } = await load<{ linked(markdown: string, from: string, places: Map<string, string>): string }>('package-docs.js');
type Packages = Record<
  string,
  {
    dependencies?: Record<string, string>;
    optionalDependencies?: Record<string, string>;
    peerDependencies?: Record<string, string>;
  }
>;
const { productionPackages } = await load<{ productionPackages(packages: Packages, without?: string[]): string[] }>('production.js');
const { readGalaxy } = await load<{ readGalaxy(text: string): Record<string, string | string[]> }>('collection.js');
const { isWanted } = await load<{ isWanted(path: string, isCompiled: boolean): boolean }>('package-tree.js');

await t.test('the packages that run are those that are named, and what these need, where Node finds it', async (t) => {
  const packages: Packages = {
    '': { dependencies: { a: '1' }, optionalDependencies: { b: '1' } },
    'node_modules/a': { dependencies: { c: '2' }, peerDependencies: { compiler: '1' } },
    'node_modules/a/node_modules/c': { dependencies: { d: '1' } },
    'node_modules/b': { dependencies: { c: '1', tool: '1' } },
    'node_modules/c': { dependencies: { a: '1' } },
    'node_modules/d': {}, 'node_modules/tool': { dependencies: { deep: '1' } }, 'node_modules/deep': {},
    'node_modules/compiler': {}, 'node_modules/test-runner': {},
  };
  t.same(productionPackages(packages, ['tool']), ['node_modules/a', 'node_modules/a/node_modules/c', 'node_modules/b', 'node_modules/c', 'node_modules/d']);
  t.ok(productionPackages(packages).includes('node_modules/deep'));
});

await t.test('what a collection says of itself is read where nothing reads YAML', async (t) => {
  t.same(readGalaxy('# why\nnamespace: argo\ndescription: Switches machines, whatever runs them\n\nauthors: [one, two]\n'),
    { namespace: 'argo', description: 'Switches machines, whatever runs them', authors: ['one', 'two'] });
  for (const text of ['build_ignore:\n  - x', 'a: "b"', 'a: b: c', '  a: b', '- a', 'a: {b: c}']) t.throws(() => readGalaxy(text), /galaxy\.yml/, text);
  const { namespace, name, ...more } = readGalaxy(readFileSync(fromRoot('integrations', 'ansible', 'galaxy.yml'), 'utf8'));
  t.same([namespace, name, 'version' in more], ['argo', 'power', false], 'the version is that of package.json');
});

await t.test('of a package goes what runs, and its terms', async (t) => {
  for (const path of ['lib/index.js', 'build/index.js', 'index.mjs', 'data.json', 'LICENSE', 'LICENSE.md', 'docs/LICENSE.MPL-2.0', 'node.wasm']) t.ok(isWanted(path, false), path);
  for (const path of ['index.d.ts', 'index.d.cts', 'index.js.map', 'README.md', 'test/index.js', '.github/x.yml', 'tsconfig.json', '.eslintrc']) t.notOk(isWanted(path, false), path);
  const prebuilt = `prebuilds/${process.platform}-${process.arch}`;
  for (const path of ['build/Release/better_sqlite3.node', 'lib/index.js', `${prebuilt}/bcrypt.glibc.node`]) t.ok(isWanted(path, true), path);
  for (const path of ['build/Release/obj.target/x.node', 'build/Release/test_extension.node', 'src/addon.cc', 'deps/sqlite3/sqlite3.c', 'binding.gyp', 'build/Makefile', 'prebuilds/other-cpu/bcrypt.node', `${prebuilt}/bcrypt.musl.node`]) t.notOk(isWanted(path, true), path);
});

await t.test('a link of a document leads to where its file is in the package, or is words alone', async (t) => {
  const places = new Map([['docs/drivers/xen.md', 'usr/share/doc/x/drivers/xen.md'], ['docs/web.md', 'usr/share/doc/x/web.md'], ['etc/x.conf', 'usr/share/x/x.conf'], ['docs/a.svg', 'usr/share/doc/x/a.svg']]);
  const of = (markdown: string): string => linked(markdown, 'docs/drivers/xen.md', places);
  for (const kept of ['[a](https://x.example/a)', '[b](#b)', '[w](../web.md#top)', '![s](../a.svg)', '```sh\n[c](../none.md)\n```\n']) t.equal(of(kept), kept);
  t.equal(of('[`etc/x.conf`](../../etc/x.conf), [code](../../src/x.ts#L1) and [`a [b]`](../none.md).'), '[`etc/x.conf`](../../../x/x.conf), code and `a [b]`.');
  t.equal(of('One.\n\n![A list](../web/list.png)\n\nTwo.'), 'One.\n\nTwo.');
});
