import type { Secret } from '../../config/secret.js';
import { ArgoError } from '../../kit/errors.js';
import { HOLDS, Lockout, type Holds } from '../../kit/lockout.js';

/** How a command becomes root's. */
export type Rights = { readonly by: 'sudo'; readonly password: Secret | undefined } | { readonly by: 'nobody' };

/** The short forms of `--reset-timestamp --stdin --prompt ''`, or of `--non-interactive`. */
export const sudoFlags = (rights: Rights): string => rights.by === 'sudo' && rights.password !== undefined ? '-k -S -p \'\'' : '-n';

/** sudo has refused the password, so that it is no good to try it again and again: pam_faillock counts. */
class WrongPassword extends ArgoError {
  constructor(words: string, options?: { cause?: unknown }) {
    super('ACCESS DENIED', words, options);
  }
}

/** sudo(8) and sudo-rs, in the C locale. Not of it: that a password is required, or that one is not in sudoers. */
const REFUSED = /\btry again\b|\bincorrect (?:password|authentication) attempt/i;

/** Passwords of sudo for one account of one host, of which one that was refused is held back as that of a login. */
export class SudoPasswords {
  readonly #lockout: Lockout;

  /** @param account `user@host:port`, for which all who ask its sudo know the same */
  constructor(account: string, holds: Holds = HOLDS) {
    this.#lockout = new Lockout(asRefusal, { realm: `sudo ${account}`, holds });
  }

  /**
   * Lets work ask sudo.
   * @param work gets what sudo's stdin is to be, if there is a password
   * @throws ArgoError ACCESS DENIED without any work while the password is held back; what the work throws
   */
  use<T>(rights: Rights, work: (stdin: { readonly stdin?: string }) => Promise<T>): Promise<T> {
    const password = rights.by === 'sudo' ? rights.password?.reveal() : undefined;
    return password === undefined ? work({}) : this.#lockout.guard([password], () => work({ stdin: `${password}\n` }));
  }
}

/**
 * Why sudo ran nothing.
 * @param stderr all that it said; @param words of it, for people
 */
export function refusalOfSudo(stderr: string, words: string): ArgoError {
  return REFUSED.test(stderr) ? new WrongPassword(words) : new ArgoError('ACCESS DENIED', words);
}

function asRefusal(error: unknown, hint: string): Error | undefined {
  return error instanceof WrongPassword ? new WrongPassword(`${error.detail}; ${hint}`, { cause: error }) : undefined;
}
