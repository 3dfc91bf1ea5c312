import { createHash, randomBytes } from 'node:crypto';
import { LOGIN_CODE_LIFE, LOGIN_CODES } from '../kit/limits.js';

/** 192 bits: nobody guesses one. */
const BYTES = 24;
const FORM = /^[A-Za-z0-9_-]{32}$/;

const hashOf = (code: string): string => createHash('sha256').update(code).digest('base64url');

/** Codes that log an account in once, in place of its password: for links that the server itself shows on its terminal. */
export class LoginCodes {
  /** by hash, the oldest first */
  readonly #kept = new Map<string, { readonly account: string; readonly ends: number }>();

  /** A new code for an account. The oldest is forgotten where there are too many. */
  issue(account: string): string {
    const code = randomBytes(BYTES).toString('base64url');
    this.#kept.set(hashOf(code), { account, ends: performance.now() + LOGIN_CODE_LIFE });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= LOGIN_CODES) break;
      this.#kept.delete(oldest);
    }
    return code;
  }

  /** The account that a code is for; it is used up. @returns undefined where it is none, or too old */
  redeem(code: string): string | undefined {
    if (!FORM.test(code)) return undefined;
    const hash = hashOf(code);
    const kept = this.#kept.get(hash);
    this.#kept.delete(hash);
    return kept !== undefined && performance.now() < kept.ends ? kept.account : undefined;
  }
}
