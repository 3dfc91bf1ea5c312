import { COPY_INLINE, FILE_CONTENT, FILE_LIST, FILE_PIECE, IMAGE_BYTES, LAST_LINES } from '../../../kit/vmserverd-files-limits.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { fields, flag, list, nothing, oneOf, optional, text, whole } from '../../../protocols/vmserverd/shape.js';
import type { Way } from '../files/copying.js';
import { isErrno } from '../files/disk.js';
import { IMAGE_FORMATS } from '../files/images.js';
import type { Leaf } from '../files/jail.js';
import { lastLines, readPiece } from '../files/reading.js';
import type { Place } from '../files/roots.js';
import { changing, changingEach, handlerOf, inBackground, path, paths, placeOf, reading, row, word, type FileAsked, type FileChange, type TaskStep } from './file-work.js';

/** Files: what is in them, new ones, copies, other names, and their end. */

const NEW_FILE = 0o644;
const PIECE = 65_536;
const LINES = 100;

const readLeaf = <T>(asked: FileAsked, given: string, work: (leaf: Leaf) => Promise<T>): Promise<T> => {
  const place = placeOf(asked, given, 'read');
  return reading(asked, place, (signal) => asked.parts.files.jail.file(place, signal, work));
};

/** Whether it is there. Where somebody may not look there is nothing. */
async function isThere(asked: FileAsked, given: string): Promise<boolean> {
  const { account, parts: { files: { roots, jail } } } = asked;
  const place = roots.find(account, given, 'read');
  if (place === undefined) return false;
  if (place.names.length === 0) return true;
  try {
    return await reading(asked, place, (signal) => jail.parent(place, signal, async (folder, name) => await folder.lookFor(name) !== undefined));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

function remove(asked: FileAsked, operation: string, place: Place): Promise<void> {
  return changing(asked, { operation, subject: word(place), needs: [[place, 'write']] }, (signal) => asked.parts.files.jail.parent(place, signal, async (folder, name) => {
    const stats = await folder.look(name);
    if (stats.isDirectory()) throw new OperationError(CODES.FILE, `${place.path}: is a folder`);
    if (!stats.isFile() && !stats.isSymbolicLink()) throw new OperationError(CODES.FILE, `${place.path}: is neither a file nor a link`);
    await folder.remove(name);
  }));
}

/** What a new file is to hold. @throws OperationError */
function contentOf({ content, base64 }: { readonly content?: string | undefined; readonly base64?: string | undefined }): Buffer {
  if (base64 === undefined) return Buffer.from(content ?? '');
  const digits = base64.replace(/\s/g, '');
  const bytes = Buffer.from(digits, 'base64');
  if (content !== undefined || bytes.toString('base64') !== digits) throw new OperationError(CODES.INVALID_ARGUMENT, '<base64>: base64 is expected, and no <content> beside it');
  return bytes;
}

const wayOf = (asked: FileAsked, { source, target }: { readonly source: string; readonly target: string }, overwrite: boolean, ...needed: readonly ('read' | 'write')[]): Way =>
  ({ source: placeOf(asked, source, ...needed), target: placeOf(asked, target, 'write'), overwrite });

const subjectOf = ({ source, target, overwrite }: Way): string => `${word(source)} -> ${word(target)}${overwrite ? ' --overwrite' : ''}`;

const copyOf = (operation: string, way: Way): FileChange => ({ operation, subject: subjectOf(way), needs: [[way.source, 'read'], [way.target, 'write']] });
const moveOf = (operation: string, way: Way): FileChange => ({ operation, subject: subjectOf(way), needs: [[way.source, 'read'], [way.source, 'write'], [way.target, 'write']] });

const copyStep = ({ parts: { files } }: FileAsked, operation: string, way: Way): TaskStep =>
  ({ ...copyOf(operation, way), work: (signal, progress) => files.copying.copy(way, signal, progress) });

async function copyNow(asked: FileAsked, way: Way): Promise<string | undefined> {
  const { parts: { files: { copying } } } = asked;
  const size = await reading(asked, way.source, (signal) => copying.size(way.source, signal));
  if (size > COPY_INLINE) return inBackground(asked, 'File_Copy', [copyStep(asked, 'File_Copy', way)]);
  await changing(asked, copyOf('File_Copy', way), (signal) => copying.copy(way, signal, () => undefined));
  return undefined;
}

/** @returns what has to be copied, since it goes to another disk */
async function rename(asked: FileAsked, ways: readonly Way[]): Promise<readonly Way[]> {
  const left: Way[] = [];
  await changingEach(ways, async (way) => {
    const isMoved = await changing(asked, moveOf('FileManager_FileMove', way), (signal) => asked.parts.files.moving.rename(way, signal));
    if (!isMoved) left.push(way);
  });
  return left;
}

/** What a link leads to is to be there and theirs, and may be a folder of the configuration itself; who follows it later looks for himself. @throws OperationError */
async function requireThere({ parts: { files: { jail } } }: FileAsked, place: Place, signal: AbortSignal): Promise<void> {
  if (place.names.length === 0) await jail.folder(place, signal, () => Promise.resolve());
  else await jail.parent(place, signal, (folder, name) => folder.look(name));
}

function makeLink(asked: FileAsked, way: Way, isSymbolic: boolean): Promise<void> {
  const { jail, moving } = asked.parts.files;
  const { source, target } = way;
  const subject = `${subjectOf(way)}${isSymbolic ? ' --symbolic' : ''}`;
  const change = isSymbolic ? copyOf('FileManager_FileMakeLink', way) : moveOf('FileManager_FileMakeLink', way);
  return changing(asked, { ...change, subject }, async (signal) => {
    if (!isSymbolic) return moving.link(source, target, signal);
    await requireThere(asked, source, signal);
    return jail.parent(target, signal, (folder, name) => folder.symlink(name, source.path));
  });
}

const ways = fields({ files: list('file', fields({ source: path, target: path }), FILE_LIST), overwrite: optional(flag) });
const task = text(64, 'id');

const contentRows = {
  File_Create: row({
    handler: handlerOf('Handlers', 'File_Create'), access: 'authuser', in: fields({ file: path, content: optional(text(FILE_CONTENT)), base64: optional(text(FILE_CONTENT, 'base64')) }), out: nothing,
    run: async (asked) => {
      const bytes = contentOf(asked.args);
      const place = placeOf(asked, asked.args.file, 'write');
      const { jail, placing } = asked.parts.files;
      await changing(asked, { operation: 'File_Create', subject: word(place), needs: [[place, 'write']] }, (signal) => jail.parent(place, signal, (folder, name) =>
        placing.place({ folder, name, overwrite: false }, NEW_FILE, (handle) => folder.calls.on(place.path, async () => {
          await handle.writeFile(bytes);
          await handle.sync();
        }))));
      return {};
    },
  }),
  File_Exists: row({
    handler: handlerOf('Handlers', 'File_Exists'), access: 'authuser', in: fields({ file: path }), out: fields({ exists: flag }),
    run: async (asked) => ({ exists: await isThere(asked, asked.args.file) }),
  }),
  File_Read: row({
    handler: handlerOf('Handlers', 'File_Read'), access: 'authuser', in: fields({ file: path, offset: optional(whole(0)), length: optional(whole(1, FILE_PIECE)) }), out: fields({ base64: text(FILE_PIECE * 2, 'base64'), eof: flag }),
    run: async (asked) => {
      const { file, offset = 0, length = PIECE } = asked.args;
      const { bytes, isEnd } = await readLeaf(asked, file, (leaf) => readPiece(leaf, offset, length));
      return { base64: bytes.toString('base64'), eof: isEnd };
    },
  }),
  File_ReadLastN: row({
    handler: handlerOf('Handlers', 'File_ReadLastN'), access: 'authuser', in: fields({ file: path, n: optional(whole(1, LAST_LINES)) }), out: fields({ lines: list('line', text()) }),
    run: async (asked) => ({ lines: await readLeaf(asked, asked.args.file, (leaf) => lastLines(leaf, asked.args.n ?? LINES)) }),
  }),
  FileManager_FileExists: row({
    handler: handlerOf('FileManager', 'FileExists'), access: 'authuser', in: paths, out: fields({ files: list('file', fields({ path, exists: flag }), FILE_LIST) }),
    run: async (asked) => {
      const files = [];
      for (const one of asked.args.files) files.push({ path: one, exists: await isThere(asked, one) });
      return { files };
    },
  }),
};

const changeRows = {
  File_Copy: row({
    handler: handlerOf('Handlers', 'File_Copy'), access: 'authuser', in: fields({ source: path, target: path, overwrite: optional(flag) }), out: fields({ task: optional(task) }),
    run: async (asked) => {
      const begun = await copyNow(asked, wayOf(asked, asked.args, asked.args.overwrite ?? false, 'read'));
      return begun === undefined ? {} : { task: begun };
    },
  }),
  File_Delete: row({
    handler: handlerOf('Handlers', 'File_Delete'), access: 'authuser', in: fields({ file: path }), out: nothing,
    run: async (asked) => {
      await remove(asked, 'File_Delete', placeOf(asked, asked.args.file, 'write'));
      return {};
    },
  }),
  FileManager_FileRemove: row({
    handler: handlerOf('FileManager', 'FileRemove'), access: 'authuser', in: paths, out: nothing,
    run: async (asked) => {
      const places = [...asked.args.files].map((one) => placeOf(asked, one, 'write'));
      await changingEach(places, (place) => remove(asked, 'FileManager_FileRemove', place));
      return {};
    },
  }),
  FileManager_FileCopy: row({
    handler: handlerOf('FileManager', 'FileCopy'), access: 'authuser', in: ways, out: fields({ task }),
    run: async (asked) => {
      const all = [...asked.args.files].map((one) => wayOf(asked, one, asked.args.overwrite ?? false, 'read'));
      return { task: await inBackground(asked, 'FileManager_FileCopy', all.map((way) => copyStep(asked, 'FileManager_FileCopy', way))) };
    },
  }),
  FileManager_FileMove: row({
    handler: handlerOf('FileManager', 'FileMove'), access: 'authuser', in: ways, out: fields({ task: optional(task) }),
    run: async (asked) => {
      const { moving } = asked.parts.files;
      const left = await rename(asked, [...asked.args.files].map((one) => wayOf(asked, one, asked.args.overwrite ?? false, 'read', 'write')));
      if (left.length === 0) return {};
      return { task: await inBackground(asked, 'FileManager_FileMove', left.map((way) => ({ ...moveOf('FileManager_FileMove', way), work: (signal, progress) => moving.copy(way, signal, progress) }))) };
    },
  }),
  FileManager_FileMakeLink: row({
    handler: handlerOf('FileManager', 'FileMakeLink'), access: 'authuser', in: fields({ source: path, target: path, symbolic: optional(flag) }), out: nothing,
    run: async (asked) => {
      const isSymbolic = asked.args.symbolic ?? true;
      await makeLink(asked, isSymbolic ? wayOf(asked, asked.args, false, 'read') : wayOf(asked, asked.args, false, 'read', 'write'), isSymbolic);
      return {};
    },
  }),
  CreateCOWDisk: row({
    handler: handlerOf('Disk', 'CreateCOWDisk'), access: 'authuser', in: fields({ base: path, target: path, format: optional(oneOf(IMAGE_FORMATS)), size: optional(whole(1, IMAGE_BYTES)) }), out: fields({ path }),
    run: async (asked) => {
      const { base, target, format, size } = asked.args;
      const order = { base: placeOf(asked, base, 'read'), target: placeOf(asked, target, 'write'), format, size, placeOf: (one: string) => placeOf(asked, one, 'read') };
      const change: FileChange = { operation: 'CreateCOWDisk', subject: `${word(order.target)} --base=${word(order.base)}`, needs: [[order.base, 'read'], [order.target, 'write']] };
      await changing(asked, change, (signal) => asked.parts.files.images.create(order, signal));
      return { path: order.target.path };
    },
  }),
};

export const fileContentRows = { ...contentRows, ...changeRows };
