import { existsSync, readFileSync } from 'node:fs';
import { fromRoot } from './root.js';

/** Packages whose terms stand in several files. */
const FILES = /** @type {Record<string, string[]>} */ ({
  '@novnc/novnc': ['LICENSE.txt', 'AUTHORS', 'docs/LICENSE.MPL-2.0', 'vendor/pako/LICENSE'],
});

/** By which names packages have their terms. */
const NAMES = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'license.md'];

/**
 * The ISC licence, for packages that name it and their author, and do not bring its text.
 * @param {string} holder
 */
const isc = (holder) => `Copyright (c) ${holder}

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
`;

/** A package's folder, in which others may lie. */
export const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;

function termsOf(/** @type {string} */ folder) {
  const textOf = (/** @type {string} */ file) => readFileSync(fromRoot(folder, file), 'utf8');
  const { name, version, license, author } = JSON.parse(textOf('package.json'));
  const files = FILES[name] ?? NAMES.filter((file) => existsSync(fromRoot(folder, file))).slice(0, 1);
  const named = files.length === 0 && license === 'ISC' && author !== undefined ? [isc(author.name ?? author)] : [];
  if (files.length + named.length === 0) throw new Error(`the package ${name} has no licence that could go with it`);
  // MPL 2.0, 3.2: where the source is to be had
  return [`${name} ${version}, unchanged; its source is that package of https://registry.npmjs.org`, ...files.map(textOf), ...named].join('\n\n');
}

/** The licences of the packages of which something was put in, as these ask for. @param {string[]} inputs paths below the project's folder */
export function licences(inputs) {
  const folders = [...new Set(inputs.flatMap((path) => PACKAGE.exec(path)?.[0] ?? []))].sort();
  return folders.map(termsOf).join('\n\n');
}
