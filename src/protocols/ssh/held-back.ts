import { createHash } from 'node:crypto';
import type { SshOptions } from './connection.js';
import { SshAuthenticationError, SshKeyError } from './errors.js';

/** When logins that were refused are tried again, milliseconds. */
export interface Holds {
  /** the first time; it doubles from there */
  readonly first: number;
  readonly longest: number;
  /** for credentials that were good before: a host that boots lets nobody in but root (pam_nologin) */
  readonly known: number;
}

/**
 * Hosts lock accounts: ESXi after five failures within 15 minutes, pam_faillock after three. One
 * login may count twice, by password and by keyboard-interactive.
 */
export const HOLDS: Holds = { first: 5 * 60_000, longest: 30 * 60_000, known: 10_000 };

/** Keeps one account on one host from being locked out by us: what was refused is held back, longer each time. */
export class HeldBack {
  #refusal: { readonly mark: string; readonly error: SshAuthenticationError; readonly until: number } | undefined;
  #hold: number;
  /** the credentials that were good when they were tried last */
  #accepted: string | undefined;

  constructor(private readonly holds: Holds = HOLDS) {
    this.#hold = holds.first;
  }

  /**
   * Lets work log in with these credentials.
   * @throws SshAuthenticationError, without any work while just these are held back; else what the work throws
   */
  async guard<T>(options: SshOptions, work: () => Promise<T>): Promise<T> {
    const mark = markOf(options);
    const refusal = this.#refusal;
    if (refusal?.mark === mark && performance.now() < refusal.until) throw refusal.error;
    try {
      const result = await work();
      this.#accepted = mark;
      this.#refusal = undefined;
      this.#hold = this.holds.first;
      return result;
    } catch (error) {
      if (!(error instanceof SshAuthenticationError) || error instanceof SshKeyError) throw error;
      throw this.#refused(mark, error);
    }
  }

  #refused(mark: string, cause: SshAuthenticationError): SshAuthenticationError {
    const wereGood = mark === this.#accepted;
    const hold = wereGood ? this.holds.known : this.#hold;
    if (!wereGood) this.#hold = Math.min(this.#hold * 2, this.holds.longest);
    this.#accepted = undefined;
    const again = new Date(Date.now() + hold).toISOString().slice(0, 19);
    const message = `${cause.message}; not tried again before ${again}Z, unless others are configured, so that the account is not locked`;
    const error = new SshAuthenticationError(message, { cause });
    this.#refusal = { mark, error, until: performance.now() + hold };
    return error;
  }
}

/** Tells credentials from others, without telling them. */
const markOf = ({ user, password, privateKey, agent }: SshOptions): string =>
  createHash('sha256').update(JSON.stringify([user, password, privateKey, agent])).digest('base64');
