/** The documents as packages have them: each link leads to where its file is there. */
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { outsideBlocks, replaceLinks } from './markdown.js';
import { FILES, saidIn, UNIT_HOME, UNITS } from './package-files.js';
import { placesOf, write } from './package-steps.js';

/** Where files of the project are below the root. @param {import('./package-files.js').Row[]} rows */
export const placesBy = (rows) => new Map(placesOf(rows).map(({ from, to }) => /** @type {[string, string]} */ ([from, to])));

/** Where they are in a Debian package. @param {string} name of the package @returns {Map<string, string>} */
export const placesIn = (name) => new Map([
  ...placesBy(FILES),
  ...UNITS.map((unit) => /** @type {[string, string]} */ ([`etc/${unit.name}`, `${UNIT_HOME}/${unit.name}`])),
  ['CHANGELOG.md', `${saidIn(name)}/changelog.gz`],
]);

/**
 * A document with its links as they lead in a package. Of a link to what is not there the words stay, and of a picture nothing.
 * @param {string} markdown @param {string} from the document, below the project's folder
 * @param {Map<string, string>} places where files of the project are, that document among them
 */
export function linked(markdown, from, places) {
  const linkIn = (/** @type {{ whole: string, isPicture: boolean, words: string, target: string }} */ { whole, isPicture, words, target }) => {
    if (/^(?:#|[a-z]+:)/.test(target)) return whole;
    const [, path, anchor] = /^([^#]*)(.*)$/.exec(target);
    const to = places.get(posix.join(posix.dirname(from), path));
    if (to === undefined) return isPicture ? '' : words;
    return `${isPicture ? '!' : ''}[${words}](${posix.relative(posix.dirname(places.get(from)), to)}${to.endsWith('.md') ? anchor : ''})`;
  };
  // where a picture was, one empty line is enough
  return outsideBlocks(markdown, (text) => replaceLinks(text, linkIn).replace(/\n{3,}/g, '\n\n'));
}

/** Has the links of all documents that were laid out lead to where things are. @param {string} root @param {Map<string, string>} places */
export function linkDocuments(root, places) {
  for (const [from, to] of places) {
    if (to.endsWith('.md')) write(root, to, linked(readFileSync(join(root, to), 'utf8'), from, places));
  }
}
