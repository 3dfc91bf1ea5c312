import { randomBytes } from 'node:crypto';
import type { Log } from '../../../kit/log.js';
import { ZABBIX_KEPT_VALUES, ZABBIX_LOG_EVERY, ZABBIX_TRIM_EVERY, ZABBIX_TRIM_VALUES } from '../../../kit/zabbix-gateway-limits.js';
import { serverJson } from '../../../protocols/zabbix/json.js';
import type { History, HistoryPage } from '../../../store/history.js';
import type { NewValue } from '../contract.js';
import type { DropReason } from '../figures.js';
import { Stamps } from './stamps.js';

/** How long and how many values are kept, as the table says now. Milliseconds. */
interface BufferLimits {
  readonly age: number;
  readonly values: number;
  readonly keepAcknowledged: number;
}

interface BufferParts {
  readonly history: History;
  readonly log: Log;
  limits(): BufferLimits;
  /** values that were kept, by how many */
  kept(count: number): void;
  dropped(reason: DropReason, count: number): void;
}

/** The values for the server, on the disk. */
export class ValueBuffer {
  readonly #parts: BufferParts;
  #stamps: Stamps | undefined;
  /** until that on the disk is known one for messages without values: what else there is to say does not wait for a disk */
  #session = randomBytes(16).toString('hex');
  #last = 0;
  #acknowledged = 0;
  #delivered = 0;
  #gone = 0;
  /** new ones since it was looked last what is to go */
  #untrimmed = 0;
  #trimming: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unlogged = 0;
  #loggedAt = -Infinity;
  /** appends go one behind the other, so that numbers and times grow alike */
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: BufferParts) {
    this.#parts = parts;
  }

  get session(): string {
    return this.#session;
  }

  /** Those that the server has not acknowledged, or may have lost. */
  get backlog(): number {
    return this.#last - this.#acknowledged;
  }

  /** the newest value */
  get last(): number {
    return this.#last;
  }

  /** up to which a server had them at any time */
  get delivered(): number {
    return this.#delivered;
  }

  /** up to which they are kept no more; those that no server had then were told to be dropped */
  get gone(): number {
    return this.#gone;
  }

  /** up to which the server has them */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Also takes up that another file has begun, where somebody has taken away the one before. @throws StateError */
  async open(): Promise<void> {
    const { session, epoch, last, acknowledged, delivered, gone } = await this.#parts.history.open();
    if (this.#stamps !== undefined && session === this.#session) return;
    if (this.#stamps !== undefined) this.#lose(this.#last - Math.max(this.#acknowledged, this.#delivered));
    this.#session = session;
    this.#last = last;
    this.#acknowledged = acknowledged;
    this.#delivered = delivered;
    this.#gone = gone;
    this.#stamps = new Stamps(epoch);
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => void this.trim(), ZABBIX_TRIM_EVERY);
    this.#timer.unref();
  }

  /** On the disk when it resolves, all or none: then they may be handed over again. @throws StateError */
  values(values: readonly NewValue[]): Promise<void> {
    const work = this.#turn.then(() => this.#append(values));
    this.#turn = work.catch(() => undefined);
    return work;
  }

  /** Items that are configured. */
  keepStamps(has: (itemid: string) => boolean): void {
    this.#stamps?.keep(has);
  }

  /** @throws StateError */
  page(after: number, most: number, size: number): Promise<HistoryPage> {
    return this.#parts.history.page(after, most, size);
  }

  /** The server has these. Where the disk cannot be written, that is forgotten at the next start, and they are sent again. */
  acknowledge(upTo: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, upTo);
    this.#delivered = Math.max(this.#delivered, upTo);
    this.#parts.history.acknowledge(upTo).catch(() => undefined);
  }

  /** The server may have lost what it had acknowledged. @throws StateError */
  async stepBack(): Promise<void> {
    const { acknowledged } = await this.#parts.history.stepBack();
    this.#acknowledged = acknowledged;
  }

  /** Never rejects. */
  async trim(): Promise<void> {
    this.#trimming ??= this.#trim().catch(() => undefined).finally(() => { this.#trimming = undefined; });
    await this.#trimming;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#turn;
    await this.#trimming;
  }

  async #append(values: readonly NewValue[]): Promise<void> {
    const { history, kept, log } = this.#parts;
    await this.open();
    const stamps = this.#stamps!;
    if (stamps.wentBack(values)) {
      stamps.begin(await history.nextEpoch());
      log('warn', 'the clock went back: Zabbix gets the times as they are now');
    }
    const { stamped, kept: areKept } = stamps.of(values);
    this.#last = await history.append(serverJson(stamped));
    areKept();
    kept(values.length);
    this.#untrimmed += values.length;
    if (this.#untrimmed >= ZABBIX_TRIM_VALUES) void this.trim();
  }

  async #trim(): Promise<void> {
    const { history, dropped: count, limits } = this.#parts;
    for (let gone = -1; ;) {
      this.#untrimmed = 0;
      const { age, values, keepAcknowledged } = limits();
      const now = await history.trim({ age, values, keep: keepAcknowledged, keepValues: ZABBIX_KEPT_VALUES });
      this.#acknowledged = Math.max(this.#acknowledged, now.gone);
      this.#gone = now.gone;
      if (now.dropped > 0) {
        count('limit', now.dropped);
        this.#tell(now.dropped);
      }
      if (now.gone === gone) return;
      gone = now.gone;
    }
  }

  #lose(count: number): void {
    if (count > 0) this.#parts.dropped('taken away', count);
    this.#parts.log('warn', 'the file with the values for Zabbix was taken away; others are kept in a new one', { lost: count });
  }

  #tell(dropped: number): void {
    this.#unlogged += dropped;
    if (performance.now() - this.#loggedAt < ZABBIX_LOG_EVERY) return;
    this.#parts.log('warn', 'values for Zabbix were dropped: the server has not taken them in time', { dropped: this.#unlogged });
    this.#unlogged = 0;
    this.#loggedAt = performance.now();
  }
}
