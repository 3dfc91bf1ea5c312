import { existsSync, readFileSync } from 'node:fs';
import { fromRoot } from './root.js';

/** Packages whose terms stand in several files. */
const FILES = /** @type {Record<string, string[]>} */ ({
  '@novnc/novnc': ['LICENSE.txt', 'AUTHORS', 'docs/LICENSE.MPL-2.0', 'vendor/pako/LICENSE'],
});

/** By which names packages have their terms. */
const NAMES = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'license.md'];

/** A package's folder, in which others may lie. */
const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;

function termsOf(/** @type {string} */ folder) {
  const textOf = (/** @type {string} */ file) => readFileSync(fromRoot(folder, file), 'utf8');
  const { name, version } = JSON.parse(textOf('package.json'));
  const files = FILES[name] ?? NAMES.filter((file) => existsSync(fromRoot(folder, file))).slice(0, 1);
  if (files.length === 0) throw new Error(`the package ${name} has no licence that could go with it`);
  // MPL 2.0, 3.2: where the source is to be had
  return [`${name} ${version}, unchanged; its source is that package of https://registry.npmjs.org`, ...files.map(textOf)].join('\n\n');
}

/** The licences of the packages of which something was put in, as these ask for. @param {string[]} inputs paths below the project's folder */
export function licences(inputs) {
  const folders = [...new Set(inputs.flatMap((path) => PACKAGE.exec(path)?.[0] ?? []))].sort();
  return folders.map(termsOf).join('\n\n');
}
