import { existsSync, readFileSync } from 'node:fs';
import { fromRoot } from './root.js';

/** The licences of the packages of which something was put in, as these ask for. @param {string[]} inputs paths below the project's folder */
export function licences(inputs) {
  const names = [...new Set(inputs.flatMap((path) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []))].sort();
  return names.map((name) => {
    const file = ['LICENSE', 'LICENSE.md'].map((end) => fromRoot('node_modules', name, end)).find((path) => existsSync(path));
    if (file === undefined) throw new Error(`the package ${name} has no licence that could go with it`);
    return `${name}\n\n${readFileSync(file, 'utf8')}`;
  }).join('\n\n');
}
