import type { Log } from '../../../kit/log.js';
import { Slices } from '../../../kit/slices.js';
import { ZABBIX_MESSAGE_SIZE, ZABBIX_MESSAGE_VALUES, ZABBIX_TAIL_AGE, ZABBIX_TAIL_VALUES } from '../../../kit/zabbix-gateway-limits.js';
import type { DataParts, ServerAnswer } from '../../../protocols/zabbix/conversation.js';
import type { TaskResult } from '../../../protocols/zabbix/messages.js';
import type { HistoryPage } from '../../../store/history.js';
import type { ValueBuffer } from './buffer.js';
import type { DropReason } from '../figures.js';
import { NO_REPORTS, type Reports, type ReportsPart } from './reports.js';
import { Tail } from './tail.js';
import type { Tasks } from './tasks.js';

interface SenderParts {
  readonly buffer: ValueBuffer;
  readonly reports: Reports;
  readonly tasks: Tasks;
  readonly log: Log;
  acknowledged(count: number): void;
  dropped(reason: DropReason, count: number): void;
}

/** One message, and what of it is to be noted when the server has it. */
export interface Shipment {
  readonly parts: DataParts;
  readonly reports: ReportsPart;
  readonly results: readonly TaskResult[];
  /** values up to this number are in it, or are not to be sent; undefined: no values were looked for */
  readonly upTo: number | undefined;
  /** values that are in it, and those that were left out since their items are gone; of these some were never looked at before */
  readonly values: number;
  readonly leftOut: number;
  readonly newlyLeftOut: number;
}

/** Values that were read for a message. */
interface Values {
  /** the rows of those whose items are configured; empty where there are none */
  readonly history: readonly string[];
  readonly count: number;
  readonly leftOut: number;
  readonly newlyLeftOut: number;
  /** how many were read, and the number of the last */
  readonly read: number;
  readonly last: number;
}

type HasItem = (itemid: string) => boolean;

/** Values that are being read while those before them are on their way. */
interface Ahead {
  readonly after: number;
  /** what was known then of the items */
  readonly hasItem: HasItem | undefined;
  readonly values: Promise<Values>;
}

/**
 * Composes what goes to the server, and takes note of what has arrived. One message is under way at a time.
 *
 * A server acknowledges values before they are in its database, and forgets them where it is killed. So after each fault
 * that may be the end of a server, what it acknowledged of late is sent again before newer values, with the same session
 * and numbers: one that has lived on drops them by their numbers, one that was started anew takes them. And what it
 * acknowledged in the last seconds goes with each message, as far as there is room: no fault tells of a quick restart.
 */
