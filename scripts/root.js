import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** A file of the project, as a full path. @param {string[]} parts */
export const fromRoot = (...parts) => join(ROOT, ...parts);
