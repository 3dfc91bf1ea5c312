import { NamePattern, PatternError } from '../../../kit/patterns.js';
import { FILE_LIST, FILE_NAME, TREE_TOLD_DEPTH } from '../../../kit/vmserverd-files-limits.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { fields, flag, list, nothing, oneOf, optional, text, whole, type Shape } from '../../../protocols/vmserverd/shape.js';
import { isErrno } from '../files/disk.js';
import type { Folder } from '../files/jail.js';
import { entriesOf, type Entries } from '../files/reading.js';
import { requireBelowRoot, type Place } from '../files/roots.js';
import { fileSystemOf } from '../files/space.js';
import { removeTree, requireTree, treeOf, type Tree } from '../files/trees.js';
import { changing, changingEach, handlerOf, inBackground, looking, modeOf, modeWord, noPermission, path, placeOf, reading, row, word, type FileAsked } from './file-work.js';

/** Folders: what is in them, how full they are, new ones, and their end. */

const entry = { name: text(FILE_NAME, 'name'), type: oneOf(['file', 'dir', 'link', 'other']), size: whole(0), mtime: whole(0), mode: text(4, 'octal digits') } as const;
const ownedEntry = { ...entry, owner: text(64, 'name or number'), group: text(64, 'name or number') } as const;

/** What a listing tells: `unnamed` have names that no document can carry; of a folder with more than 5000 names not all are told. */
const listingOf = <Told>(one: Shape<Told>) => fields({ entries: list('entry', one), unnamed: optional(whole(1)), truncated: optional(flag) });

const listed = ({ entries, unnamed, isCut }: Entries) => ({ entries, ...unnamed > 0 ? { unnamed } : {}, ...isCut ? { truncated: true } : {} });

const listingIn = (asked: FileAsked, given: string, pattern?: NamePattern): Promise<Entries> => {
  const place = placeOf(asked, given, 'read');
  return reading(asked, place, (signal) => asked.parts.files.jail.folder(place, signal, (folder) => entriesOf(folder, pattern)));
};

/** @throws OperationError */
function patternOf(given: string | undefined): NamePattern | undefined {
  try {
    return given === undefined ? undefined : new NamePattern(given);
  } catch (error) {
    if (error instanceof PatternError) throw new OperationError(CODES.INVALID_ARGUMENT, `<pattern>: ${error.message}`);
    throw error;
  }
}

interface TreeElement {
  readonly name: string;
  readonly files: Iterable<string>;
  readonly directories: Iterable<TreeElement>;
  readonly truncated?: boolean | undefined;
}

/** A folder within a folder has the same shape again. */
const treeShape = (depth: number): Shape<TreeElement> => fields({
  name: text(FILE_NAME, 'name'), files: list('file', text(FILE_NAME, 'name')),
  directories: depth === 0 ? list('directory', nothing as unknown as Shape<TreeElement>) : list('directory', treeShape(depth - 1)), truncated: optional(flag),
});

/** As it is shown: two levels say how all are. */
const tree: Shape<TreeElement> = { ...treeShape(TREE_TOLD_DEPTH), form: (name) => treeShape(1).form(name) };

const told = ({ name, files, folders, isCut }: Tree): TreeElement => ({ name, files, directories: folders.map(told), ...isCut ? { truncated: true } : {} });

const READABLE = 0o5;
const DEFAULT_MODE = { owner: 'rwx', group: 'rx', other: 'rx' } as const;

/** Makes one, with exactly these permissions. */
async function make(folder: Folder, name: string, mode: number): Promise<void> {
  await folder.makeFolder(name, 0o700);
  await folder.leaf(name, (leaf) => leaf.chmod(mode));
}

/** Makes what is missing on the way to a folder, and it. @param names left on the way */
async function makeAll(folder: Folder, names: readonly string[], mode: number): Promise<void> {
  const [name = '', ...further] = names;
  if (further.length === 0 || await folder.lookFor(name) === undefined) {
    // who makes folders in it has to come through it
    await make(folder, name, further.length === 0 ? mode : mode | 0o700).catch((thrown: unknown) => {
      if (!isErrno(thrown, 'EEXIST')) throw thrown;
    });
  }
  await folder.folder(name, (inner) => (further.length === 0 ? Promise.resolve() : makeAll(inner, further, mode)));
}

function makeFolder(
  asked: FileAsked,
  operation: string,
  place: Place,
  { mode, withParents }: { readonly mode: number; readonly withParents: boolean },
): Promise<void> {
  const { jail } = asked.parts.files;
  return changing(asked, { operation, subject: word(place), needs: [[place, 'write']] }, async (signal) => {
    if (!withParents || place.names.length === 0) await jail.parent(place, signal, (folder, name) => make(folder, name, mode));
    else await jail.folder({ ...place, names: [] }, signal, (root) => makeAll(root, place.names, mode));
  });
}

function removeFolder(asked: FileAsked, operation: string, place: Place): Promise<void> {
  return changing(asked, { operation, subject: word(place), needs: [[place, 'write']] }, (signal) =>
    asked.parts.files.jail.parent(place, signal, (folder, name) => folder.removeFolder(name)));
}

const fileSystem = { mount: path, device: text(), total: whole(0), free: whole(0) } as const;

