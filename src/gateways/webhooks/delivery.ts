import type { ArgoEvent } from '../../instances/events.js';
import { STATE_PAGE, WEBHOOK_AT_A_TIME, WEBHOOK_DISK_RETRY } from '../../kit/limits.js';
import type { Log } from '../../kit/log.js';
import type { Outbox, OutboxEvent } from '../../store/state.js';
import type { Listener } from '../contract.js';
import { Acknowledger } from './acknowledger.js';
import type { Bell } from './bell.js';
import { envelope, type Kept } from './envelope.js';
import type { Losses } from './losses.js';
import { pauseAfter, type Receiver, type Verdict } from './receiver.js';

/** What a table says of the way out. */
export interface Outlet {
  readonly receiver: Receiver;
  readonly listener: Listener;
  readonly test: (event: ArgoEvent) => boolean;
  readonly isOrdered: boolean;
  /** milliseconds */
  readonly giveUpAfter: number;
}

export interface DeliveryParts {
  readonly outbox: Outbox;
  readonly losses: Losses;
  readonly log: Log;
  /** rung when there is something new to send, to try or to end */
  readonly bell: Bell;
  /** as the table says now */
  outlet(): Outlet;
  /** Whether nothing is sent at this time, since the receiver said that it is gone. */
  rests(): boolean;
  /** The receiver says that it is gone. */
  gone(): Promise<void>;
  /** Counts what came of an attempt or an event. */
  count(result: string, by?: number): void;
}

/** One of those who send at the same time, and how it fared last. */
interface Lane {
  /** in a row */
  failures: number;
  /** before the next attempt, by performance.now() */
  notBefore: number;
}

