/** Lays out what an image of containers has beside its base, which has the Node: the Containerfile calls for it. */
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IMAGE_SETTINGS } from './package-files.js';
import { settle, write } from './package-steps.js';
import { layOutProgram } from './package-tree.js';

/** Settings have passwords. */
const SETTINGS_MODE = 0o640;

/**
 * @param {string} out an empty folder: the image's / @param {{ version: string, epoch: number }} facts
 * @returns the folder
 */
export function layOutImage(out, { version, epoch }) {
  if (readdirSync(out).length > 0) throw new Error(`${out} is not empty`);
  layOutProgram(out, { name: 'argo-server', version, hasNode: false });
  for (const [path, changes] of Object.entries(IMAGE_SETTINGS)) {
    let text = readFileSync(join(out, path), 'utf8');
    for (const [from, to] of changes) {
      if (!text.includes(from)) throw new Error(`${path} does not say: ${from}`);
      text = text.replace(from, to);
    }
    write(out, path, text);
    chmodSync(join(out, path), SETTINGS_MODE);
  }
  settle(out, epoch);
  return out;
}
