/**
 * The public API as text: what `argo-server` and `argo-server/driver` export, and all that these declarations name. It is kept in
 * test/types/public-api.txt, so that a change of it is seen where changes are looked at; a test compares the two.
 *
 *     node scripts/public-api.js     writes the file anew, from what was compiled last
 */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import ts from 'typescript';
import { fromRoot } from './root.js';

/** Each by the name under which it is imported, and what package.json names for its types. */
export const ENTRIES = { 'argo-server': 'dist/src/plugin-api.d.ts', 'argo-server/driver': 'dist/src/driver-api.d.ts' };
export const KEPT = 'test/types/public-api.txt';

const printer = ts.createPrinter({ removeComments: true });

/** What stands in a module by itself, and not in another declaration. @returns {ts.Node | undefined} */
function statementOf(/** @type {ts.Declaration} */ declaration) {
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  return ts.isSourceFile(node.parent) ? node : undefined;
}

/** What of a class is for whoever makes its objects, and that is we alone. @param {ts.Node} node */
const isOurs = (node) =>
  ts.isClassElement(node)
  && (ts.isConstructorDeclaration(node)
    || (ts.getCombinedModifierFlags(node) & (ts.ModifierFlags.Static | ts.ModifierFlags.Private)) !== 0);

/**
 * @param {ts.Program} program with both entries
 * @param {Record<string, string>} entries their files, by the names of {@link ENTRIES}
 * @param {string} folder of the compiled sources, as the program has it
 */
export function publicApi(program, entries, folder) {
  const checker = program.getTypeChecker();
  const original = (/** @type {ts.Symbol} */ symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  /** @type {Map<string, Set<string>>} */
  const modules = new Map();
  /** @type {Set<ts.Symbol>} */
  const found = new Set();
  /** @type {ts.Symbol[]} */
  const open = [];
  const lines = Object.entries(entries).flatMap(([name, file]) => {
    const module = /** @type {ts.Symbol} */ (checker.getSymbolAtLocation(/** @type {ts.SourceFile} */ (program.getSourceFile(file))));
    const exported = checker.getExportsOfModule(module);
    open.push(...exported);
    return [`${name}:`, ...exported.map((one) => `  ${one.name}`).sort(), ''];
  });
  const look = (/** @type {ts.Node} */ node) => {
    if (isOurs(node)) return;
    const symbol = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined;
    if (symbol !== undefined) open.push(symbol);
    ts.forEachChild(node, look);
  };
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const symbol = original(next);
    if (found.has(symbol)) continue;
    found.add(symbol);
    for (const declaration of symbol.declarations ?? []) {
      const source = declaration.getSourceFile();
      const path = relative(folder, source.fileName).replace(/\.d\.ts$/, '.ts');
      const statement = path.startsWith('..') ? undefined : statementOf(declaration);
      if (statement === undefined) continue;
      const texts = modules.get(path) ?? new Set();
      modules.set(path, texts.add(printer.printNode(ts.EmitHint.Unspecified, statement, source).replace(/^(?:export |declare )+/, '')));
      look(statement);
    }
  }
  for (const [path, texts] of [...modules].sort(([one], [other]) => (one < other ? -1 : 1))) lines.push(`// src/${path}`, ...[...texts].sort(), '');
  return lines.join('\n');
}

if (process.argv[1] === fromRoot('scripts', 'public-api.js')) {
  const entries = Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, fromRoot(file)]));
  const program = ts.createProgram(Object.values(entries), { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, types: ['node'] });
  writeFileSync(fromRoot(KEPT), publicApi(program, entries, fromRoot('dist', 'src')));
}
