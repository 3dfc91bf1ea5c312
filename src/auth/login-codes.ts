import { LOGIN_CODE_LIFE, LOGIN_CODES } from '../kit/limits.js';
import { keyHash, newKey } from '../kit/random-key.js';

const FORM = /^[A-Za-z0-9_-]{32}$/;

/** Codes that log an account in once, in place of its password: for links that the server itself shows on its terminal. */
export class LoginCodes {
  /** by hash, the oldest first */
  readonly #kept = new Map<string, { readonly account: string; readonly ends: number }>();

  /** A new code for an account. The oldest is forgotten where there are too many. */
  issue(account: string): string {
    const code = newKey();
    this.#kept.set(keyHash(code), { account, ends: performance.now() + LOGIN_CODE_LIFE });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= LOGIN_CODES) break;
      this.#kept.delete(oldest);
    }
    return code;
  }

  /** The account that a code is for; it is used up. @returns undefined where it is none, or too old */
  redeem(code: string): string | undefined {
    if (!FORM.test(code)) return undefined;
    const hash = keyHash(code);
    const kept = this.#kept.get(hash);
    this.#kept.delete(hash);
    return kept !== undefined && performance.now() < kept.ends ? kept.account : undefined;
  }
}