/** Sends what is on the disk, oldest first, until it has arrived. */
export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #acknowledger: Acknowledger;
  readonly #lanes: Lane[] = Array.from({ length: WEBHOOK_AT_A_TIME }, () => ({ failures: 0, notBefore: 0 }));
  /** up to which all is done */
  #position = 0;
  #last = 0;
  /** done beyond the position */
  readonly #ahead = new Set<number>();
  /** failed since something arrived last */
  #failed = 0;
  /** what is under way is the last; or what is there now, as long as the receiver answers */
  #ending: 'now' | 'when-empty' | undefined;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    this.#acknowledger = new Acknowledger(parts.outbox);
  }

  /** events that wait */
  get backlog(): number {
    return Math.max(0, this.#last - this.#position - this.#ahead.size);
  }

  /** There is something new. @param last its position */
  appended(last: number): void {
    this.#last = Math.max(this.#last, last);
    this.#parts.bell.ring();
  }

  /** The table has changed: what waits is tried at once. */
  retry(): void {
    for (const lane of this.#lanes) lane.failures = lane.notBefore = 0;
    this.#parts.bell.ring();
  }

  end(how: 'now' | 'when-empty'): void {
    this.#ending = how;
    this.#parts.bell.ring();
  }

  /** Until it is told to end, or the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { outbox, losses, log, bell, rests } = this.#parts;
    while (!this.#mustStop(signal)) {
      try {
        await losses.load();
        const { events, gone, last, dropped } = await outbox.read(this.#position, STATE_PAGE);
        this.#last = Math.max(this.#last, last);
        if (gone > this.#position) this.#moveTo(gone);
        this.#parts.count('dropped', losses.pushedOut(dropped));
        if (rests() || (events.length === 0 && (await losses.message()) === undefined)) {
          if (this.#ending !== undefined) break;
          await bell.wait(signal);
        } else {
          await this.#sendAll(events, signal);
        }
      } catch (error) {
        log('warn', 'events cannot be read for the webhook', { reason: (error as Error).message });
        if (this.#ending !== undefined) break;
        await bell.wait(signal, WEBHOOK_DISK_RETRY);
      }
    }
    await this.#acknowledger.settle();
  }

  /** Several at a time take the next one, until there is none or they have to stop. */
  async #sendAll(events: readonly OutboxEvent[], signal: AbortSignal): Promise<void> {
    const { outlet } = this.#parts;
    let next = 0;
    while (next < events.length && this.#failed > 0 && this.#giveUp(JSON.parse(events[next]!.event) as Kept)) this.#done(events[next++]!.position);
    if (!await this.#tellLosses(signal)) return;
    const lanes = this.#lanes.slice(0, outlet().isOrdered ? 1 : undefined);
    await Promise.all(lanes.map(async (lane) => {
      while (next < events.length) {
        const { position, event } = events[next++]!;
        if (!this.#ahead.has(position) && !await this.#send(JSON.parse(event) as Kept, lane, signal)) return;
        this.#done(position);
        // what was given up has to be told before what comes after it
        if (outlet().isOrdered && !await this.#tellLosses(signal)) return;
      }
    }));
  }

  /** @returns false where the receiver does not know yet: others may have to be given up before it is tried again */
  async #tellLosses(signal: AbortSignal): Promise<boolean> {
    const { losses } = this.#parts;
    for (let message = await losses.message(); message !== undefined; message = await losses.message()) {
      if (await this.#attempt(message, this.#lanes[0]!, signal) !== 'done') return false;
      await losses.told();
    }
    return true;
  }

  /** Sends one until it is done with. @returns false where it is not, and is left on the disk */
  async #send(kept: Kept, lane: Lane, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const end = await this.#attempt(kept, lane, signal);
      if (end !== 'again') return end === 'done';
      if (this.#giveUp(kept)) return true;
    }
  }

  /** Waits until it is time, and tries once. `later`: nothing is sent at this time. */
  async #attempt(kept: Kept, lane: Lane, signal: AbortSignal): Promise<'done' | 'again' | 'later'> {
    const { bell, rests, count, outlet } = this.#parts;
    while (lane.notBefore > performance.now() && !this.#mustStop(signal)) await bell.wait(signal, lane.notBefore - performance.now());
    if (this.#mustStop(signal) || rests()) return 'later';
    const { receiver } = outlet();
    const body = this.#bodyOf(kept, outlet());
    if (body === undefined) {
      count('withheld');
      return 'done';
    }
    // where it was broken off it may have arrived; nobody knows, so it stays
    const verdict = await receiver.post(kept.id, body, signal).catch(() => undefined);
    if (verdict === undefined) return 'later';
    count(verdict.result);
    if (verdict.result === 'failed') {
      this.#wentWrong(lane, verdict, receiver);
      return 'again';
    }
    if (verdict.result === 'gone') {
      await this.#parts.gone();
      return 'later';
    }
    this.#wentWell(lane, receiver);
    return 'done';
  }

  /** After a failure: whether an event is so old that it is not tried again. */
  #giveUp({ at, facts }: Kept): boolean {
    const { outlet, count, losses } = this.#parts;
    if (facts.type === 'lost' || Date.now() - at / 1000 <= outlet().giveUpAfter) return false;
    count('dropped');
    losses.giveUp(1);
    return true;
  }

  /** As may be told at this moment; undefined: nothing. */
  #bodyOf(kept: Kept, { listener, test }: Outlet): string | undefined {
    const { facts, at, subject } = kept;
    if (facts.type === 'lost') return envelope(kept, facts);
    const event: ArgoEvent = { at, facts, subject };
    const told = test(event) ? listener.told(event) : undefined;
    return told && envelope(kept, told);
  }

  /** At the end, somebody who does not answer is not waited for. */
  #mustStop(signal: AbortSignal): boolean {
    return signal.aborted || this.#ending === 'now' || (this.#ending !== undefined && this.#failed > 0);
  }

  #wentWell(lane: Lane, { place }: Receiver): void {
    if (this.#failed > 0) this.#parts.log('info', 'webhook arrives again', { receiver: place, failed: this.#failed });
    lane.failures = lane.notBefore = this.#failed = 0;
  }

  #wentWrong(lane: Lane, { reason, retryAfter }: Extract<Verdict, { result: 'failed' }>, { place }: Receiver): void {
    if (this.#failed === 0) this.#parts.log('warn', 'webhook does not arrive, it is tried again', { receiver: place, reason });
    this.#failed += 1;
    lane.failures += 1;
    lane.notBefore = performance.now() + pauseAfter(lane.failures, retryAfter);
  }

  #done(position: number): void {
    this.#ahead.add(position);
    let upTo = this.#position;
    while (this.#ahead.has(upTo + 1)) upTo += 1;
    if (upTo > this.#position) this.#moveTo(upTo);
  }

  #moveTo(position: number): void {
    this.#position = position;
    for (const one of this.#ahead) if (one <= position) this.#ahead.delete(one);
    this.#acknowledger.upTo(position);
  }
}
