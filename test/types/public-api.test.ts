import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import ts from 'typescript';
import { blocksOf, codeWords, readDocument, section, tableRows, type Block } from '../docs/markdown.js';
import { fromRoot } from '../support/paths.js';
import { installTypes } from './published.js';

/**
 * The types that authors of plugins, drivers and gateways compile against, as they find them in the package. What they promise
 * and what they forbid is in outside/; one compilation looks at it all, and at what the documents print.
 */

const { ENTRIES, KEPT, publicApi } = await import(pathToFileURL(fromRoot('scripts', 'public-api.js')).href) as {
  readonly ENTRIES: Readonly<Record<string, string>>;
  readonly KEPT: string;
  publicApi(program: ts.Program, entries: Readonly<Record<string, string>>, folder: string): string;
};

const OUTSIDE = fromRoot('test', 'types', 'outside');
const PLUGINS = readDocument('docs/plugins.md');
const DRIVERS = readDocument('docs/drivers.md');
/** What a part of a driver stands in. */
const AROUND_PART = "import { endpoint, passwordEntries, text, v, whole } from 'argo-server/driver';\n";

/** JavaScript knows by a comment alone what it is to be. */
const asPlugin = (text: string): string => text.replace(/^export default (\{\n[^]*^\});$/m, 'export default /** @satisfies {import("argo-server").Plugin} */ ($1);');

/** The code that the documents print, by the names of files that it can be compiled as. */
function printed(): Map<string, string> {
  const isCode = ({ language }: Block): boolean => ['js', 'ts'].includes(language);
  const plugins = blocksOf(PLUGINS).filter(isCode).map(({ language, marks: [name = ''], text }): [string, string] => [`printed-${name}`, language === 'js' ? asPlugin(text) : text]);
  const drivers = blocksOf(DRIVERS).filter(isCode).map(({ line, text }): [string, string] => [`printed-driver-${line}.mts`, text.startsWith('import ') ? text : AROUND_PART + text]);
  return new Map([...plugins, ...drivers]);
}

const folder = mkdtempSync(join(tmpdir(), 'argo-types-'));
t.teardown(() => rmSync(folder, { recursive: true }));
installTypes(folder);
cpSync(OUTSIDE, folder, { recursive: true });
for (const [name, text] of printed()) writeFileSync(join(folder, name), text);

const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(join(folder, 'tsconfig.json'), (path) => readFileSync(path, 'utf8')).config, ts.sys, folder);
const files = readdirSync(folder).filter((name) => /\.m[jt]s$/.test(name)).map((name) => join(folder, name));
const program = ts.createProgram(files, { ...options, preserveSymlinks: true, allowJs: true, checkJs: true });

await t.test('what they promise compiles, and so does what the documents print; what they forbid does not', async (t) => {
  const said = ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), { getCanonicalFileName: (name) => name, getCurrentDirectory: () => folder, getNewLine: () => '\n' });
  t.equal(said, '');
  t.ok(printed().size >= 7 && [...printed().values()].filter((text) => text.includes('@satisfies')).length >= 4, 'what is printed was found');
});

await t.test('they are those of the package', async (t) => {
  const names = program.getSourceFiles().map(({ fileName }) => fileName);
  t.same(names.filter((name) => name.startsWith(fromRoot()) && !name.startsWith(fromRoot('node_modules'))), [], 'nothing of ours is found past it');
  for (const path of Object.values(ENTRIES)) t.ok(names.includes(join(folder, 'node_modules', 'argo-server', path)), path);
});

await t.test('all that the document promises is used', async (t) => {
  const used = readFileSync(join(OUTSIDE, 'plugins.mts'), 'utf8');
  const rows = [...tableRows(section(PLUGINS, '## A command')), ...tableRows(section(PLUGINS, '## The request'))];
  const names = rows.flatMap(([cell = '']) => codeWords(cell)).map((code) => /\w+(?=\(|$)/.exec(code)?.[0] ?? code);
  t.ok(names.length > 60, `${names.length} names`);
  for (const name of new Set(names)) t.ok(new RegExp(`\\b${name}\\b`).test(used), name);
  const works = tableRows(section(PLUGINS, '### Beyond power')).flatMap(([, cell = '']) => codeWords(cell)).filter((word) => /^[a-z-]+\.[a-z-]+$/.test(word));
  t.ok(works.length > 20, `${works.length} works`);
  for (const work of works) t.ok(used.includes(`'${work}'`), work);
});

await t.test('every exported name is used', async (t) => {
  const used = readdirSync(OUTSIDE).map((name) => readFileSync(join(OUTSIDE, name), 'utf8')).join('\n');
  const checker = program.getTypeChecker();
  for (const path of Object.values(ENTRIES)) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(folder, 'node_modules', 'argo-server', path))!)!;
    for (const { name } of checker.getExportsOfModule(module)) t.ok(new RegExp(`\\b${name}\\b`).test(used), name);
  }
});

await t.test('a change of them is a change of the file that keeps them', async (t) => {
  const own = join(folder, 'node_modules', 'argo-server');
  const entries = Object.fromEntries(Object.entries(ENTRIES).map(([name, path]) => [name, join(own, path)]));
  t.equal(publicApi(program, entries, join(own, 'dist', 'src')), readFileSync(fromRoot(KEPT), 'utf8'), `node scripts/public-api.js writes ${KEPT} anew`);
});
