import { Deadline } from '../../kit/deadline.js';
import { TRIGGER_BEGIN_TIMEOUT, TRIGGER_RETRY } from '../../kit/trigger-limits.js';
import { MACHINE_CLOCK, type Clock } from '../clock.js';
import { sourceOf, type TriggerHost } from './contract.js';

export interface TakingBackParts {
  readonly host: TriggerHost;
  /** what is begun then; undefined: the `undo` of what is cancelled */
  readonly plan: string | undefined;
  /** whether something was begun before a restart and has not been taken back */
  readonly owes: boolean;
  /** told when {@link TakingBack.owes} has changed. It is waited for */
  onChange(): Promise<void>;
}

/** Takes back, once, what a trigger has begun, when its cause is known to be over. */
export class TakingBack {
  readonly #parts: TakingBackParts;
  readonly #clock: Clock;
  #owes: boolean;
  #isUnderWay = false;
  #again = 0;
  #complaint: string | undefined;

  constructor(parts: TakingBackParts) {
    this.#parts = parts;
    this.#clock = parts.host.clock ?? MACHINE_CLOCK;
    this.#owes = parts.owes;
  }

  /** Whether something was begun that has not been taken back. */
  get owes(): boolean {
    return this.#owes;
  }

  /** Something is begun now. */
  async note(): Promise<void> {
    await this.#change(true);
  }

  /** The cause is known to be over. Where that comes to nothing, again at a later look, if it still is then. @param words for people */
  over(words: string): void {
    if (this.#owes && !this.#isUnderWay && this.#clock.elapsed() >= this.#again) void this.#takeBack(words);
  }

  async #takeBack(words: string): Promise<void> {
    this.#isUnderWay = true;
    const { host, host: { log, starter }, plan } = this.#parts;
    const source = sourceOf(host);
    const deadline = new Deadline(TRIGGER_BEGIN_TIMEOUT);
    try {
      await deadline.run(() => starter.causeGone(source, `${source}: ${words}`, plan));
      this.#complaint = undefined;
      log('info', 'what was begun is taken back', { cause: words });
      await this.#change(false);
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#complaint) log('error', 'what was begun cannot be taken back, which is tried again', { cause: words, reason: message });
      this.#complaint = message;
      this.#again = this.#clock.elapsed() + TRIGGER_RETRY;
    } finally {
      deadline.clear();
      this.#isUnderWay = false;
    }
  }

  async #change(owes: boolean): Promise<void> {
    if (owes === this.#owes) return;
    this.#owes = owes;
    await this.#parts.onChange();
  }
}
