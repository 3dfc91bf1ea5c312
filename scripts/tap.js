/**
 * Puts the test framework into one file for the tests, dist/node_modules/tap: a hundred files of it would else be found, read and
 * compiled in each of some hundred processes. What runs is the same code, and where this folder is missing, Node finds the package.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { fromRoot } from './root.js';
import { runNode } from './run-file.js';

const FOLDER = fromRoot('dist', 'node_modules', 'tap');
/** It takes the place of the other when it is whole. */
const UNFINISHED = fromRoot('dist', '.tap');
/** For a process that loads it once, ms. */
const KEEP_TIMEOUT_MS = 60_000;

/**
 * What is put together. A report of what has failed leaves out places in the framework, which it knows by the names of their
 * packages; here they are all in this one.
 */
const ENTRY = `require('@tapjs/stack').addIgnoredPackage('tap');
module.exports = require(${JSON.stringify(fromRoot('node_modules', 'tap', 'dist', 'commonjs', 'index.js'))});
`;
/** What tests import: the names are said, since an ES module has to. */
const INDEX = `import { createRequire } from 'node:module';
const tap = createRequire(import.meta.url)('./run.cjs');
export const { t, test } = tap;
export default t;
`;
/** Runs it through what is kept of it, as src/kit/kept-code.ts does with the server. */
const RUN = "require('./kept-code.cjs').runKept(module, require, `${__dirname}/tap.cjs`);\n";
/** What keeps it, when it has run: with the functions that a start needs. */
const KEEP = `const vm = require('node:vm');
let script;
vm.Script = class extends vm.Script { constructor(...given) { super(...given); script = this; } };
const { keepCode } = require('./kept-code.cjs');
keepCode(\`\${__dirname}/tap.cjs\`);
require('./run.cjs').t.pass('it runs');
keepCode(\`\${__dirname}/tap.cjs\`, script);
`;

rmSync(UNFINISHED, { recursive: true, force: true });
mkdirSync(UNFINISHED, { recursive: true });
writeFileSync(`${UNFINISHED}/entry.cjs`, ENTRY);
await build({
  entryPoints: { tap: `${UNFINISHED}/entry.cjs`, 'kept-code': 'src/kit/kept-code.ts' }, outdir: UNFINISHED, outExtension: { '.js': '.cjs' }, absWorkingDir: fromRoot(),
  bundle: true, minifyWhitespace: true, legalComments: 'none', platform: 'node', format: 'cjs', target: 'node20.19', logLevel: 'warning',
});
rmSync(`${UNFINISHED}/entry.cjs`);
writeFileSync(`${UNFINISHED}/package.json`, '{ "name": "tap", "type": "module", "exports": "./index.js" }\n');
writeFileSync(`${UNFINISHED}/index.js`, INDEX);
writeFileSync(`${UNFINISHED}/run.cjs`, RUN);
writeFileSync(`${UNFINISHED}/keep.cjs`, KEEP);
rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(fromRoot('dist', 'node_modules'), { recursive: true });
renameSync(UNFINISHED, FOLDER);
// where it will run: what is kept of code knows its path
const { code, stderr } = await runNode([`${FOLDER}/keep.cjs`], KEEP_TIMEOUT_MS);
if (code !== 0) process.stderr.write(`argo: tap could not be loaded by the build: tests will start a little slower\n${stderr}`);
