import { Accounts, sharedAccounts, type AccountRecord, type Holds } from '../../kit/accounts.js';
import { ArgoError } from '../../kit/errors.js';
import { WmiFault, WmiLoginRefusedError } from '../../protocols/wmi/errors.js';
import type { Log } from '../../kit/log.js';
import { oneLine } from './errors.js';
import { isDomainAccount, type WmiOptions } from './options.js';

/**
 * How long a refused login is not tried again. Windows locks an account after some failures within a window
 * (usually 5 or 10 within 30 minutes): these stay below. A host that has just booted may not reach its domain yet.
 */
const HOLDS: Holds = { first: 5 * 60_000, longest: 30 * 60_000, known: 30_000 };

/** Of accounts of domains, whose own names are in their marks. */
const DOMAINS = 'wmi';

/** One way to try the credentials. */
export interface Attempt<T> {
  /** tells these credentials from others, without telling them */
  mark(): string;
  /** Looks whether there is anybody to log in to, so that machines that are off hold up nobody. */
  approach(): Promise<void>;
  work(): Promise<T>;
}

/**
 * Keeps one account from being locked out by us: credentials that were refused are held back, longer
 * each time, and while they are not known to be good, calls try them one after the other.
 */
export class LoginGuard {
  /** what the last call was let in with */
  #good: AccountRecord | undefined;
  /** refusals that are a matter of this guard's machines */
  readonly #own = new Accounts();
  readonly #log: Log;
  readonly #now: () => number;
  readonly #accounts: Accounts;
  readonly #realm: string;

  /**
   * @param now milliseconds of a clock that is not set back
   * @param shared the realm of an account of which all guards of the process know the same
   */
  constructor(log: Log, now: () => number = () => performance.now(), shared?: string) {
    this.#log = log;
    this.#now = now;
    this.#accounts = shared === undefined ? new Accounts() : sharedAccounts;
    this.#realm = shared ?? '';
  }

  /** For an account of a domain, wherever it logs in, or for one of the host's own. */
  static of(given: WmiOptions, address: string, log: Log): LoginGuard {
    return new LoginGuard(log, undefined, isDomainAccount(given) ? DOMAINS : `${DOMAINS} ${address}`);
  }

  /** @throws ArgoError ACCESS DENIED while the credentials are held back; the signal's reason; what the work throws */
  async run<T>(attempt: Attempt<T>, signal: AbortSignal): Promise<T> {
    if (this.#good?.isProven(this.#now())) return this.#watched(attempt);
    const mark = attempt.mark();
    this.#refuseHeldBack(mark);
    await attempt.approach();
    if (this.#record(mark).isProven(this.#now())) return this.#watched(attempt, mark);
    const end = await this.#record(mark).turn(signal);
    try {
      const now = attempt.mark();
      this.#refuseHeldBack(now);
      return await this.#watched(attempt, now);
    } finally {
      end();
    }
  }

  #record(mark: string): AccountRecord {
    return this.#accounts.record(this.#realm, mark);
  }

  /** @param trial the mark of credentials that this guard does not know to be good */
  async #watched<T>(attempt: Attempt<T>, trial?: string): Promise<T> {
    try {
      const result = await attempt.work();
      this.#accept(trial);
      return result;
    } catch (error) {
      if (error instanceof WmiLoginRefusedError) this.#refuse(trial ?? attempt.mark(), error);
      // Whoever refuses in WMI's own words has let us in before.
      else if (error instanceof WmiFault) this.#accept(trial);
      throw error;
    }
  }

  #accept(trial: string | undefined): void {
    if (trial !== undefined) {
      this.#good = this.#record(trial);
      this.#own.record('', trial).accept(this, this.#now());
    }
    this.#good?.accept(this, this.#now());
  }

  /**
   * Credentials with which others have just been let in may lack a right on one machine: then that is held
   * back alone. Whoever is refused next with them, before anybody is let in, holds them back for all.
   */
  #refuse(mark: string, error: WmiLoginRefusedError): void {
    this.#good = undefined;
    // Of calls that were under way together, one counts.
    if (this.#heldBack(mark) !== undefined) return;
    const shared = this.#record(mark);
    const isOfOne = shared.isProvenByOther(this, this.#now());
    shared.doubt();
    const record = isOfOne ? this.#own.record('', mark) : shared;
    const again = new Date(Date.now() + record.nextHold(HOLDS)).toISOString().slice(0, 19);
    record.refuse(HOLDS, `${oneLine(error.message)}; not tried again before ${again}Z unless the password is changed in the configuration, so that the account is not locked out`, this.#now());
    this.#log('warn', 'a login was refused; it is held back, so that the account is not locked out', { reason: oneLine(error.message), until: `${again}Z` });
  }

  #refuseHeldBack(mark: string): void {
    const words = this.#heldBack(mark);
    if (words !== undefined) throw new ArgoError('ACCESS DENIED', words);
  }

  #heldBack(mark: string): string | undefined {
    return (this.#own.record('', mark).heldBack(this.#now()) ?? this.#record(mark).heldBack(this.#now())) as string | undefined;
  }
}
