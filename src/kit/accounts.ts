import { ACCOUNT_RECORDS } from './limits.js';

/** After a login that was let in, how long its credentials count as good, ms. */
const PROOF_HOLDS_MS = 60_000;
/** How long a login waits for what becomes of the one before it with the same credentials, ms. */
const TRIAL_WAITS_MS = 5000;

/** When logins that were refused are tried again, milliseconds. */
export interface Holds {
  /** the first time; it doubles from there */
  readonly first: number;
  readonly longest: number;
  /** for credentials that were good before: a host that boots lets nobody in but root (pam_nologin) */
  readonly known: number;
}

/** What is known of one account with one secret. Times are those of the caller's clock, ms. */
export class AccountRecord {
  #refusal: { readonly told: unknown; readonly until: number } | undefined;
  #doublings = 0;
  #wasGood = false;
  #proof: { readonly by: object; readonly until: number } | undefined;
  #lastTrial: Promise<void> = Promise.resolve();

  /** What {@link refuse} was told, while the credentials are held back. */
  heldBack(now: number): unknown {
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
    return this.#wasGood ? known : Math.min(first * 2 ** this.#doublings, longest);
  }

  /** @param told given to those who come while they are held back */
  refuse(holds: Holds, told: unknown, now: number): void {
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
    this.#lastTrial = new Promise((resolve) => { settle = resolve; });
    await untilSettled(before, signal);
    if (signal?.aborted) {
      // Those behind it still wait for the one before it.
      void before.then(settle);
      throw signal.reason;
    }
    return settle;
  }
}

async function untilSettled(trial: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  let end = (): void => undefined;
  const late = new Promise<void>((resolve) => { end = resolve; });
  const timer = setTimeout(end, TRIAL_WAITS_MS);
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) end();
  await Promise.race([trial, late]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', end);
}

/** Records by account: its realm, its user and the fingerprint of its secret. Those that were used last are kept. */
export class Accounts {
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
export const sharedAccounts = new Accounts();
