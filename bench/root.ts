import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder: the bench runs from dist/bench. */
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A file of the project, as a full path. */
export const fromRoot = (...parts: string[]): string => join(ROOT, ...parts);
