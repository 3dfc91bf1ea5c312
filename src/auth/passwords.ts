import { availableParallelism } from 'node:os';
import { ArgoError } from '../kit/errors.js';
import { FairPlaces } from '../kit/fair-places.js';
import { BCRYPT_COST, BCRYPT_MAX_BYTES, LOGINS_WAITING } from '../kit/limits.js';

/**
 * bcrypt works on threads of its own. One core stays free for everything else, so that a flood of
 * logins makes logins slow and nothing else.
 */
const CHECKS_AT_A_TIME = Math.max(1, Math.min(2, availableParallelism() - 1));

const turns = new FairPlaces({ places: CHECKS_AT_A_TIME, waiting: LOGINS_WAITING });

/** Where somebody stands in the line for a check of a password. */
export interface Turn {
  /** the groups that are served in turn, the widest first; of all that wait, as many */
  readonly path: readonly string[];
  /** whether to be served before those who are not */
  readonly isFirst: boolean;
}

/** Loaded at the first use: start-up does not pay for it. */
const bcrypt = async () => (await import('bcrypt')).default;

/** Whether a password can be used at all: bcrypt ignores what comes after its 72nd byte. */
export function passwordFault(password: string): string | undefined {
  if (password === '') return 'the password is empty';
  if (Buffer.byteLength(password) > BCRYPT_MAX_BYTES) return `the password is longer than ${BCRYPT_MAX_BYTES} bytes`;
  if (/[\u0000-\u001f\u007f-\u009f]/.test(password)) return 'the password holds control characters';
  return undefined;
}

export async function hashPassword(password: string): Promise<string> {
  return (await bcrypt()).hash(password, BCRYPT_COST);
}

/**
 * Compares a password with a hash, in its turn. `$2y$`, as PHP and htpasswd write it, is the same as
 * `$2b$`, but the library does not know it.
 * @throws ArgoError BUSY where too many comparisons wait; the signal's reason where it is aborted
 *   while waiting
 */
export async function verifyPassword(password: string, hash: string, signal: AbortSignal, { path, isFirst }: Turn): Promise<boolean> {
  const leave = await turns.take(signal, path, isFirst);
  try {
    const matches = await (await bcrypt()).compare(password, hash.replace(/^\$2y\$/, '$2b$$'));
    return matches && passwordFault(password) === undefined;
  } catch (error) {
    throw new ArgoError('INTERNAL ERROR', 'the password could not be checked', { cause: error });
  } finally {
    leave();
  }
}

/**
 * A hash that no password matches, for names that have no account: the work is the same as for those
 * that have.
 * @param cost log2 of the rounds
 */
export const impossibleHash = (cost: number): string => `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`;
