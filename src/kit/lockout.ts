import { createHash } from 'node:crypto';
import { Accounts, sharedAccounts, type AccountRecord, type Holds } from './accounts.js';

export type { Holds } from './accounts.js';

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

/** Keeps one account from being locked out by us: what was refused is held back, longer each time. */
export class Lockout {
  readonly #asRefusal: Refusal;
  readonly #holds: Holds;
  readonly #realm: string | undefined;
  readonly #accounts: Accounts;

  /**
   * @param realm the protocol and the server that the account is of: all of the process who name the same one
   *   share what is known, and try credentials that are not known to be good one after the other
   */
  constructor(refusal: Refusal, holds: Holds = HOLDS, realm?: string) {
    this.#asRefusal = refusal;
    this.#holds = holds;
    this.#realm = realm;
    this.#accounts = realm === undefined ? new Accounts() : sharedAccounts;
  }

  /**
   * Lets work log in with these credentials; of them only a digest is kept.
   * @param signal ends the wait for a trial of the same credentials that is under way
   * @throws what {@link Refusal} made of the refusal, without any work while just these are held back;
   *   the signal's reason; else what the work throws
   */
  async guard<T>(credentials: readonly unknown[], work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const mark = createHash('sha256').update(JSON.stringify(credentials)).digest('base64');
    const record = this.#accounts.record(this.#realm ?? '', mark);
    throwIfHeldBack(record);
    if (this.#realm === undefined || record.isProven(performance.now())) return this.#try(record, work);
    const end = await record.turn(signal);
    try {
      throwIfHeldBack(record);
      return await this.#try(record, work);
    } finally {
      end();
    }
  }

  async #try<T>(record: AccountRecord, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      record.accept(this, performance.now());
      return result;
    } catch (error) {
      const again = new Date(Date.now() + record.nextHold(this.#holds)).toISOString().slice(0, 19);
      const refused = this.#asRefusal(error, `not tried again before ${again}Z, unless others are configured, so that the account is not locked`);
      if (refused === undefined) throw error;
      record.refuse(this.#holds, refused, performance.now());
      throw refused;
    }
  }
}

function throwIfHeldBack(record: AccountRecord): void {
  const refusal = record.heldBack(performance.now());
  if (refusal !== undefined) throw refusal;
}
