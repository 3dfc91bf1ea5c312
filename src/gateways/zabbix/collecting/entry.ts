import { ITEM_FIRST_WITHIN, ITEM_SPREAD, TOLD_ONCE_MORE } from '../../../kit/zabbix-collecting-limits.js';
import type { ConfiguredHost, ConfiguredItem } from '../../../protocols/zabbix/configuration.js';
import { ItemIntervalError, nextDue, parseInterval, type ItemInterval } from '../../../protocols/zabbix/item-interval.js';
import { Pipeline } from '../../../protocols/zabbix/preprocessing/pipeline.js';
import { CannotPreprocess } from '../../../protocols/zabbix/preprocessing/variant.js';
import { servedItem, type ServedItem } from '../items/items.js';

/** One configured item and what is known of it: there may be a hundred thousand. */
export class Entry {
  readonly served: ServedItem;
  /** why it is not even tried; undefined: it is */
  readonly fault: string | undefined;
  /** what its values go through; undefined: nothing */
  readonly pipeline: Pipeline | undefined;
  readonly #interval: ItemInterval | undefined;
  /** the provider that its instance was of last: all items of one are due within some seconds of each other */
  #provider = '';
  /** that it is being read */
  isBusy = false;
  /** no longer wanted */
  isGone = false;
  /** why it is unsupported, as was told last, and when */
  #toldFault: string | undefined;
  #toldAt = 0;
  /** when all that was told of it since it is new is told once more, seconds; undefined: that was done */
  #onceMore: number | undefined;

  /**
   * @param addresses of its host's interfaces, best first
   * @param before what the item was until now: its steps may go on where those were
   */
  constructor(readonly item: ConfiguredItem, public host: ConfiguredHost, public addresses: readonly string[], before?: Entry) {
    const interval = item.masterItemid === undefined ? intervalOf(item.delay) : undefined;
    this.#interval = typeof interval === 'string' ? undefined : interval;
    this.served = servedItem(item);
    const pipeline = before && isSameWork(before.item, item) ? before.pipeline : pipelineOf(item);
    this.pipeline = typeof pipeline === 'string' ? undefined : pipeline;
    this.fault = typeof interval === 'string' ? `USAGE: ${interval}` : typeof pipeline === 'string' ? `NOT SUPPORTED: ${pipeline}` : undefined;
  }

  get isUnsupported(): boolean {
    return this.#toldFault !== undefined;
  }

  /** Whether another configuration's row is the same item still. */
  isOf(item: ConfiguredItem): boolean {
    return isSameWork(this.item, item) && this.item.delay === item.delay && this.item.hostid === item.hostid && this.item.isRule === item.isRule;
  }

  /** Seconds between two values, as of the usual interval. */
  get every(): number {
    return this.#interval?.every ?? 0;
  }

  /** How old an answer may be: items of one provider are due in one part of the interval, and the first of them asks. Milliseconds. */
  get maxAge(): number {
    const most = (ITEM_SPREAD + 15) * 1000;
    return this.every === 0 ? most : Math.min(this.every * 750, most);
  }

  /** When it is due for the first time: soon, but not all at once. @param now seconds */
  firstDue(now: number): number | undefined {
    const soon = now + 1 + hash(this.item.itemid) % Math.max(1, Math.min(this.every, ITEM_FIRST_WITHIN));
    this.#onceMore = soon + TOLD_ONCE_MORE / 1000;
    if (this.item.masterItemid !== undefined) return undefined;
    return this.#interval !== undefined && this.every === 0 ? this.due(now) : soon;
  }

  /** When it is due next: a new one of a long interval is once before. @param after seconds @returns undefined where it is not */
  due(after: number): number | undefined {
    const onceMore = this.#onceMore !== undefined && after < this.#onceMore ? this.#onceMore : undefined;
    // why it has no interval is told twice
    if (this.#interval === undefined) return onceMore;
    const next = nextDue(this.#interval, String(this.#seed), after);
    if (next === undefined || onceMore === undefined || this.every * 1000 < TOLD_ONCE_MORE) return next;
    return Math.min(next, onceMore);
  }

  /** It is about to be told what came of it: what is not news is told, too, once after it was new. @param now seconds */
  renew(now: number): void {
    if (this.#onceMore === undefined || now < this.#onceMore) return;
    this.#onceMore = undefined;
    this.forgetTold();
    this.pipeline?.forgetTold();
  }

  /** Notes of which provider its instance is. */
  foundAt(provider: string): void {
    this.#provider = provider;
  }

  /**
   * Its place in the interval. What is read of a machine shares a part of the interval, at most half of it, with all
   * others of its provider: the first of them asks for a sample, which serves the rest, at each round at the same age.
   */
  get #seed(): number {
    const own = hash(this.item.itemid);
    const { served } = this;
    if (served.fault === undefined && served.row.from === 'network') return hash(String(this.item.hostid));
    if (served.fault !== undefined || served.row.from !== 'machine' || this.#provider === '') return own;
    return hash(this.#provider) + own % Math.max(1, Math.min(Math.floor(this.every / 2), ITEM_SPREAD));
  }

  /** Whether it was unsupported for this very reason when that was said last. */
  isSaid(fault: string): boolean {
    return this.#toldFault === fault;
  }

  /** Whether to say that it is unsupported: it is news, or was said long ago. @param now milliseconds by a clock that nobody sets */
  isNews(fault: string, now: number, again: number): boolean {
    if (this.#toldFault === fault && now - this.#toldAt < again) return false;
    this.#toldFault = fault;
    this.#toldAt = now;
    return true;
  }

  supported(): void {
    this.#toldFault = undefined;
  }

  /** What was said of it is to be said once more. */
  forgetTold(): void {
    this.#toldAt = -Infinity;
  }
}

/** Whether values of one go on where those of the other ended, also in steps that look at the value before. */
const isSameWork = (one: ConfiguredItem, other: ConfiguredItem): boolean =>
  one.key === other.key
  && one.valueType === other.valueType
  && one.type === other.type
  && one.masterItemid === other.masterItemid
  && isSameSteps(one.steps, other.steps);

function isSameSteps(some: ConfiguredItem['steps'] = [], others: ConfiguredItem['steps'] = []): boolean {
  return some.length === others.length && some.every(({ type, params, onFail, failText }, at) => {
    const other = others[at]!;
    return type === other.type && params === other.params && onFail === other.onFail && failText === other.failText;
  });
}

/** What values go through; or why that cannot be done here. Sent as they are, they would be told as something that they are not. */
function pipelineOf({ steps, valueType, masterItemid }: ConfiguredItem): Pipeline | string | undefined {
  if (steps === undefined && masterItemid === undefined) return undefined;
  try {
    return new Pipeline(steps ?? [], valueType);
  } catch (error) {
    if (error instanceof CannotPreprocess) return error.message;
    throw error;
  }
}

/** An interval; or what is wrong with it. */
function intervalOf(delay: string): ItemInterval | string {
  try {
    return parseInterval(delay);
  } catch (error) {
    if (error instanceof ItemIntervalError) return error.message;
    throw error;
  }
}

/** FNV-1a, in 31 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 1;
}
