import { createHash } from 'node:crypto';
import { afterFailures } from './backoff.js';
import { ACCOUNT_RECORDS } from './limits.js';
import { unlessAborted, within } from './within.js';

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
 * after three, Windows usually after five or ten within 30. One login may count twice, as by password
 * and by keyboard-interactive.
 */
export const HOLDS: Holds = { first: 5 * 60_000, longest: 30 * 60_000, known: 10_000 };

/** After a login that was let in, how long its credentials count as good, ms. */
const PROOF_HOLDS_MS = 60_000;
/** How long a login waits for what becomes of the one before it with the same credentials, ms. */
const TRIAL_WAITS_MS = 5000;

/** What is known of one account with one secret. Times are those of the caller's clock, ms. */
class AccountRecord {
  #refusal: { readonly told: Error; readonly until: number } | undefined;
  #doublings = 0;
  #wasGood = false;
  #proof: { readonly by: object; readonly until: number } | undefined;
  #lastTrial: Promise<void> = Promise.resolve();
  #trials = 0;

  /** Whether a trial of them is under way. */
  get isTried(): boolean {
    return this.#trials > 0;
  }

  /** What {@link refuse} was told, while the credentials are held back. */
  heldBack(now: number): Error | undefined {
    return this.#refusal && now < this.#refusal.until ? this.#refusal.told : undefined;
  }

  isProven(now: number): boolean {
    return this.#proof !== undefined && now < this.#proof.until;
  }

  /** Whether somebody else has just been let in with them, so that a refusal may be a matter of one machine. */
  isProvenByOther(by: object, now: number): boolean {
    return this.isProven(now) && this.#proof?.by !== by;
  }

  accept(by: object, now: number): void {
    this.#proof = { by, until: now + PROOF_HOLDS_MS };
    this.#refusal = undefined;
    this.#doublings = 0;
    this.#wasGood = true;
  }

  /** The next login with them has to prove them again. */
  doubt(): void {
    this.#proof = undefined;
  }

  /** How long the next refusal holds them back, ms. */
  nextHold({ first, longest, known }: Holds): number {
    return this.#wasGood ? known : afterFailures(this.#doublings + 1, first, longest);
  }

  /** @param told given to those who come while they are held back */
  refuse(holds: Holds, told: Error, now: number): void {
    this.#refusal = { told, until: now + this.nextHold(holds) };
    if (!this.#wasGood) this.#doublings += 1;
    this.#wasGood = false;
    this.#proof = undefined;
  }

  /**
   * Waits until the trial before it has come to an end, or takes so long that it is a machine's slowness and
   * no refusal.
   * @returns what ends this one. @throws the signal's reason
   */
  async turn(signal?: AbortSignal): Promise<() => void> {
    const before = this.#lastTrial;
    let settle = (): void => undefined;
    this.#trials += 1;
    this.#lastTrial = new Promise((resolve) => {
      settle = () => {
        this.#trials -= 1;
        resolve();
      };
    });
    await within(TRIAL_WAITS_MS, signal ? [signal] : [], (limit) => unlessAborted(before, limit)).catch(() => undefined);
    if (signal?.aborted) {
      // Those behind it still wait for the one before it.
      void before.then(settle);
      throw signal.reason;
    }
    return settle;
  }
}

/** Records by account: its realm, its user and the fingerprint of its secret. Those that were used last are kept. */
class Accounts {
  readonly #records = new Map<string, AccountRecord>();

  /**
   * @param realm the domain, or the machine that the account is of
   * @param mark tells user and secret from others, without telling them
   */
  record(realm: string, mark: string): AccountRecord {
    const key = JSON.stringify([realm.toLowerCase(), mark]);
    const found = this.#records.get(key) ?? new AccountRecord();
    this.#records.delete(key);
    this.#records.set(key, found);
    const [oldest] = this.#records.keys();
    if (this.#records.size > ACCOUNT_RECORDS && oldest !== undefined) this.#records.delete(oldest);
    return found;
  }
}

/** Of the whole process: servers count the failures of an account, whichever provider makes them. */
const sharedAccounts = new Accounts();

export interface LockoutOptions {
  /**
   * The protocol and the machine or domain that the account is of: all of the process who name the same one
   * share what is known of its accounts. Without one, it is this guard's alone.
   */
  readonly realm?: string;
  /** The realm has many doors, such as the machines of a domain: one may refuse an account that the others take. */
  readonly hasManyDoors?: boolean;
  readonly holds?: Holds;
  /** Whether this error came from somebody who has let us in. */
  readonly isAdmission?: (error: unknown) => boolean;
  /** Told of each refusal that counts, and until when the credentials are held back (ISO 8601). */
  readonly onRefusal?: (refusal: Error, until: string) => void;
  /** milliseconds of a clock that is not set back */
  readonly now?: () => number;
}

/**
 * Tells the refusal of a login from other errors.
 * @param hint until when the credentials are held back, as the end of a sentence
 * @returns the refusal with the hint; undefined for any other error
 */
export type Refusal = (error: unknown, hint: string) => Error | undefined;

/** One way to try credentials. */
export interface Attempt<T> {
  /** The user and the secret as they are now; only a digest of them is kept. Asked again after a wait. */
  credentials(): readonly unknown[];
  /**
   * Looks whether there is anybody to log in to, so that machines that are off hold up nobody, and throws where not.
   * @param mustWait whether another trial of the same credentials is under way
   */
  approach?(mustWait: boolean): Promise<void>;
  work(): Promise<T>;
}

/**
 * Keeps one account from being locked out by us: credentials that were refused are held back, longer
 * each time, and while they are not known to be good, logins try them one after the other.
 */
export class Lockout {
  readonly #asRefusal: Refusal;
  readonly #options: LockoutOptions;
  readonly #holds: Holds;
  readonly #now: () => number;
  readonly #accounts: Accounts;
  /** refusals that are a matter of this guard's door */
  readonly #own = new Accounts();
  /** what the last call was let in with */
  #good: AccountRecord | undefined;

