import { Deadline } from '../../kit/deadline.js';
import { TRIGGER_BEGIN_TIMEOUT, TRIGGER_LATE, TRIGGER_RETRY } from '../../kit/trigger-limits.js';
import { formatDuration } from '../../kit/text.js';
import { MACHINE_CLOCK, type Clock } from '../clock.js';
import type { Truth } from './conditions.js';
import { sourceOf, type TriggerHost } from './contract.js';

export interface BeginningParts {
  readonly host: TriggerHost;
  readonly plan: string;
  /** milliseconds between two beginnings: what comes and goes in between begins it once */
  readonly minInterval: number;
  /** whether it was begun before a restart, and its cause has not been known to be over since */
  readonly hasBegun?: boolean;
  /** a plan that is held is let be, and not waited for */
  readonly skipsHeld?: boolean;
  /** told before the plan is begun. It is waited for, within bounds */
  readonly onBegin?: () => Promise<void>;
  /** told when {@link Beginning.hasBegun} has changed */
  readonly onChange?: () => void;
}

/** What has been decided and is not begun yet. */
interface Pending {
  readonly words: string;
  readonly at: number;
  /** somebody has held the plan */
  isHeld: boolean;
  cancel: () => void;
}

/**
 * Begins a plan once its cause is known to be there, and once only until that is known to be over. What
 * cannot be begun is tried again as long as the cause is not known to be over: what was known when it was
 * decided is enough. Only for a plan that is held it must still be known when that is released.
 */
export class Beginning {
  readonly #parts: BeginningParts;
  readonly #clock: Clock;
  #truth: Truth;
  #hasBegun: boolean;
  #lastBegin: number | undefined;
  #pending: Pending | undefined;
  #complaint: string | undefined;
  #isClosed = false;

  constructor(parts: BeginningParts) {
    this.#parts = parts;
    this.#clock = parts.host.clock ?? MACHINE_CLOCK;
    this.#hasBegun = parts.hasBegun ?? false;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** @param words the cause, for people; used where it begins the plan */
  tell(truth: Truth, words: string): void {
    if (this.#isClosed) return;
    this.#truth = truth;
    if (truth === false) this.#over();
    if (truth !== true || this.#hasBegun || this.#pending !== undefined) return;
    const { host: { log }, plan, minInterval } = this.#parts;
    this.#pending = { words, at: this.#clock.wall(), isHeld: false, cancel: () => undefined };
    const wait = this.#lastBegin === undefined ? 0 : Math.max(0, this.#lastBegin + minInterval - this.#clock.elapsed());
    if (wait === 0) return void this.#begin(this.#pending);
    log('info', 'the plan waits: it was begun just before', { plan, cause: words, wait: formatDuration(wait) });
    this.#tryLater(this.#pending, wait);
  }

  close(): void {
    this.#isClosed = true;
    this.#pending?.cancel();
  }

  #over(): void {
    if (this.#pending !== undefined) {
      this.#pending.cancel();
      this.#pending = undefined;
      this.#complaint = undefined;
      this.#parts.host.log('info', 'the cause is over before the plan could be begun', { plan: this.#parts.plan });
    }
    this.#change(false);
  }

  #tryLater(pending: Pending, ms: number): void {
    const due = this.#clock.elapsed() + ms;
    pending.cancel = this.#clock.after(ms, () => {
      // this process stood still: that the cause is over may be about to be told
      if (this.#clock.elapsed() - due > TRIGGER_LATE) this.#tryLater(pending, TRIGGER_RETRY);
      else void this.#begin(pending);
    });
  }

  async #begin(pending: Pending): Promise<void> {
    const { host: { starter, log }, host, plan, onBegin } = this.#parts;
    if (pending.isHeld && this.#truth !== true) return this.#tryLater(pending, TRIGGER_RETRY);
    const source = sourceOf(host);
    const deadline = new Deadline(TRIGGER_BEGIN_TIMEOUT);
    try {
      await onBegin?.();
      const begun = await deadline.run(() => starter.begin(plan, { source, words: `${source}: ${pending.words}`, at: pending.at }));
      if (begun.result === 'held' && this.#parts.skipsHeld !== true) {
        this.#complain(`${plan} is held`, () => log('warn', 'the plan is held: it is begun when it is released, if its cause is still there', { plan, cause: pending.words }));
        pending.isHeld = true;
        return this.#again(pending);
      }
      this.#complaint = undefined;
      this.#lastBegin = this.#clock.elapsed();
      if (begun.result === 'held') log('info', 'not begun: the plan is held', { plan, cause: pending.words });
      else log('warn', begun.result === 'begun' ? 'plan begun' : 'the plan runs already', { plan, run: begun.run, cause: pending.words });
      // over meanwhile: then the next cause begins it anew
      if (this.#pending === pending) {
        this.#pending = undefined;
        this.#change(true);
      }
    } catch (error) {
      const { message } = error as Error;
      this.#complain(message, () => log('error', 'the plan could not be begun and is tried again', { plan, cause: pending.words, reason: message }));
      this.#again(pending);
    } finally {
      deadline.clear();
    }
  }

  #again(pending: Pending): void {
    if (!this.#isClosed && this.#pending === pending) this.#tryLater(pending, TRIGGER_RETRY);
  }

  /** Once for each reason. */
  #complain(reason: string, say: () => void): void {
    if (reason !== this.#complaint) say();
    this.#complaint = reason;
  }

  #change(hasBegun: boolean): void {
    if (hasBegun === this.#hasBegun) return;
    this.#hasBegun = hasBegun;
    this.#parts.onChange?.();
  }
}
