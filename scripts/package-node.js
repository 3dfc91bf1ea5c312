/** Puts the Node that runs this into a package, for systems whose own is too old. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { BUNDLED_NODE, HOME, saidIn, UNIT_HOME, UNITS } from './package-files.js';
import { filesIn, run, write } from './package-steps.js';

/** How programs and units say that any Node is to run them. */
const ANY_NODE = '/usr/bin/env node';

/** The terms of the Node that runs this: in its own folder, or where Debian's packages have them. */
function nodeTerms() {
  const places = [join(dirname(dirname(process.execPath)), 'LICENSE'), '/usr/share/doc/nodejs/LICENSE', '/usr/share/doc/nodejs/copyright'];
  const found = places.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`the terms of ${process.execPath} are in none of ${places.join(', ')}`);
  return found;
}

/** @param {string} root @param {string} path */
function useBundled(root, path) {
  const text = readFileSync(join(root, path), 'utf8');
  if (!text.includes(ANY_NODE)) throw new Error(`/${path} does not say ${ANY_NODE}`);
  write(root, path, text.replaceAll(ANY_NODE, `/${BUNDLED_NODE}`));
}

/**
 * What was for any Node is for that one from then on.
 * @param {string} root where all else is laid out @param {string} name of the package
 * @returns {string} where it is, as a full path
 */
export function addNode(root, name) {
  const node = join(root, BUNDLED_NODE);
  mkdirSync(dirname(node), { recursive: true });
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  run('strip', ['--strip-unneeded', node]);
  for (const program of filesIn(join(root, HOME, 'bin')).filter((path) => path !== 'package.json')) {
    useBundled(root, `${HOME}/bin/${program}`);
    chmodSync(join(root, HOME, 'bin', program), 0o755);
  }
  for (const unit of UNITS) useBundled(root, `${UNIT_HOME}/${unit.name}`);
  write(root, `${saidIn(name)}/node.LICENSE.gz`, gzipSync(readFileSync(nodeTerms()), { level: 9 }));
  return node;
}