  constructor(refusal: Refusal, options: LockoutOptions = {}) {
    this.#asRefusal = refusal;
    this.#options = options;
    this.#holds = options.holds ?? HOLDS;
    this.#now = options.now ?? (() => performance.now());
    this.#accounts = options.realm === undefined ? new Accounts() : sharedAccounts;
  }

  /**
   * Lets work log in with these credentials.
   * @param signal ends the wait for a trial of the same credentials that is under way
   * @throws what {@link Refusal} made of the refusal, without any work while just these are held back;
   *   the signal's reason; else what the work throws
   */
  guard<T>(credentials: readonly unknown[], work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.guardAttempt({ credentials: () => credentials, work }, signal);
  }

  /** As {@link guard}, for credentials that may change while others are tried. */
  async guardAttempt<T>(attempt: Attempt<T>, signal?: AbortSignal): Promise<T> {
    const mark = markOf(attempt);
    this.#throwIfHeldBack(mark);
    await attempt.approach?.(this.#record(mark).isTried);
    if (this.#record(mark).isProven(this.#now())) return this.#watched(attempt, mark);
    const end = await this.#record(mark).turn(signal);
    try {
      const now = markOf(attempt);
      this.#throwIfHeldBack(now);
      return await this.#watched(attempt, now);
    } finally {
      end();
    }
  }

  /**
   * As {@link guardAttempt}, for calls each of which may find that it has to log in again: what has just been let in
   * is not looked at for each of them.
   */
  guardCall<T>(attempt: Attempt<T>, signal: AbortSignal): Promise<T> {
    return this.#good?.isProven(this.#now()) ? this.#watched(attempt) : this.guardAttempt(attempt, signal);
  }

  #record(mark: string): AccountRecord {
    return this.#accounts.record(this.#options.realm ?? '', mark);
  }

  /** @param trial the mark of credentials that this guard does not know to be good */
  async #watched<T>(attempt: Attempt<T>, trial?: string): Promise<T> {
    try {
      const result = await attempt.work();
      this.#accept(trial);
      return result;
    } catch (error) {
      if (this.#options.isAdmission?.(error)) this.#accept(trial);
      throw this.#asRefusal(error, '') === undefined ? error : this.#refuse(trial ?? markOf(attempt), error);
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
   * Credentials with which others have just been let in may be refused at one door, for lack of a right there: then that is held
   * back alone. Whoever is refused next with them, before anybody is let in, holds them back for all.
   */
  #refuse(mark: string, error: unknown): Error {
    this.#good = undefined;
    // Of calls that were under way together, one counts.
    const already = this.#heldBack(mark);
    if (already !== undefined) return already;
    const shared = this.#record(mark);
    const isOfOne = this.#options.hasManyDoors === true && shared.isProvenByOther(this, this.#now());
    shared.doubt();
    const record = isOfOne ? this.#own.record('', mark) : shared;
    const until = `${new Date(Date.now() + record.nextHold(this.#holds)).toISOString().slice(0, 19)}Z`;
    const refusal = this.#asRefusal(error, `not tried again before ${until}, unless others are configured, so that the account is not locked`)!;
    record.refuse(this.#holds, refusal, this.#now());
    this.#options.onRefusal?.(error as Error, until);
    return refusal;
  }

  #throwIfHeldBack(mark: string): void {
    const refusal = this.#heldBack(mark);
    if (refusal !== undefined) throw refusal;
  }

  #heldBack(mark: string): Error | undefined {
    return this.#own.record('', mark).heldBack(this.#now()) ?? this.#record(mark).heldBack(this.#now());
  }
}

const markOf = (attempt: Attempt<unknown>): string => createHash('sha256').update(JSON.stringify(attempt.credentials())).digest('base64');
