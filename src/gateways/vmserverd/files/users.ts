import { readFile } from 'node:fs/promises';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { entriesIn, type Entry } from '../host-accounts.js';

/** Users and groups of this host, as its own files have them; those of a directory service are known by their numbers. */

export const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;

export type Names = ReadonlyMap<number, string>;

const FILES = { user: '/etc/passwd', group: '/etc/group' } as const;

const read = async (kind: keyof typeof FILES): Promise<readonly Entry[]> => entriesIn(await readFile(FILES[kind], 'utf8').catch(() => ''));

/** The names of all, by their numbers: of several for one number, the first. */
export async function namesOf(kind: keyof typeof FILES): Promise<Names> {
  return new Map((await read(kind)).toReversed().map(([name, id]) => [id, name]));
}

/** @throws OperationError INVALID_ARGUMENT where there is none */
export async function idOf(kind: keyof typeof FILES, name: string): Promise<number> {
  const found = (await read(kind)).find(([one]) => one === name);
  if (found === undefined) throw new OperationError(CODES.INVALID_ARGUMENT, `this host has no ${kind} ${name}`);
  return found[1];
}
