import type { Log } from '../../../kit/log.js';
import { VALUES_A_WRITE, VALUES_GATHERED, VALUES_RETRY, VALUES_WAITING, VALUES_WAITING_SIZE } from '../../../kit/zabbix-collecting-limits.js';
import { StateError } from '../../../store/state-error.js';
import type { NewValue, Outgoing } from '../contract.js';
import type { DropReason } from '../figures.js';

/** Hands values over, many in one go. What cannot be written waits here; when that is too much, no more is to be collected. */
export class ValueSink {
  readonly #outgoing: Pick<Outgoing, 'values' | 'dropped'>;
  readonly #log: Log;
  #waiting: NewValue[] = [];
  /** characters of those */
  #size = 0;
  /** how many go at a time: fewer while they are long */
  #most = VALUES_A_WRITE;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isFailing = false;
  #closed = false;

  constructor(outgoing: Pick<Outgoing, 'values' | 'dropped'>, log: Log) {
    this.#outgoing = outgoing;
    this.#log = log;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get isFull(): boolean {
    return this.#waiting.length >= VALUES_WAITING || this.#size >= VALUES_WAITING_SIZE;
  }

  add(value: NewValue): void {
    if (this.#closed) return;
    this.#waiting.push(value);
    this.#size += value.value.length;
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
    if (this.#waiting.length > 0) this.#lose(this.#waiting.length, 'shutdown', 'values are lost, since they could not be kept until the end');
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

  /** @returns whether to go on at once */
  async #writeSome(): Promise<boolean> {
    const some = this.#waiting.slice(0, this.#most);
    try {
      await this.#outgoing.values(some);
    } catch (error) {
      if (error instanceof StateError && error.reason === 'too large') return this.#writeFewer(some);
      if (!this.#isFailing) this.#log('error', 'values for Zabbix cannot be kept; they wait in memory until there are too many', { reason: (error as Error).message });
      this.#isFailing = true;
      return false;
    }
    this.#take(some.length);
    this.#most = Math.min(this.#most * 2, VALUES_A_WRITE);
    if (this.#isFailing) this.#log('info', 'values for Zabbix are kept again', { waiting: this.#waiting.length });
    this.#isFailing = false;
    return true;
  }

  /** Together they are too long: fewer are not, and one that is too long alone may not keep all others waiting. */
  #writeFewer({ length }: readonly NewValue[]): true {
    if (length > 1) this.#most = Math.ceil(length / 2);
    else this.#lose(1, 'too large', 'a value for Zabbix is too long to be kept');
    return true;
  }

  #lose(count: number, reason: DropReason, words: string): void {
    const { itemid } = this.#waiting[0]!;
    this.#take(count);
    this.#outgoing.dropped(reason, count);
    this.#log('error', words, { lost: count, ...(count === 1 && { itemid }) });
  }

  #take(count: number): void {
    for (const { value } of this.#waiting.slice(0, count)) this.#size -= value.length;
    this.#waiting = this.#waiting.slice(count);
  }
}
