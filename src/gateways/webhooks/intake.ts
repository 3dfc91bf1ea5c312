import type { ArgoEvent } from '../../instances/events.js';
import type { EventFeed, FeedReader } from '../../instances/feed.js';
import { ArgoError } from '../../kit/errors.js';
import { OUTBOX_APPEND } from '../../kit/limits.js';
import { WEBHOOK_APPEND_SIZE, WEBHOOK_DISK_RETRY } from '../../kit/webhook-limits.js';
import type { Log } from '../../kit/log.js';
import type { Outbox } from '../../store/state.js';
import type { Bell } from '../../kit/bell.js';
import { keep, keepLost } from './envelope.js';
import type { Listener } from '../contract.js';

export interface IntakeParts {
  readonly feed: EventFeed;
  readonly outbox: Outbox;
  readonly log: Log;
  /** rung when one that rested may go on */
  readonly bell: Bell;
  /** as the table says now */
  filter(): { readonly test: (event: ArgoEvent) => boolean; readonly listener: Listener };
  /** Whether nothing is taken at this time: then only the position is kept. */
  rests(): boolean;
  /** Told when events are on the disk. @param last the position of the newest */
  appended(last: number): void;
}

/**
 * Puts events on the disk as they happen. It holds a position in the server's events and what it is
 * putting down at the moment, no queue: while the disk cannot be written, the events wait where they are,
 * and where they are forgotten there meanwhile, the receiver is told that it has missed some.
 */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #reader: FeedReader;

  /** From now on. */
  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#reader = parts.feed.reader();
  }

  /** Until nothing more will happen, or the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      while (this.#parts.rests() && !signal.aborted) {
        // nobody will call it back any more
        if (this.#parts.feed.isEnding) return;
        await this.#parts.bell.wait(signal, this.#parts.bell.rings);
      }
      const texts = await this.#next(signal);
      if (texts === undefined) return;
      while (texts.length > 0 && !signal.aborted) await this.#append(texts, signal);
    }
  }

  /** What is to be kept of what came; undefined at the end. */
  async #next(signal: AbortSignal): Promise<string[] | undefined> {
    const { feed, log } = this.#parts;
    try {
      const events = await this.#reader.next(signal);
      if (events.length === 0) return undefined;
      const { test, listener } = this.#parts.filter();
      const texts: string[] = [];
      for (const event of events.filter(test)) {
        const facts = await listener.told(event);
        if (facts !== undefined) texts.push(JSON.stringify(keep(event, facts, feed.cursor(event))));
      }
      return texts;
    } catch (error) {
      if (!(error instanceof ArgoError) || error.phrase !== 'CURSOR EXPIRED') throw error;
      log('warn', 'events were forgotten before they could be kept for the webhook');
      return [JSON.stringify(keepLost(feed, undefined, 'not-kept'))];
    }
  }

  /** Takes away what it has put down. */
  async #append(texts: string[], signal: AbortSignal): Promise<void> {
    const { outbox, log, bell, appended } = this.#parts;
    let size = 0;
    const few = texts.slice(0, OUTBOX_APPEND).filter((text) => (size += text.length) - text.length < WEBHOOK_APPEND_SIZE);
    try {
      const { last } = await outbox.append(few);
      texts.splice(0, few.length);
      appended(last);
    } catch (error) {
      log('warn', 'events cannot be kept for the webhook', { reason: (error as Error).message });
      await bell.wait(signal, bell.rings, WEBHOOK_DISK_RETRY);
    }
  }
}
