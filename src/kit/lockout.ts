import { createHash } from 'node:crypto';

/** When logins that were refused are tried again, milliseconds. */
export interface Holds {
  /** the first time; it doubles from there */
  readonly first: number;
  readonly longest: number;
  /** for credentials that were good before: a host that boots lets nobody in but root (pam_nologin) */
  readonly known: number;
}

/**
 * Servers lock accounts: ESXi and vCenter after five failures within 15 and 3 minutes, pam_faillock
 * after three. One login may count twice, as by password and by keyboard-interactive.
 */
export const HOLDS: Holds = { first: 5 * 60_000, longest: 30 * 60_000, known: 10_000 };

/**
 * Tells the refusal of a login from other errors.
 * @param hint until when the credentials are held back, as the end of a sentence
 * @returns the refusal with the hint; undefined for any other error
 */
export type Refusal = (error: unknown, hint: string) => Error | undefined;

/** Keeps one account on one server from being locked out by us: what was refused is held back, longer each time. */
export class Lockout {
  #refusal: { readonly mark: string; readonly error: Error; readonly until: number } | undefined;
  #hold: number;
  /** the credentials that were good when they were tried last */
  #accepted: string | undefined;
  readonly #asRefusal: Refusal;
  readonly #holds: Holds;

  constructor(refusal: Refusal, holds: Holds = HOLDS) {
    this.#asRefusal = refusal;
    this.#holds = holds;
    this.#hold = holds.first;
  }

  /**
   * Lets work log in with these credentials; of them only a digest is kept.
   * @throws what {@link Refusal} made of the refusal, without any work while just these are held back;
   *   else what the work throws
   */
  async guard<T>(credentials: readonly unknown[], work: () => Promise<T>): Promise<T> {
    const mark = createHash('sha256').update(JSON.stringify(credentials)).digest('base64');
    const held = this.#refusal;
    if (held?.mark === mark && performance.now() < held.until) throw held.error;
    try {
      const result = await work();
      this.#accepted = mark;
      this.#refusal = undefined;
      this.#hold = this.#holds.first;
      return result;
    } catch (error) {
      const wereGood = mark === this.#accepted;
      const hold = wereGood ? this.#holds.known : this.#hold;
      const again = new Date(Date.now() + hold).toISOString().slice(0, 19);
      const refused = this.#asRefusal(error, `not tried again before ${again}Z, unless others are configured, so that the account is not locked`);
      if (refused === undefined) throw error;
      if (!wereGood) this.#hold = Math.min(this.#hold * 2, this.#holds.longest);
      this.#accepted = undefined;
      this.#refusal = { mark, error: refused, until: performance.now() + hold };
      throw refused;
    }
  }
}