export const folderRows = {
  Directory_List: row({
    handler: handlerOf('Handlers', 'Directory_List'), access: 'authuser', in: fields({ directory: path }), out: listingOf(fields(entry)),
    run: async (asked) => listed(await listingIn(asked, asked.args.directory)),
  }),
  Directory_Make: row({
    handler: handlerOf('Handlers', 'Directory_Make'), access: 'authuser', in: fields({ directory: path }), out: nothing,
    run: async (asked) => {
      await makeFolder(asked, 'Directory_Make', placeOf(asked, asked.args.directory, 'write'), { mode: 0o700 | READABLE * 8 | READABLE, withParents: false });
      return {};
    },
  }),
  Directory_Remove: row({
    handler: handlerOf('Handlers', 'Directory_Remove'), access: 'authuser', in: fields({ directory: path }), out: nothing,
    run: async (asked) => {
      await removeFolder(asked, 'Directory_Remove', placeOf(asked, asked.args.directory, 'write'));
      return {};
    },
  }),
  Directory_GetSpaceUsage: row({
    handler: handlerOf('Handlers', 'Directory_GetSpaceUsage'), access: 'authuser', in: fields({ directory: path }), out: fields({ used: whole(0), free: whole(0), total: whole(0) }),
    run: async (asked) => {
      const place = placeOf(asked, asked.args.directory, 'read');
      const { used, free, total } = await reading(asked, place, (signal) => asked.parts.files.jail.folder(place, signal, fileSystemOf));
      return { used, free, total };
    },
  }),
  FileManager_ListDir: row({
    handler: handlerOf('FileManager', 'ListDir'), access: 'authuser', in: fields({ directory: path, pattern: optional(text(FILE_NAME, 'a pattern such as *.iso')) }), out: listingOf(fields(ownedEntry)),
    run: async (asked) => listed(await listingIn(asked, asked.args.directory, patternOf(asked.args.pattern))),
  }),
  FileManager_ListDirTree: row({
    handler: handlerOf('FileManager', 'ListDirTree'), access: 'authuser', in: fields({ directory: path, depth: optional(whole(1, TREE_TOLD_DEPTH)) }), out: fields({ directory: tree }),
    run: async (asked) => {
      const { directory, depth = 2 } = asked.args;
      const place = placeOf(asked, directory, 'read');
      const found = await reading(asked, place, (signal) => asked.parts.files.jail.folder(place, signal, (folder) => treeOf(folder, place.path.slice(place.path.lastIndexOf('/') + 1), depth)));
      return { directory: told(found) };
    },
  }),
  FileManager_MakeDir: row({
    handler: handlerOf('FileManager', 'MakeDir'), access: 'authuser', isPublic: true,
    in: fields({ directories: list('directory', path, FILE_LIST), owner_mode: optional(modeWord), group_mode: optional(modeWord), other_mode: optional(modeWord), makeParents: optional(flag) }), out: nothing,
    run: async (asked) => {
      const {
        directories,
        owner_mode: owner = DEFAULT_MODE.owner,
        group_mode: group = DEFAULT_MODE.group,
        other_mode: other = DEFAULT_MODE.other,
        makeParents = false,
      } = asked.args;
      const places = [...directories].map((one) => placeOf(asked, one, 'write'));
      await changingEach(places, (place) => makeFolder(asked, 'FileManager_MakeDir', place, { mode: modeOf(owner, group, other), withParents: makeParents }));
      return {};
    },
  }),
  FileManager_RemoveDir: row({
    handler: handlerOf('FileManager', 'RemoveDir'), access: 'authuser', in: fields({ directories: list('directory', path, FILE_LIST), recursive: optional(flag) }), out: fields({ task: optional(text(64, 'id')) }),
    run: async (asked) => {
      const { directories, recursive = false } = asked.args;
      const places = [...directories].map((one) => placeOf(asked, one, 'write'));
      places.forEach(requireBelowRoot);
      if (!recursive) {
        await changingEach(places, (place) => removeFolder(asked, 'FileManager_RemoveDir', place));
        return {};
      }
      const { jail } = asked.parts.files;
      for (const place of places) await looking(asked, place, 'write', (signal) => jail.parent(place, signal, requireTree));
      const task = await inBackground(asked, 'FileManager_RemoveDir', places.map((place) => ({
        subject: `${word(place)} --recursive`, needs: [[place, 'write']],
        work: (signal, progress) => jail.parent(place, signal, (folder, name) => removeTree(folder, name, progress)),
      })));
      return { task };
    },
  }),
  GSXHostInfo_GetDiskSpace: row({
    handler: handlerOf('GSXHostInfo', 'GetDiskSpace'), access: 'authuser', in: fields({ path: optional(path) }), out: fields({ filesystems: list('filesystem', fields(fileSystem)) }),
    run: async (asked) => {
      const { account, args: { path: given }, parts: { files: { roots, jail } } } = asked;
      const places = given === undefined ? roots.of(account, 'read').map((root) => placeOf(asked, root.path, 'read')) : [placeOf(asked, given, 'read')];
      if (places.length === 0) throw noPermission('there is no folder in which you may read');
      const found = new Map<string, Awaited<ReturnType<typeof fileSystemOf>>>();
      for (const place of places) {
        const one = await reading(asked, place, (signal) => jail.folder(place, signal, fileSystemOf));
        found.set(one.mount, one);
      }
      return { filesystems: [...found.values()].map(({ mount, device, total, free }) => ({ mount, device, total, free })) };
    },
  }),
};
