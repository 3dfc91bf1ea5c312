import type { FileParts } from './file-work.js';
import { attributeRows } from './files-attributes.js';
import { fileContentRows } from './files-content.js';
import { folderRows } from './files-folders.js';
import type { AnyRow } from './row.js';

export type { FileParts } from './file-work.js';

/** Operations on files, by name. */
export const fileRows: Readonly<Record<string, AnyRow<FileParts>>> = { ...folderRows, ...fileContentRows, ...attributeRows };
