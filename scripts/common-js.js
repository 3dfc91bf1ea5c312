/**
 * Makes CommonJS of the ES modules that esbuild writes: it can part a program into files as ES modules
 * only, and Node loads CommonJS faster (a bare server starts with 8 % less work as that, where nothing loads
 * an ES module). What esbuild writes is regular (an import is a statement at the beginning of a line, and
 * there is one list of exports), so it takes no parser; lines stay where they are, as source maps say.
 *
 * What is imported is read once, when it is loaded: nothing in src/ exports what changes later, and
 * nothing imports in circles (scripts/imports.js).
 */

import { Module } from 'node:module';
import { Script } from 'node:vm';

/** 1: a list, 2: all, 3: a CommonJS package as a whole, 4: from where */
const IMPORT = /^import (?:\{([^}]*)\} from |\* as (\w+) from |(\w+) from )?("[^"]+");$/gm;
const EXPORTS = /^export \{([^}]*)\};$/m;
/** 1: what is imported, of ours or a package; without it, what a variable says */
const DYNAMIC = /\bimport\((?:("[^"]+")\))?/g;
/** A CommonJS package as `import` gives it. */
const WHOLE = '.then((name) => { const whole = require(name); return { ...whole, default: whole }; })';
/** @param {string} list `a, b as c`, as a pattern takes it */
const pattern = (list) => list.replace(/ as /g, ': ');
/** @param {string} list `a, b as c`, as an object is made of it */
const object = (list) => list.replace(/([\w$]+) as ([\w$]+)/g, '$2: $1');

/**
 * @param {string} text what esbuild wrote
 * @param {string} importer what imports in its place, as it requires it: code that runs from what was kept of it
 *   (src/kit/kept-code.ts) cannot do that itself on Node 20
 * @param {(name: string) => boolean} isCommonJs of a package: for the first `import` Node sets itself up, 10 ms, and looks
 *   through the package's text
 * @returns {string}
 * @throws SyntaxError where something else is in it
 */
export function commonJs(text, importer, isCommonJs) {
  const dynamic = (/** @type {string | undefined} */ quoted) => {
    // one of our files becomes CommonJS too
    if (quoted?.startsWith('".')) return `Promise.resolve(${quoted}).then(require)`;
    if (quoted !== undefined && isCommonJs(JSON.parse(quoted))) return `Promise.resolve(${quoted})${WHOLE}`;
    return `require(${JSON.stringify(importer)})(${quoted === undefined ? '' : `${quoted})`}`;
  };
  const made = text
    .replace(IMPORT, (_, list, all, whole, from) => {
      const name = list === undefined ? all ?? whole : `{${pattern(list)}}`;
      return `${name === undefined ? '' : `const ${name} = `}require(${from});`;
    })
    .replace(EXPORTS, (_, list) => `module.exports = {${object(list)}};`)
    .replace(DYNAMIC, (_, quoted) => dynamic(quoted))
    .replace(/\bimport\.meta\.url\b/g, 'require("node:url").pathToFileURL(__filename).href');
  // an import that was overlooked is no script
  new Script(Module.wrap(made));
  return made;
}