export class Sender {
  readonly #parts: SenderParts;
  /** the server may have lost what it had; so it may at the beginning */
  #isInDoubt = true;
  #isUploadDisabled = false;
  #ahead: Ahead | undefined;
  #hasItem: HasItem | undefined;
  #isBroken = false;
  /** the greatest number that was counted: what is sent again is not counted again */
  #counted = 0;
  #tail = new Tail();
  /** of the buffer, when values were last read of it */
  #session = '';
  /** when the server last took what there was of values, on the clock of performance.now() */
  #settledAt = 0;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  get isUploadDisabled(): boolean {
    return this.#isUploadDisabled;
  }

  /** Whether there are values, and a server that wants them. */
  get hasMore(): boolean {
    return !this.#isUploadDisabled && !this.#isBroken && this.#parts.buffer.backlog > 0;
  }

  /** Values of other items are not sent any more. */
  configured(hasItem: HasItem): void {
    this.#hasItem = hasItem;
  }

  /** What happened may be the end of a server. */
  doubt(): void {
    this.#isInDoubt = true;
  }

  /** All that there is, as far as the server wants it. */
  async compose(): Promise<Shipment> {
    if (this.#isUploadDisabled) return this.composeResults();
    const { reports, tasks, buffer } = this.#parts;
    const { history, count, leftOut, newlyLeftOut, read, last: upTo } = await this.#values() ?? NOTHING;
    const [part, results] = [reports.next(), tasks.next()];
    const hasMore = upTo !== undefined && read > 0 && buffer.backlog > upTo - buffer.acknowledged;
    return {
      parts: { session: upTo === undefined ? buffer.session : this.#session, ...part, results, history, ...(hasMore && { more: true }), ...now() },
      reports: part, results, upTo, values: count, leftOut, newlyLeftOut,
    };
  }

  /** The values of the next message, where they are as many as one takes and all goes well: the very array that will be in its parts. */
  async next(): Promise<Pick<DataParts, 'session' | 'history'> | undefined> {
    const values = await this.#ahead?.values.catch(() => undefined);
    return values && values.count > 0 ? { session: this.#session, history: values.history } : undefined;
  }

  /** Results of tasks alone. */
  composeResults(): Shipment {
    const results = this.#parts.tasks.next();
    return {
      parts: { session: this.#parts.buffer.session, results, ...now() },
      reports: NO_REPORTS,
      results,
      upTo: undefined,
      values: 0,
      leftOut: 0,
      newlyLeftOut: 0,
    };
  }

  /** For a server that may throw away what it gets. */
  composeNothing(): Shipment {
    return { ...this.composeResults(), parts: { session: this.#parts.buffer.session, ...now() }, results: [] };
  }

  /** What the server said to a message. */
  settle({ parts: { session }, reports, results, upTo, values, leftOut, newlyLeftOut }: Shipment, { accepted, upload }: ServerAnswer): void {
    if (upload !== undefined) this.#setUpload(upload);
    if (!accepted) return;
    const parts = this.#parts;
    parts.reports.done(reports);
    parts.tasks.done(results);
    if (upTo === undefined || session !== parts.buffer.session) return;
    this.#settledAt = performance.now();
    if (values + leftOut === 0) return;
    // those that were dropped while they were on their way were counted then
    const counted = Math.max(this.#counted, parts.buffer.gone);
    if (upTo > counted) {
      // a page that is partly new was read when others came behind it
      const fresh = Math.min(values + leftOut, upTo - counted);
      const gone = Math.min(newlyLeftOut, fresh);
      parts.acknowledged(fresh - gone);
      if (gone > 0) this.#leftOut(gone);
      this.#counted = upTo;
    }
    const { acknowledged } = parts.buffer;
    if (upTo > acknowledged) this.#tail.add(acknowledged, this.#settledAt);
    parts.buffer.acknowledge(upTo);
  }

  /** Nobody knows whether a message arrived. */
  lost(): void {
    this.#isInDoubt = true;
    this.#ahead = undefined;
  }

  #leftOut(count: number): void {
    this.#parts.dropped('item gone', count);
    this.#parts.log('info', 'values of items that are gone were left out', { dropped: count });
  }

  #setUpload(isEnabled: boolean): void {
    if (isEnabled !== this.#isUploadDisabled) return;
    this.#isUploadDisabled = !isEnabled;
    if (isEnabled) this.#parts.log('info', 'the Zabbix server takes values again', { waiting: this.#parts.buffer.backlog });
    else this.#parts.log('warn', 'the Zabbix server takes no values at present: its cache is full', { waiting: this.#parts.buffer.backlog });
  }

  /** @returns undefined where values cannot be read: all else goes without them */
  async #values(): Promise<Values | undefined> {
    const { buffer, log } = this.#parts;
    try {
      await buffer.open();
      if (buffer.session !== this.#session) this.#beginAnew(buffer.session);
      if (this.#isInDoubt) {
        this.#ahead = undefined;
        await buffer.stepBack();
        this.#isInDoubt = false;
        this.#counted = Math.max(this.#counted, buffer.delivered);
      }
      const tail = await this.#withTail();
      const values = tail === undefined ? await this.#behind(buffer.acknowledged) : await this.#wanted(tail);
      if (values.last < buffer.last) this.#readAhead(values.last);
      if (this.#isBroken) log('info', 'values for Zabbix can be read again');
      this.#isBroken = false;
      return values;
    } catch (error) {
      if (!this.#isBroken) log('error', 'values for Zabbix cannot be read', { reason: (error as Error).message });
      this.#isBroken = true;
      return undefined;
    }
  }

  /** Numbers that were known are those of another file. */
  #beginAnew(session: string): void {
    this.#session = session;
    this.#ahead = undefined;
    this.#counted = 0;
    this.#tail = new Tail();
    this.#isInDoubt = true;
  }

  /** @returns undefined where there is no tail, or not enough room for it in one message with all that is new */
  async #withTail(): Promise<HistoryPage | undefined> {
    const { buffer } = this.#parts;
    const { acknowledged, last } = buffer;
    const begin = this.#tail.begin(this.#settledAt - ZABBIX_TAIL_AGE) ?? acknowledged;
    const after = Math.max(begin, acknowledged - Math.min(ZABBIX_TAIL_VALUES, ZABBIX_MESSAGE_VALUES - (last - acknowledged)));
    if (after >= acknowledged) return undefined;
    const page = await buffer.page(after, ZABBIX_MESSAGE_VALUES, ZABBIX_MESSAGE_SIZE);
    return page.last >= last ? page : undefined;
  }

  /** Those behind a number, which may have been read already. */
  #behind(after: number): Promise<Values> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead?.after === after && ahead.hasItem === this.#hasItem ? ahead.values : this.#read(after);
  }

  #readAhead(after: number): void {
    const values = this.#read(after);
    // told to whoever wants them
    values.catch(() => undefined);
    this.#ahead = { after, hasItem: this.#hasItem, values };
  }

  async #read(after: number): Promise<Values> {
    return this.#wanted(await this.#parts.buffer.page(after, ZABBIX_MESSAGE_VALUES, ZABBIX_MESSAGE_SIZE));
  }

  /** The values of a page whose items are configured; each stands on a line of its own. */
  async #wanted({ text, count, last }: HistoryPage): Promise<Values> {
    const hasItem = this.#hasItem;
    const all = { history: count > 0 ? [text] : [], count, leftOut: 0, newlyLeftOut: 0, read: count, last };
    if (hasItem === undefined || count === 0) return all;
    const slices = new Slices();
    let areAll = true;
    for (let at = text.indexOf(ITEM); at !== -1 && areAll; at = text.indexOf(ITEM, text.indexOf('\n', at) === -1 ? text.length : text.indexOf('\n', at))) {
      if (slices.isOver()) await slices.pause();
      areAll = hasItem(itemAt(text, at));
    }
    if (areAll) return all;
    let newlyLeftOut = 0;
    const lines: string[] = [];
    for (const line of text.split(',\n')) {
      if (slices.isOver()) await slices.pause();
      if (hasItem(itemAt(line, line.indexOf(ITEM)))) lines.push(line);
      else if (idOf(line) > this.#counted) newlyLeftOut += 1;
    }
    const history = lines.length > 0 ? [lines.join(',\n')] : [];
    return { ...all, history, count: lines.length, leftOut: count - lines.length, newlyLeftOut };
  }
}

const NOTHING = { history: [], count: 0, leftOut: 0, newlyLeftOut: 0, read: 0, last: undefined };
const ITEM = '"itemid":"';

const idOf = (line: string): number => Number(/"id":(\d+)/.exec(line)?.[1]);

function itemAt(text: string, at: number): string {
  const start = at + ITEM.length;
  return text.slice(start, text.indexOf('"', start));
}

function now(): { clock: number; ns: number } {
  const ms = Date.now();
  return { clock: Math.floor(ms / 1000), ns: ms % 1000 * 1e6 };
}
