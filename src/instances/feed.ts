import { ArgoError } from '../kit/errors.js';
import { WATCH_IDLE } from '../kit/limits.js';
import { resolvePatterns, type Groups } from '../kit/patterns.js';
import type { ArgoEvent, Cursor, Events, EventType } from './events.js';
import { isWanted } from './subscription.js';

/** Which events somebody keeps, as the configuration says it. */
export interface FeedFilter {
  /** undefined: all */
  readonly types: readonly EventType[] | undefined;
  /** names, globs, ranges and groups; undefined: all instances and providers */
  readonly instances: readonly string[] | undefined;
}

/**
 * All that happens, whoever may know of it: for those who keep events for later. Whether an account may be
 * told of an event has to be asked when it is delivered, since a reload may take grants away meanwhile.
 */
export class EventFeed {
  readonly #events: Events;
  readonly #groups: () => Groups;

  /** @param groups of the configuration as it is now */
  constructor(events: Events, groups: () => Groups) {
    this.#events = events;
    this.#groups = groups;
  }

  /** Whether the server is ending: only the actions that are under way are still told of. */
  get isEnding(): boolean {
    return this.#events.closed;
  }

  /** A position, from now on. */
  reader(): FeedReader {
    return new FeedReader(this.#events);
  }

  /** What tells events of a filter from others, with the groups as they are now. */
  test({ types, instances }: FeedFilter): (event: ArgoEvent) => boolean {
    const patterns = instances && resolvePatterns(instances, this.#groups());
    return (event) => isWanted(event, { types, patterns });
  }

  /** By what an event is named, also over a restart. */
  cursor({ at }: Pick<ArgoEvent, 'at'>): Cursor {
    return this.#events.cursor(at);
  }

  /** A place that no event has, for something that somebody has to add to them. */
  stamp(): number {
    return this.#events.now();
  }
}

/** Somebody's position in the events. */
export class FeedReader {
  readonly #events: Events;
  #at: number;

  constructor(events: Events) {
    this.#events = events;
    this.#at = events.now();
  }

  /**
   * What came, as soon as something did.
   * @returns empty where nothing will come any more, or the signal was aborted
   * @throws ArgoError CURSOR EXPIRED for one that fell behind; the next call goes on with the oldest that is remembered
   */
  async next(signal: AbortSignal): Promise<readonly ArgoEvent[]> {
    const sleeper = this.#events.sleeper(signal);
    try {
      while (!signal.aborted) {
        const found = this.#look();
        if (found.length > 0 || this.#events.finished) return found;
        await sleeper.sleep(WATCH_IDLE);
      }
      return [];
    } finally {
      sleeper.end();
    }
  }

  #look(): readonly ArgoEvent[] {
    try {
      const found = this.#events.after(this.#at);
      this.#at = found.at(-1)?.at ?? this.#at;
      return found;
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'CURSOR EXPIRED') this.#at = this.#events.oldest;
      throw error;
    }
  }
}
