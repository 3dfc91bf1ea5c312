import { ArgoError } from '../kit/errors.js';
import { WATCH_RETRY_FIRST, WATCH_RETRY_LONGEST, WATCH_SILENCE } from '../kit/limits.js';
import type { Failure } from './outcome.js';
import { bodyOf, isEnd, type ReplyEvent } from './replies.js';
import { requestFromArguments } from './request.js';
import { Retries } from './retries.js';
import type { Session } from './session.js';
import { parseEvent, type WatchEvent } from './watch-event.js';

/** What is followed. */
export interface FollowOptions {
  /** names, `--types=…` and whatever else the server makes of its words */
  readonly words: readonly string[];
  /** the states at the beginning are asked for */
  readonly state: boolean;
  /** an event that is known */
  readonly since: string | undefined;
  /** a server that is not there at the beginning is waited for */
  readonly isPatient: boolean;
}

/** A line, and the event where it is one. */
export interface Heard {
  readonly line: string;
  readonly event: WatchEvent | undefined;
}

export interface FollowHooks {
  /** The server tells from here on. @param isAnew whether the states come first, up to `synced` */
  begun?(isAnew: boolean): void;
  /** What came; the next comes when this has ended. */
  take(heard: readonly Heard[], signal: AbortSignal): Promise<void>;
  /** Nothing is told for now; it is tried again. @param attempts in vain, this one among them */
  lost(failure: Failure, attempts: number): Promise<void>;
  /** Some events were missed, so the states are told anew. */
  missed(): Promise<void>;
}

/** These will not get better by themselves. */
const FINAL = new Set(['NOT AUTHENTICATED', 'NOT ALLOWED', 'USAGE', 'UNKNOWN COMMAND', 'BAD REQUEST', 'LINE TOO LONG', 'NOT SUPPORTED', 'CERTIFICATE REJECTED']);

/** The server has nothing more to tell, as at its end. */
const ENDED: Failure = { phrase: 'UNREACHABLE', detail: 'the server has ended it' };

/**
 * Follows what happens at a server, over lost connections and its restarts. Where the server cannot go on
 * without a gap, the states are told anew (`is`, `synced`).
 */
export class Follower {
  readonly #session: Session;
  readonly #options: FollowOptions;
  readonly #hooks: FollowHooks;
  /** behind what has been taken; undefined before the first */
  #cursor: string | undefined;
  /** the states are to be told first */
  #relists: boolean;
  /** somebody wants them told again */
  #isAnew = false;
  /** something has come since the watching was begun anew */
  #isRunning = false;
  #hasRun = false;

  /** @param session of which the follower has the connection to itself while it runs */
  constructor(session: Session, options: FollowOptions, hooks: FollowHooks) {
    this.#session = session;
    this.#options = options;
    this.#hooks = hooks;
    this.#cursor = options.since;
    this.#relists = options.state;
    this.#hasRun = options.isPatient;
  }

  /**
   * @returns what will not get better by itself, or undefined when the signal has ended it
   * @throws what the hooks throw · SettingsError
   */
  async run(signal: AbortSignal): Promise<Failure | undefined> {
    const retries = new Retries(WATCH_RETRY_FIRST, WATCH_RETRY_LONGEST);
    let failures = 0;
    for (;;) {
      this.#isRunning = false;
      const began = performance.now();
      const failure = await this.#follow(signal);
      if (signal.aborted) return undefined;
      if (this.#isAnew) {
        this.#isAnew = false;
        continue;
      }
      if (failure.phrase === 'CURSOR EXPIRED') {
        await this.#hooks.missed();
        this.#relists = true;
        continue;
      }
      if (FINAL.has(failure.phrase) || !this.#hasRun) return failure;
      failures = this.#isRunning ? 1 : failures + 1;
      await this.#hooks.lost(failure, failures);
      this.#session.close();
      await retries.pause(this.#isRunning ? performance.now() - began : 0, signal);
      if (signal.aborted) return undefined;
    }
  }

  /** Has the states told again, as after a change of what may be seen. */
  anew(): void {
    this.#relists = this.#isAnew = true;
    this.#session.detach();
  }

  /** Watches until something ends it. @returns why */
  async #follow(signal: AbortSignal): Promise<Failure> {
    try {
      for await (const batch of this.#session.run(this.#request(), signal, WATCH_SILENCE)) {
        if (batch.some(({ kind }) => kind === 'accepted')) {
          this.#isRunning = this.#hasRun = true;
          this.#hooks.begun?.(this.#relists);
        }
        await this.#take(batch, signal);
        const end = batch.at(-1);
        if (end !== undefined && isEnd(end)) return end.kind === 'error' ? end : ENDED;
      }
      return ENDED;
    } catch (error) {
      if (error instanceof ArgoError) return error;
      if (signal.aborted) return new ArgoError('FAILED');
      throw error;
    }
  }

  #request() {
    const known = this.#relists || this.#cursor === undefined ? [] : [`--since=${this.#cursor}`];
    return requestFromArguments(['watch', ...known, ...(this.#relists ? ['--state'] : []), ...this.#options.words]);
  }

  async #take(batch: readonly ReplyEvent[], signal: AbortSignal): Promise<void> {
    const heard = bodyOf(batch).map((line) => ({ line, event: parseEvent(line) }));
    if (heard.length === 0) return;
    await this.#hooks.take(heard, signal);
    for (const { event } of heard) {
      if (event === undefined) continue;
      this.#cursor = event.cursor;
      if (event.type === 'synced') this.#relists = false;
    }
  }
}
