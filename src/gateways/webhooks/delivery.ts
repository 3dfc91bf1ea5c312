import type { ArgoEvent } from '../../instances/events.js';
import { STATE_PAGE } from '../../kit/limits.js';
import { WEBHOOK_AT_A_TIME, WEBHOOK_DISK_RETRY } from '../../kit/webhook-limits.js';
import type { Log } from '../../kit/log.js';
import { SteadyAge } from '../../kit/steady-age.js';
import { Acknowledger } from '../../store/acknowledger.js';
import type { Outbox, OutboxEvent } from '../../store/state.js';
import type { Listener } from '../contract.js';
import type { Bell } from '../../kit/bell.js';
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
  readonly isFirst: boolean;
  /** what it has to send */
  held: OutboxEvent | undefined;
  /** in a row */
  failures: number;
  /** before the next attempt, by performance.now() */
  notBefore: number;
}

/** Sends what is on the disk, oldest first, until it has arrived. */
export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #acknowledger: Acknowledger;
  readonly #age = new SteadyAge();
  readonly #lanes: readonly Lane[] = Array.from({ length: WEBHOOK_AT_A_TIME }, (_, index) => ({
    isFirst: index === 0,
    held: undefined,
    failures: 0,
    notBefore: 0,
  }));

  /** read from the disk and not begun */
  #page: OutboxEvent[] = [];
  #reading: Promise<void> | undefined;
  /** up to which all was read */
  #read = 0;
  /** read and not done, in order */
  readonly #open = new Set<number>();
  #last = 0;
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
    return this.#last - this.#read + this.#open.size;
  }

  /** There is something new. @param last its position */
  appended(last: number): void {
    this.#last = Math.max(this.#last, last);
    this.#age.look();
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
    await Promise.all(this.#lanes.map((lane) => this.#runLane(lane, signal)));
    await this.#acknowledger.settle();
  }

  async #runLane(lane: Lane, signal: AbortSignal): Promise<void> {
    const { bell, log, rests } = this.#parts;
    while (!this.#mustStop(signal)) {
      const { rings } = bell;
      try {
        if (rests() || !(await this.#step(lane, signal))) {
          if (this.#ending !== undefined) return;
          await bell.wait(signal, rings);
        }
      } catch (error) {
        log('warn', 'events cannot be read for the webhook', { reason: (error as Error).message });
        if (this.#ending !== undefined) return;
        await bell.wait(signal, bell.rings, WEBHOOK_DISK_RETRY);
      }
    }
  }

  /** @returns false where there is nothing to do */
  async #step(lane: Lane, signal: AbortSignal): Promise<boolean> {
    const { losses } = this.#parts;
    lane.held ??= await this.#take(lane);
    const kept = lane.held && (JSON.parse(lane.held.event) as Kept);
    if (kept && lane.failures > 0 && this.#giveUp(kept)) {
      this.#done(lane);
      return true;
    }
    // what was dropped is told before what comes after it
    const message = lane.isFirst ? await losses.message() : undefined;
    if (message !== undefined) {
      if (await this.#attempt(message, lane, signal)) await losses.told();
    } else if (kept === undefined) {
      return false;
    } else if (await this.#attempt(kept, lane, signal)) {
      this.#done(lane);
    }
    return true;
  }

  /** The next one that nobody has begun; undefined where there is none, or too many have overtaken one that does not arrive. */
  async #take({ isFirst }: Lane): Promise<OutboxEvent | undefined> {
    if (this.#parts.outlet().isOrdered && !isFirst) return undefined;
    if (this.#page.length === 0 && this.#open.size < STATE_PAGE) {
      this.#reading ??= this.#readPage().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    const [next] = this.#page;
    if (next === undefined || next.position - this.#position > STATE_PAGE) return undefined;
    return this.#page.shift();
  }

  async #readPage(): Promise<void> {
    const { outbox, losses, count } = this.#parts;
    await losses.load();
    const { events, gone, last, dropped } = await outbox.read(this.#read, STATE_PAGE);
    this.#page.push(...events);
    for (const { position } of events) this.#open.add(position);
    this.#read = Math.max(this.#read, gone, events.at(-1)?.position ?? 0);
    this.#last = Math.max(this.#last, last);
    count('dropped', losses.pushedOut(dropped));
  }

  /** up to which all is done */
  get #position(): number {
    const [oldest] = this.#open;
    return oldest === undefined ? this.#read : oldest - 1;
  }

  /** Waits until it is time, and tries once. @returns whether it is done with; else it stays */
  async #attempt(kept: Kept, lane: Lane, signal: AbortSignal): Promise<boolean> {
    const { bell, rests, count, outlet } = this.#parts;
    while (lane.notBefore > performance.now() && !this.#mustStop(signal))
      await bell.wait(signal, bell.rings, lane.notBefore - performance.now());
    if (this.#mustStop(signal) || rests()) return false;
    const { receiver } = outlet();
    const body = await this.#bodyOf(kept, outlet());
    if (body === undefined) {
      count('withheld');
      return true;
    }
    // where it was broken off it may have arrived; nobody knows, so it stays
    const verdict = await receiver.post(kept.id, body, signal).catch(() => undefined);
    if (verdict === undefined) return false;
    count(verdict.result);
    if (verdict.result === 'failed') this.#wentWrong(lane, verdict, receiver);
    else if (verdict.result === 'gone') await this.#parts.gone();
    else this.#wentWell(lane, receiver);
    return verdict.result === 'delivered';
  }

  /** After a failure: whether an event is so old that it is not tried again. */
  #giveUp({ at, facts }: Kept): boolean {
    const { outlet, count, losses } = this.#parts;
    if (facts.type === 'lost' || this.#age.of(at / 1000) <= outlet().giveUpAfter) return false;
    count('dropped');
    losses.giveUp(1);
    return true;
  }

  /** As may be told at this moment; undefined: nothing. */
  async #bodyOf(kept: Kept, { listener, test }: Outlet): Promise<string | undefined> {
    const { facts, at, subject } = kept;
    if (facts.type === 'lost') return envelope(kept, facts);
    const event: ArgoEvent = { at, facts, subject };
    const told = test(event) ? await listener.told(event) : undefined;
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

  #done(lane: Lane): void {
    this.#open.delete(lane.held!.position);
    lane.held = undefined;
    this.#acknowledger.upTo(this.#position);
    // those that had overtaken others by too much may go on
    if (!lane.isFirst || !this.#parts.outlet().isOrdered) this.#parts.bell.ring();
  }
}
