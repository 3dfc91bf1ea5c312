/** Lays out what an image of containers has beside its base, which has the Node: the Containerfile calls for it. */
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONF, IMAGE_SETTINGS } from './package-files.js';
import { settle, write } from './package-steps.js';
import { layOutProgram } from './package-tree.js';
import { fromRoot } from './root.js';

/** Settings have passwords. */
const SETTINGS_MODE = 0o640;

/**
 * @param {string} out an empty folder: the image's / @param {{ version: string, epoch: number }} facts
 * @returns the folder
 */
export function layOutImage(out, { version, epoch }) {
  if (readdirSync(out).length > 0) throw new Error(`${out} is not empty`);
  layOutProgram(out, { name: 'argo-server', version, hasNode: false });
  let text = readFileSync(fromRoot(CONF.from), 'utf8');
  for (const [from, to] of IMAGE_SETTINGS) {
    if (!text.includes(from)) throw new Error(`${CONF.from} does not say: ${from}`);
    text = text.replace(from, to);
  }
  write(out, CONF.to, text);
  chmodSync(join(out, CONF.to), SETTINGS_MODE);
  settle(out, epoch);
  return out;
}
