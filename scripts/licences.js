import { existsSync, readFileSync } from 'node:fs';
import { fromRoot } from './root.js';

/** Packages whose terms stand in several files. */
const FILES = /** @type {Record<string, string[]>} */ ({
  '@novnc/novnc': ['LICENSE.txt', 'AUTHORS', 'docs/LICENSE.MPL-2.0', 'vendor/pako/LICENSE'],
});

const fileOf = (/** @type {string} */ name, /** @type {string} */ file) => fromRoot('node_modules', name, file);

function termsOf(/** @type {string} */ name) {
  const files = FILES[name] ?? ['LICENSE', 'LICENSE.md'].filter((file) => existsSync(fileOf(name, file))).slice(0, 1);
  if (files.length === 0) throw new Error(`the package ${name} has no licence that could go with it`);
  const { version } = JSON.parse(readFileSync(fileOf(name, 'package.json'), 'utf8'));
  // MPL 2.0, 3.2: where the source is to be had
  return [`${name} ${version}, unchanged; its source is that package of https://registry.npmjs.org`, ...files.map((file) => readFileSync(fileOf(name, file), 'utf8'))].join('\n\n');
}

/** The licences of the packages of which something was put in, as these ask for. @param {string[]} inputs paths below the project's folder */
export function licences(inputs) {
  const names = [...new Set(inputs.flatMap((path) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []))].sort();
  return names.map(termsOf).join('\n\n');
}
