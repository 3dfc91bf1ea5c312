import { ArgoError } from '../../kit/errors.js';
import { WmiFault, WmiLoginRefusedError } from '../../protocols/wmi/errors.js';
import type { Log } from '../../kit/log.js';
import { oneLine } from './errors.js';

/**
 * How long a refused login is not tried again, ms: the first time, and at most. Windows locks an
 * account after some failures within a window (usually 5 or 10 within 30 minutes): these stay below.
 */
const HOLD_FIRST_MS = 5 * 60_000;
const HOLD_LONGEST_MS = 30 * 60_000;
/** The first time for credentials that were good before: a host that has just booted may not reach its domain yet. */
const HOLD_KNOWN_MS = 30_000;

/** After a call that was let in, how long the credentials count as good, ms. */
const PROOF_HOLDS_MS = 60_000;

/** How long a call waits for what becomes of the one that tries the credentials before it, ms. */
const TRIAL_WAITS_MS = 5000;

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
  #refusal: { readonly mark: string; readonly words: string; readonly until: number } | undefined;
  #hold = HOLD_FIRST_MS;
  /** the credentials that were good when they were tried last */
  #accepted: string | undefined;
  #provenUntil = 0;
  #lastTrial: Promise<void> = Promise.resolve();
  readonly #log: Log;
  readonly #now: () => number;

  /** @param now milliseconds of a clock that is not set back */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** @throws ArgoError ACCESS DENIED while the credentials are held back; the signal's reason; what the work throws */
  async run<T>(attempt: Attempt<T>, signal: AbortSignal): Promise<T> {
    if (this.#isProven) return this.#watched(attempt);
    this.#refuseHeldBack(attempt.mark());
    await attempt.approach();
    return this.#inTurn(attempt, signal);
  }

  get #isProven(): boolean {
    return this.#now() < this.#provenUntil;
  }

  async #inTurn<T>(attempt: Attempt<T>, signal: AbortSignal): Promise<T> {
    const before = this.#lastTrial;
    let settle = (): void => undefined;
    this.#lastTrial = new Promise((resolve) => { settle = resolve; });
    await untilSettled(before, signal);
    if (signal.aborted) {
      // Those behind it still wait for the one before it.
      void before.then(settle);
      throw signal.reason;
    }
    try {
      const mark = attempt.mark();
      this.#refuseHeldBack(mark);
      return await this.#watched(attempt, mark);
    } finally {
      settle();
    }
  }

  /** @param trial the mark of credentials that are not known to be good */
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
    if (trial !== undefined) this.#accepted = trial;
    this.#provenUntil = this.#now() + PROOF_HOLDS_MS;
    this.#refusal = undefined;
    this.#hold = HOLD_FIRST_MS;
  }

  #refuse(mark: string, error: WmiLoginRefusedError): void {
    this.#provenUntil = 0;
    // Of calls that were under way together, one counts.
    if (this.#isHeldBack(mark)) return;
    const hold = mark === this.#accepted ? HOLD_KNOWN_MS : this.#hold;
    const until = this.#now() + hold;
    const again = new Date(Date.now() + hold).toISOString().slice(0, 19);
    const words = `${oneLine(error.message)}; not tried again before ${again}Z unless the password is changed in the configuration, so that the account is not locked out`;
    this.#refusal = { mark, words, until };
    if (mark !== this.#accepted) this.#hold = Math.min(this.#hold * 2, HOLD_LONGEST_MS);
    this.#accepted = undefined;
    this.#log('warn', 'a login was refused; it is held back, so that the account is not locked out', { reason: oneLine(error.message), until: `${again}Z` });
  }

  #refuseHeldBack(mark: string): void {
    if (this.#isHeldBack(mark)) throw new ArgoError('ACCESS DENIED', this.#refusal?.words);
  }

  #isHeldBack(mark: string): boolean {
    return this.#refusal?.mark === mark && this.#now() < this.#refusal.until;
  }
}

/** Until a trial has come to an end, or takes so long that it is a machine's slowness and no refusal. */
async function untilSettled(trial: Promise<void>, signal: AbortSignal): Promise<void> {
  let end = (): void => undefined;
  const late = new Promise<void>((resolve) => { end = resolve; });
  const timer = setTimeout(end, TRIAL_WAITS_MS);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  await Promise.race([trial, late]);
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
}
