/**
 * `npm run package`: makes a Debian package and an npm tarball of what is compiled, and the Ansible collection.
 *
 *     npm run package                        into dist/packages
 *     npm run package -- --out FOLDER
 *     npm run package -- --version 1.2.3     of the Debian package, another version than that of package.json
 *     npm run package -- --quick             packed less tightly, in a fifth of the time
 *     npm run package -- --only deb          or npm, or ansible, which needs nothing compiled; or bundled: a Debian
 *                                            package with the Node that runs this; or image: what the Containerfile
 *                                            puts into an image, laid out in an empty FOLDER
 *     npm run package -- --as-it-is          nothing is installed and compiled first
 *
 * SOURCE_DATE_EPOCH says when it was made; without it, it is the time of the last commit. The same sources, packages
 * and Node make the same Debian package and the same collection, byte by byte.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCollection } from './collection.js';
import { makeDebian } from './package-debian.js';
import { layOutImage } from './package-image.js';
import { makeTarball } from './package-npm.js';
import { run } from './package-steps.js';
import { prepareOrExit } from './prepare.js';
import { fromRoot } from './root.js';

const manifest = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8'));

/** When it is said to be made, s since 1970. */
function sourceDate() {
  const { SOURCE_DATE_EPOCH: said } = process.env;
  if (said !== undefined && !/^\d{1,11}$/.test(said)) throw new Error('SOURCE_DATE_EPOCH is a number of seconds since 1970');
  return Number(said ?? run('git', ['-C', fromRoot(), 'log', '-1', '--format=%ct']));
}

/** The Ansible collection. @param {string} out @returns its path */
const makeOurCollection = (out) => makeCollection(out, { version: manifest.version, epoch: sourceDate() });

/** What can be made, each in a folder. @type {Record<string, (out: string, wanted: { version: string, quick: boolean }) => string>} */
const KINDS = {
  deb: (out, wanted) => makeDebian(out, { ...wanted, epoch: sourceDate(), hasNode: false }),
  bundled: (out, wanted) => makeDebian(out, { ...wanted, epoch: sourceDate(), hasNode: true }),
  image: (out, { version }) => layOutImage(out, { version, epoch: sourceDate() }),
  npm: (out) => makeTarball(out, makeOurCollection),
  ansible: makeOurCollection,
};

/** What is made where nothing is said. */
const DEFAULT_KINDS = ['deb', 'npm', 'ansible'];

function main() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: fromRoot('dist', 'packages') }, version: { type: 'string', default: manifest.version },
      quick: { type: 'boolean', default: false }, 'as-it-is': { type: 'boolean', default: false }, only: { type: 'string' },
    },
  });
  if (!/^\d[\w.+-]*$/.test(values.version)) throw new Error(`${values.version} is no version`);
  const kinds = values.only === undefined ? DEFAULT_KINDS : [values.only];
  if (!kinds.every((kind) => Object.hasOwn(KINDS, kind))) throw new Error(`--only ${Object.keys(KINDS).join(' or ')}`);
  if (!values['as-it-is']) prepareOrExit({ dev: true });
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  for (const kind of kinds) process.stdout.write(`${KINDS[kind](out, values)}\n`);
}

try {
  main();
} catch (error) {
  process.stderr.write(`argo: ${error.message}\n`);
  process.exitCode = 1;
}
