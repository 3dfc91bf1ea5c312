import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { EVERYBODY, type FileRoot } from './options.js';
import { isWithin, pathOf, readPath } from './paths.js';

/** What is done in a folder. Neither includes the other. */
export type Access = 'read' | 'write';

/** A place in a root, as it was asked for: nothing of it was looked at. */
export interface Place {
  readonly root: FileRoot;
  /** names below the root; none: the root itself */
  readonly names: readonly string[];
  readonly path: string;
}

/** Called when an account may no longer do something in a folder. */
interface Holder {
  readonly account: string;
  readonly root: string;
  readonly access: Access;
  readonly lost: (reason: Error) => void;
}

const has = (root: FileRoot, access: Access, account: string): boolean => root[access].some((one) => one === EVERYBODY || one === account);

/** The same words for what is not there, what is elsewhere and what is not allowed: nobody learns which. */
export const notYours = (): OperationError => new OperationError(CODES.NO_PERMISSION, 'this is in no folder in which you may do that');

/** The name of what is changed in the folder above it. @throws OperationError NO_PERMISSION for a root itself, which is in none */
export function requireBelowRoot({ names }: Place): string {
  const name = names.at(-1);
  if (name === undefined) throw new OperationError(CODES.NO_PERMISSION, 'this is a folder of the configuration: it stays as it is');
  return name;
}

/** The folders of the configuration as it is now, and who may do what in them. */
export class Roots {
  #roots: readonly FileRoot[] = [];
  readonly #holders = new Set<Holder>();

  get all(): readonly FileRoot[] {
    return this.#roots;
  }

  /** Takes others. What is under way in one that somebody has lost by it is told to end. */
  replace(roots: readonly FileRoot[]): void {
    this.#roots = roots;
    for (const holder of [...this.#holders]) if (!this.may(holder.account, holder.root, holder.access)) holder.lost(notYours());
  }

  /** @param path of a root */
  may(account: string, path: string, access: Access): boolean {
    return this.#roots.some((root) => root.path === path && has(root, access, account));
  }

  /** The roots in which an account may do something. */
  of(account: string, access: Access): readonly FileRoot[] {
    return this.#roots.filter((root) => has(root, access, account));
  }

  /**
   * Where a path is.
   * @throws OperationError INVALID_ARGUMENT for what is no path; NO_PERMISSION where it is in no root in which the account may do all of it
   */
  place(account: string, path: string, ...needed: readonly Access[]): Place {
    const place = this.find(account, path, ...needed);
    if (place === undefined) throw notYours();
    return place;
  }

  /** The same; undefined where it is in no such root. @throws OperationError INVALID_ARGUMENT */
  find(account: string, path: string, ...needed: readonly Access[]): Place | undefined {
    const names = readPath(path);
    if (names === undefined) throw new OperationError(CODES.INVALID_ARGUMENT, 'a full path is expected, without "." and "..", of at most 4095 bytes and 255 a name');
    const plain = pathOf(names);
    const root = this.#roots.find((one) => isWithin(plain, one.path));
    if (root === undefined || !needed.every((access) => has(root, access, account))) return undefined;
    return { root, names: names.slice(readPath(root.path)!.length), path: plain };
  }

  /**
   * Follows whether an account still may do something.
   * @param lost called once when a reload has taken that away
   * @returns ends that
   */
  follow(account: string, { root: { path } }: Place, access: Access, lost: (reason: Error) => void): () => void {
    const holder: Holder = { account, root: path, access, lost };
    this.#holders.add(holder);
    return () => this.#holders.delete(holder);
  }
}
