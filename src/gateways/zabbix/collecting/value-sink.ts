import type { Log } from '../../../kit/log.js';
import { VALUES_A_WRITE, VALUES_GATHERED, VALUES_RETRY, VALUES_WAITING } from '../../../kit/zabbix-collecting-limits.js';
import type { NewValue, Outgoing } from '../contract.js';

/** Hands values over, many in one go. What cannot be written waits here; when that is too much, no more is to be collected. */
export class ValueSink {
  readonly #outgoing: Pick<Outgoing, 'values'>;
  readonly #log: Log;
  #waiting: NewValue[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isFailing = false;
  #closed = false;

  constructor(outgoing: Pick<Outgoing, 'values'>, log: Log) {
    this.#outgoing = outgoing;
    this.#log = log;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get isFull(): boolean {
    return this.#waiting.length >= VALUES_WAITING;
  }

  add(value: NewValue): void {
    if (this.#closed) return;
    this.#waiting.push(value);
    if (this.#writing !== undefined) return;
    if (this.#waiting.length >= VALUES_A_WRITE) this.#begin();
    else this.#timer ??= setTimeout(() => this.#begin(), VALUES_GATHERED);
  }

  /** Hands over what is left, once: what cannot be written then is lost, which is told. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    while (this.#waiting.length > 0 && await this.#writeSome());
    if (this.#waiting.length > 0) this.#log('error', 'values are lost, since they could not be kept until the end', { lost: this.#waiting.length });
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#write().finally(() => { this.#writing = undefined; });
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closed) {
      if (await this.#writeSome()) continue;
      this.#timer = setTimeout(() => this.#begin(), VALUES_RETRY);
      return;
    }
  }

  /** @returns whether it went well */
  async #writeSome(): Promise<boolean> {
    const some = this.#waiting.slice(0, VALUES_A_WRITE);
    try {
      await this.#outgoing.values(some);
    } catch (error) {
      if (!this.#isFailing) this.#log('error', 'values for Zabbix cannot be kept; they wait in memory until there are too many', { reason: (error as Error).message });
      this.#isFailing = true;
      return false;
    }
    this.#waiting = this.#waiting.slice(some.length);
    if (this.#isFailing) this.#log('info', 'values for Zabbix are kept again', { waiting: this.#waiting.length });
    this.#isFailing = false;
    return true;
  }
}
