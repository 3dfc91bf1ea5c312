import * as v from 'valibot';
import type { Log } from '../../kit/log.js';
import { SESSIONS } from '../../kit/web-limits.js';
import type { KeyValue } from '../../store/state.js';

/** What outlives a restart of a session. Times are milliseconds since 1970: what else has a meaning after a restart? */
export interface SavedSession {
  /** what its key is known by: a hash, which lets nobody in */
  readonly id: string;
  readonly account: string;
  /** tells the account from one of the same name with another password */
  readonly mark: string;
  readonly address: string;
  readonly begun: number;
  readonly used: number;
}

const SAVED = v.object({ account: v.string(), mark: v.string(), address: v.string(), begun: v.number(), used: v.number() });
const PREFIX = 'session ';

/**
 * The sessions of a gateway on the disk, so that a page that is open goes on after the server was restarted. Where
 * the disk fails, sessions are those of this process alone, and the log says so.
 */
export class SessionStore {
  readonly #kv: KeyValue;
  readonly #log: Log;
  /** ended ones that may still be on the disk */
  readonly #left = new Set<string>();

  constructor(kv: KeyValue, log: Log) {
    this.#kv = kv;
    this.#log = log;
  }

  save({ id, ...rest }: SavedSession): void {
    // there was room, so that what is left can go as well
    this.#kv.set(PREFIX + id, JSON.stringify(rest)).then(() => this.#removeLeft(), (error: unknown) => this.#complain(error));
  }

  /** Resolves when a restart would not find it any more, or that cannot be had now: then it is tried again with what is written next. */
  async remove(id: string): Promise<void> {
    const [oldest] = this.#left;
    if (this.#left.size >= SESSIONS) this.#left.delete(oldest!);
    this.#left.add(id);
    await this.#removeLeft();
  }

  async #removeLeft(): Promise<void> {
    try {
      for (const id of this.#left) {
        await this.#kv.delete(PREFIX + id);
        this.#left.delete(id);
      }
    } catch (error) {
      this.#complain(error);
    }
  }

  async load(): Promise<readonly SavedSession[]> {
    const found: SavedSession[] = [];
    try {
      let page = await this.#kv.list(PREFIX);
      while (page.length > 0) {
        for (const { key, value } of page) {
          const checked = v.safeParse(SAVED, JSON.parse(value));
          if (checked.success) found.push({ id: key.slice(PREFIX.length), ...checked.output });
        }
        page = await this.#kv.list(PREFIX, page.at(-1)!.key);
      }
    } catch (error) {
      this.#complain(error);
    }
    return found;
  }

  #complain(error: unknown): void {
    this.#log('warn', 'sessions cannot be kept over a restart', { reason: (error as Error).message });
  }
}
