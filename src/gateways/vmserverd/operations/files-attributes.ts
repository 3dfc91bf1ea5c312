import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { FILE_LIST } from '../../../kit/vmserverd-files-limits.js';
import { fields, list, matching, nothing, optional, text } from '../../../protocols/vmserverd/shape.js';
import type { Leaf } from '../files/jail.js';
import { idOf, USER_NAME } from '../files/users.js';
import { changing, changingEach, handlerOf, modeOf, modeWord, noPermission, path, placeOf, row, word, type FileAsked } from './file-work.js';

/** Who may do what with a file on this host, and where an account's own folder is. */

const files = list('file', path, FILE_LIST);
const userName = matching(USER_NAME, 'name of a user or group');
const WRITABLE = 0o222;

/** Changes something about files and folders themselves, never about what a link leads to. @throws OperationError */
async function changeEach(
  asked: FileAsked<{ readonly files: Iterable<string> }>,
  operation: string,
  words: string,
  work: (leaf: Leaf) => Promise<void>,
): Promise<Record<string, never>> {
  const places = [...asked.args.files].map((one) => placeOf(asked, one, 'write'));
  await changingEach(places, (place) =>
    changing(asked, { operation, subject: `${word(place)} ${words}`, needs: [[place, 'write']] }, (signal) =>
      asked.parts.files.jail.parent(place, signal, (folder, name) =>
        folder.leaf(name, async (leaf) => {
          if (!leaf.stats.isDirectory()) leaf.requireFile();
          await work(leaf);
        }),
      ),
    ),
  );
  return {};
}

/** Owners are this host's users, of which accounts know nothing. @throws OperationError */
function requireEveryRight({ actor, parts }: FileAsked): void {
  if (!parts.hasEveryRight(actor)) throw noPermission('owners are changed by accounts that have every right');
}

/** The first folder in which an account may write by its name; else one in which it may write, or read, as everybody may. @throws OperationError */
function homeOf({ account, actor, args: { user = account }, parts }: FileAsked<{ readonly user?: string | undefined }>): string {
  if (user !== account) {
    if (!parts.hasEveryRight(actor)) throw noPermission('only one\'s own is told');
    if (!parts.hasAccount(user)) throw new OperationError(CODES.INVALID_ARGUMENT, 'no such account');
  }
  const { roots } = parts.files;
  const all = [...roots.of(user, 'write'), ...roots.of(user, 'read')];
  const home = all.find(({ write }) => write.includes(user)) ?? all[0];
  if (home === undefined) throw noPermission('there is no such folder');
  return home.path;
}

export const attributeRows = {
  FileManager_ChangeMode: row({
    handler: handlerOf('FileManager', 'ChangeMode'), access: 'authuser', in: fields({ files, owner_mode: modeWord, group_mode: modeWord, other_mode: modeWord }), out: nothing,
    run: (asked) => {
      const mode = modeOf(asked.args.owner_mode, asked.args.group_mode, asked.args.other_mode);
      return changeEach(asked, 'FileManager_ChangeMode', `--mode=${mode.toString(8).padStart(3, '0')}`, (leaf) => leaf.chmod(mode));
    },
  }),
  FileManager_ChangeOwner: row({
    handler: handlerOf('FileManager', 'ChangeOwner'), access: 'authuser', in: fields({ files, owner: userName }), out: nothing,
    run: async (asked) => {
      requireEveryRight(asked);
      const id = await idOf('user', asked.args.owner);
      return changeEach(asked, 'FileManager_ChangeOwner', `--owner=${asked.args.owner}`, (leaf) => leaf.chown(id, -1));
    },
  }),
  FileManager_ChangeGroup: row({
    handler: handlerOf('FileManager', 'ChangeGroup'), access: 'authuser', in: fields({ files, group: userName }), out: nothing,
    run: async (asked) => {
      requireEveryRight(asked);
      const id = await idOf('group', asked.args.group);
      return changeEach(asked, 'FileManager_ChangeGroup', `--group=${asked.args.group}`, (leaf) => leaf.chown(-1, id));
    },
  }),
  FileManager_ChangeAttribs: row({
    handler: handlerOf('FileManager', 'ChangeAttribs'), access: 'authuser', in: fields({ files, attribs: matching(/^(?:(?:readonly|hidden|archive|system)(?:,(?!$)|$))*$/, 'readonly, or nothing') }), out: nothing,
    run: (asked) => {
      const words = new Set(asked.args.attribs.split(',').filter((one) => one !== ''));
      if (words.size > (words.has('readonly') ? 1 : 0)) throw new OperationError(CODES.NOT_SUPPORTED, 'files of this host have no attribute but readonly');
      const isReadonly = words.has('readonly');
      return changeEach(asked, 'FileManager_ChangeAttribs', `--readonly=${isReadonly ? 1 : 0}`, (leaf) => {
        const mode = Number(leaf.stats.mode);
        return leaf.chmod(isReadonly ? mode & ~WRITABLE : mode | 0o200);
      });
    },
  }),
  FileManager_GetHomeDir: row({
    handler: handlerOf('FileManager', 'GetHomeDir'), access: 'authuser', in: fields({ user: optional(text(256, 'account')) }), out: fields({ directory: path }),
    run: (asked) => ({ directory: homeOf(asked) }),
  }),
  FileManager_GetParentDir: row({
    handler: handlerOf('FileManager', 'GetParentDir'), access: 'authuser', in: fields({ path }), out: fields({ directory: path }),
    run: ({ account, args, parts: { files: { roots } } }) => {
      const place = roots.find(account, args.path, 'read') ?? roots.place(account, args.path, 'write');
      return { directory: place.names.length === 0 ? place.root.path : place.path.slice(0, place.path.lastIndexOf('/')) };
    },
  }),
};
