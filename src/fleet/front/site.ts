import { FLEET_CLOCK_SAMPLES, FLEET_CLOCK_SKEW, FLEET_INCARNATIONS, FLEET_RESULT_TIMEOUT } from '../../kit/fleet-limits.js';
import { formatDuration, oneLine } from '../../kit/text.js';
import type { SiteInfo } from '../contract.js';
import type { AliveMessage } from '../messages.js';

/** The two clocks of a moment: what people are told goes by the one, what has happened since by the other. */
export interface Moment {
  /** performance.now() */
  readonly now: number;
  /** ms since 1970 */
  readonly time: number;
}

export const moment = (): Moment => ({ now: performance.now(), time: Date.now() });

/** A process of the site that was heard of, and is not the one that counts. */
interface Former {
  /** by its own clock, of its last sign of life */
  readonly at: number;
  /** by performance.now(): when that has come, though it may have been held up: so it counts as there for longer rather than not as long */
  readonly heard: number;
  readonly interval: number;
  /** it said that it leaves */
  readonly hasLeft: boolean;
}

/** Characters of why the bus cannot hand anything on to a site. */
const MISSING_SHOWN = 200;

/**
 * Whether a clock that was ahead has been put right: what is said now fits ours, and what was said before is still to come. An old
 * word that somebody sends again fits for a moment only.
 */
const isPutRight = (alive: AliveMessage, before: AliveMessage, time: number): boolean =>
  before.at - time > FLEET_CLOCK_SKEW && Math.abs(alive.at - time) <= FLEET_CLOCK_SKEW;

/** What a front knows of one site by its signs of life: whether it is there, how its clock is set, and whether there are two of that name. */
export class Site {
  #alive: AliveMessage | undefined;
  /** when it has said something last */
  #heard: Moment | undefined;
  /** by performance.now(): when that has come */
  #came = -Infinity;
  /** when the process that counts was heard of first, by its clock */
  #firstAt = -Infinity;
  /** by how much its clock seems to be before ours, by the latest signs of life; each came late, and none early */
  #offsets: number[] = [];
  /** by performance.now(): when the first of those came that the last offset is of */
  #offsetBegan = -Infinity;
  readonly #former = new Map<string, Former>();
  /** another process of this name that was heard of after this one had come */
  #twin: { readonly heard: number } | undefined;
  #fault: string | undefined;
  /** nobody was there when something was sent to it, in the words of the bus; undefined as soon as it is heard of again */
  #missing: string | undefined;

  constructor(readonly name: string) {}

  get alive(): AliveMessage | undefined {
    return this.#alive;
  }

  get incarnation(): string | undefined {
    return this.#alive?.incarnation;
  }

