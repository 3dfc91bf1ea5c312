import { randomBytes } from 'node:crypto';
import { HISTORY_APPEND_SIZE, HISTORY_AWAY, HISTORY_NOTE_SIZE, HISTORY_PAGE } from '../kit/limits.js';
import type { Head } from './history-file.js';
import type { Value } from './sqlite.js';
import { StateError } from './state-error.js';
import { NOT_BEGUN } from './store-file.js';

/**
 * Values on their way to a receiver that may lose what it has acknowledged: they stay for a while after that, and are
 * sent again where it is in doubt. Each has a number, greater than that of every one before for ever, and all belong to
 * a session of 32 characters that is as old as the file: by both the receiver knows what it has already.
 */

/** Positions are numbers of values. */
export interface HistoryPosition {
  readonly session: string;
  /** no other start of this stream has the same, nor what it was before the clock went back */
  readonly epoch: number;
  /** the newest value; 0 where there was none */
  readonly last: number;
  /** those up to here are not kept any more */
  readonly gone: number;
  /** those up to here were acknowledged, and are not to be sent again */
  readonly acknowledged: number;
  /** those up to here were acknowledged at any time */
  readonly delivered: number;
}

/** Values as they are sent. */
export interface HistoryPage {
  /** JSON objects with `id` before their other members, a comma and a line end between each two */
  readonly text: string;
  readonly count: number;
  /** number of the last of them; where there are none, up to where was read */
  readonly last: number;
}

/** How long and how many values are kept. */
export interface HistoryBounds {
  /** milliseconds after they came */
  readonly age: number;
  /** in all */
  readonly values: number;
  /** acknowledged ones: milliseconds after that, and how many */
  readonly keep: number;
  readonly keepValues: number;
}

type Ask = (operation: string, args: readonly Value[], durable: boolean) => Promise<unknown>;

/**
 * One stream of values. All may throw {@link StateError}. Where somebody has taken the file away, or put an older copy in its
 * place, what is asked first fails, and then a stream of another session begins: {@link History.open} tells.
 */
export class History {
  readonly #namespace: string;
  readonly #ask: Ask;
  #opening: Promise<HistoryPosition> | undefined;
  /** what performance.now() is added to, milliseconds: the age of values is not changed by a clock that is set */
  #clock = 0;
  /** the newest value that is known here, and its session */
  #last = 0;
  #session = '';

  constructor(namespace: string, ask: Ask) {
    this.#namespace = namespace;
    this.#ask = async (...question) => {
      try {
        return await ask(...question);
      } catch (error) {
        if ((error as Error).message.includes(NOT_BEGUN)) this.#opening = undefined;
        throw error;
      }
    };
  }

  /** Makes the stream where it is not there yet, and begins an epoch: once in the life of this object and of its file, all else does it too. */
  open(): Promise<HistoryPosition> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Begins another epoch: for a clock that went back. @returns its number */
  async nextEpoch(): Promise<number> {
    await this.open();
    return (await this.#ask('history.open', [this.#namespace, newSession()], true) as Head).epoch;
  }

  /**
   * Adds values, in order. On the disk when it resolves.
   * @param rows an array of JSON objects as text, with at least one member each and no `id`
   * @returns the number of the last one; they are without gaps
   */
  async append(rows: string): Promise<number> {
    if (rows.length > HISTORY_APPEND_SIZE) throw new StateError('too large', `at most ${HISTORY_APPEND_SIZE} characters in one go`);
    await this.open();
    const last = await this.#ask('history.append', [this.#namespace, this.#now(), rows, this.#last], true) as number | null;
    if (last !== null) return (this.#last = last);
    this.#opening = undefined;
    throw new StateError('unavailable', NOT_BEGUN);
  }

  /**
   * Reads on.
   * @param after number of the last value that is known
   * @param most values; at most HISTORY_PAGE
   * @param size bytes of them, but at least one value; where they are more, fewer values are read, down to half of what would fit
   */
  async page(after: number, most: number, size: number): Promise<HistoryPage> {
    await this.open();
    return await this.#ask('history.page', [this.#namespace, after, Math.min(most, HISTORY_PAGE), size], false) as HistoryPage;
  }

  /** The receiver has these. A power cut may undo it: they are sent again then. */
  async acknowledge(upTo: number): Promise<void> {
    await this.open();
    await this.#ask('history.acknowledge', [this.#namespace, upTo, this.#now()], false);
  }

  /** The receiver may have lost what it had acknowledged: all that is kept is to be sent again. */
  async stepBack(): Promise<HistoryPosition> {
    await this.open();
    return await this.#ask('history.step-back', [this.#namespace], false) as Head;
  }

  /**
   * Removes what need not be kept, or not longer; of very much a part: it goes on with the next call.
   * @returns where it stands then; `dropped`: how many were removed that the receiver never had
   */
  async trim({ age, values, keep, keepValues }: HistoryBounds): Promise<HistoryPosition & { readonly dropped: number }> {
    await this.open();
    const now = this.#now();
    return await this.#ask('history.trim', [this.#namespace, now - age, now - keep, keepValues, values], false) as Head & { dropped: number };
  }

  /** A text that is kept beside the values. */
  async note(key: string): Promise<string | undefined> {
    await this.open();
    return await this.#ask('history.note', [this.#namespace, key], false) as string | undefined;
  }

  async setNote(key: string, value: string): Promise<void> {
    if (value.length > HISTORY_NOTE_SIZE) throw new StateError('too large', `a note has at most ${HISTORY_NOTE_SIZE} characters`);
    await this.open();
    await this.#ask('history.set-note', [this.#namespace, key, value], false);
  }

  async #open(): Promise<HistoryPosition> {
    const head = await this.#ask('history.open', [this.#namespace, newSession()], true) as Head;
    const { written, session, last } = head;
    this.#last = session === this.#session ? Math.max(last, this.#last) : last;
    this.#session = session;
    const since = Math.max(0, Date.now() - written);
    // nobody knows whether the machine was off for so long, or its clock is wrong
    this.#clock = written + (written === 0 ? since : Math.min(since, HISTORY_AWAY)) - performance.now();
    return head;
  }

  /** Never goes back, over restarts neither, between which it goes on by a little at most. Milliseconds. */
  #now(): number {
    return Math.round(this.#clock + performance.now());
  }
}

const newSession = (): string => randomBytes(16).toString('hex');