  /** Takes in a sign of life. @param deadAfter ms @returns whether it counts: one that comes late, or again, does not */
  take(alive: AliveMessage, { now, time }: Moment, deadAfter: number): boolean {
    const current = this.#alive;
    const isDead = now - this.#came > deadAfter;
    if (current && alive.incarnation !== current.incarnation && !isDead && !this.#isSuccessor(alive, current, now)) return false;
    if (current?.incarnation === alive.incarnation) {
      if (alive.at <= current.at) {
        if (!isPutRight(alive, current, time)) return false;
        this.#firstAt = Math.min(this.#firstAt, alive.at);
        this.#offsets = [];
      }
    } else if (alive.at <= (this.#former.get(alive.incarnation)?.at ?? -Infinity)) {
      return false;
    } else {
      if (current) this.#remember(current, this.#came);
      this.#former.delete(alive.incarnation);
      this.#firstAt = alive.at;
      this.#offsets = [];
    }
    this.#alive = alive;
    this.#noteOffset(alive.at - time, now, alive.interval);
    this.#fault = undefined;
    this.#heardWhenSaid(alive.at, { now, time });
    return true;
  }

  /** What was held up on its way, or while this process stood still, tells of then: by how much it is later than the quickest that is known. */
  #heardWhenSaid(said: number, { now, time }: Moment): void {
    const before = this.#heard?.now ?? -Infinity;
    const late = Math.min(this.#skew! - (said - time), now - before);
    this.heardOf({ now, time }, late);
  }

  /** It has answered something. @param late ms since it has said so */
  heardOf({ now, time }: Moment, late = 0): void {
    this.#came = now;
    this.#heard = { now: now - late, time: time - late };
    this.#missing = undefined;
  }

  /** Something came from it that cannot be read. */
  noteFault(fault: string): void {
    this.#fault = fault;
  }

  /** The bus had nobody to hand on to what was sent to it. @param why in its words @returns whether that is news */
  noteMissing(why: string): boolean {
    const isNews = this.#missing === undefined;
    this.#missing ??= why;
    return isNews;
  }

  /** Whether the bus had nobody when something was sent to it, and it has not been heard of since. */
  get isMissing(): boolean {
    return this.#missing !== undefined;
  }

  /** Whether it has not been heard of for too long. @param deadAfter ms */
  isSilent(at: Moment, deadAfter: number): boolean {
    return this.silentIn(at, deadAfter) < 0;
  }

  /** How long it may still say nothing until it is silent, ms; less than 0 where it is already. */
  silentIn({ now }: Moment, deadAfter: number): number {
    return this.#heard === undefined ? -Infinity : deadAfter - (now - this.#heard.now);
  }

  /**
   * Whether a process may say of an order that was sent when another one counted that it was never begun. Two of one name have two
   * journals: so the other one has to be gone.
   */
  mayVoid(incarnation: string, sentTo: string | undefined, { now }: Moment, deadAfter: number): boolean {
    if (this.#isDouble(now, deadAfter) || this.#alive === undefined) return false;
    if (incarnation === sentTo) return true;
    if (incarnation !== this.#alive.incarnation) return false;
    const former = sentTo === undefined ? undefined : this.#former.get(sentTo);
    return former === undefined || former.hasLeft || now - former.heard > Math.max(2 * former.interval, FLEET_RESULT_TIMEOUT);
  }

  info(at: Moment, deadAfter: number, bus: string | undefined): SiteInfo {
    return { name: this.name, trouble: bus ?? this.#trouble(at, deadAfter), heard: this.#heard?.time, skew: this.#skew, alive: this.#alive };
  }

  #trouble(at: Moment, deadAfter: number): string | undefined {
    if (this.#fault !== undefined) return `what it says of itself cannot be read: ${oneLine(this.#fault, 200)}`;
    if (this.#heard === undefined || this.#alive === undefined) return 'it has not been heard of';
    if (this.#isDouble(at.now, deadAfter)) return 'two servers say that they are this site';
    if (this.#alive.leaving === true) return 'its server has ended';
    // one that begins is not at its subjects yet, and says soon that it is
    if (this.#alive.opening === true && !this.isSilent(at, deadAfter)) return 'its server has just begun, and takes no orders yet';
    if (this.#missing !== undefined) return `it is not connected (${oneLine(this.#missing, MISSING_SHOWN)})`;
    if (this.isSilent(at, deadAfter)) return `it has said nothing since ${new Date(this.#heard.time).toISOString()}`;
    const skew = this.#skew!;
    // in whole seconds, as it is told anew where it is another
    const seconds = Math.round(Math.abs(skew) / 1000) * 1000;
    return Math.abs(skew) > FLEET_CLOCK_SKEW ? `its clock is ${formatDuration(seconds)} ${skew > 0 ? 'ahead of' : 'behind'} ours` : undefined;
  }

  get #skew(): number | undefined {
    return this.#offsets.length === 0 ? undefined : Math.max(...this.#offsets);
  }

  /** What comes together counts once, by what was quickest of it: after a pause of this process, or of the bus, all that was held up does. */
  #noteOffset(offset: number, now: number, interval: number): void {
    const last = this.#offsets.at(-1);
    if (last !== undefined && now - this.#offsetBegan < interval / 2) {
      this.#offsets[this.#offsets.length - 1] = Math.max(last, offset);
      return;
    }
    this.#offsets = [...this.#offsets, offset].slice(-FLEET_CLOCK_SAMPLES);
    this.#offsetBegan = now;
  }

  #isDouble(now: number, deadAfter: number): boolean {
    return this.#twin !== undefined && now - this.#twin.heard <= deadAfter;
  }

  /**
   * Whether another process than the one that counts takes its place. A late word of one that has ended says nothing; one that
   * goes on beside the present one, or was there before it, is another server of the same name.
   */
  #isSuccessor(alive: AliveMessage, current: AliveMessage, now: number): boolean {
    const former = this.#former.get(alive.incarnation);
    if (former === undefined && alive.started >= current.started) return true;
    if (former && (alive.at <= former.at || alive.at <= this.#firstAt)) return false;
    this.#remember(alive, now);
    this.#twin = { heard: now };
    return false;
  }

  #remember({ incarnation, at, interval, leaving }: AliveMessage, heard: number): void {
    this.#former.delete(incarnation);
    this.#former.set(incarnation, { at, heard, interval, hasLeft: leaving === true });
    if (this.#former.size > FLEET_INCARNATIONS) this.#former.delete(this.#former.keys().next().value!);
  }
}
