import { setMaxListeners } from 'node:events';
import { ArgoError } from '../../kit/errors.js';
import { keyHash, newKey } from '../../kit/random-key.js';
import { SESSION_SAVED_EVERY, SESSIONS, SESSIONS_PER_ACCOUNT } from '../../kit/web-limits.js';
import type { Accounts, Member } from '../contract.js';
import type { SessionStore } from './session-store.js';

/** How long sessions live, milliseconds. */
export interface SessionTimes {
  /** without a request */
  readonly idle: number;
  /** at most */
  readonly longest: number;
}

/** Somebody who has logged in. */
export interface Session {
  /** what its key is known by; not the key itself */
  readonly id: string;
  readonly member: Member;
  /** aborted when it ends */
  readonly signal: AbortSignal;
}

interface Kept extends Session {
  readonly controller: AbortController;
  /** of the account */
  readonly mark: string;
  readonly address: string;
  readonly begun: number;
  used: number;
  /** when that was written down last */
  saved: number;
  /** things under way that are a use of it all the time */
  held: number;
  timer: NodeJS.Timeout | undefined;
  readonly forget: () => void;
}

export interface SessionParts {
  readonly accounts: Pick<Accounts, 'mark' | 'again'>;
  readonly store: Pick<SessionStore, 'save' | 'remove' | 'load'>;
  /** makes the key by which whoever has logged in is known; left out: one of the usual form */
  makeKey?(): string;
  /** told of each that ends */
  ended(session: Session): void;
}

/**
 * The sessions of one gateway. The key of one, as a cookie has it, is kept as its hash alone. A session ends when it was not used for a
 * while, after its longest time, by {@link end}, or when its account is taken away; not with the process.
 */
export class Sessions {
  /** by id; those used last at the end */
  readonly #kept = new Map<string, Kept>();
  readonly #parts: SessionParts;
  times: SessionTimes;

  constructor(times: SessionTimes, parts: SessionParts) {
    this.times = times;
    this.#parts = parts;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Those of an earlier life of the server whose time is not over. */
  async restore(): Promise<void> {
    for (const { id, account, mark, address, begun, used } of await this.#parts.store.load()) {
      const [age, idle] = [Date.now() - begun, Date.now() - used];
      const member = age >= 0 && idle >= 0 ? this.#parts.accounts.again(account, mark, address) : undefined;
      const now = performance.now();
      if (member === undefined || this.#kept.size >= SESSIONS) void this.#parts.store.remove(id);
      else this.#keep({ id, member, mark, address, begun: now - age, used: now - idle, saved: now - idle });
    }
  }

  /**
   * @param address the peer's
   * @returns `key`: told nobody else
   * @throws ArgoError BUSY, NOT AUTHENTICATED
   */
  begin(member: Member, address: string): { readonly key: string; readonly session: Session } {
    try {
      return this.#begin(member, address);
    } catch (error) {
      member.release();
      throw error;
    }
  }

  #begin(member: Member, address: string): { readonly key: string; readonly session: Session } {
    const mark = this.#parts.accounts.mark(member.name);
    if (member.signal.aborted || mark === undefined) throw new ArgoError('NOT AUTHENTICATED');
    const mine = [...this.#kept.values()].filter((one) => one.member.name === member.name);
    // a console or a call that is under way is a use of its session, whenever it began
    if (mine.length >= SESSIONS_PER_ACCOUNT) void this.end(mine.find((one) => one.held === 0) ?? mine[0]!);
    if (this.#kept.size >= SESSIONS) throw new ArgoError('BUSY', 'too many sessions');
    const key = (this.#parts.makeKey ?? newKey)();
    const now = performance.now();
    const session = this.#keep({ id: keyHash(key), member, mark, address, begun: now, used: now, saved: now });
    this.#save(session);
    return { key, session };
  }

  /** The session of a key; that is a use of it. @param address of whoever shows it: from where the account may not come, it opens nothing */
  find(key: string, address: string): Session | undefined {
    const session = this.#kept.get(keyHash(key));
    if (session === undefined || !this.#mayComeFrom(session, address)) return undefined;
    if (this.#left(session) <= 0) {
      void this.end(session);
      return undefined;
    }
    this.#use(session);
    return session;
  }

  /** Something goes on that is a use of a session for as long as it lasts. @returns ends that */
  hold({ id }: Session): () => void {
    const session = this.#kept.get(id);
    if (session === undefined) return () => undefined;
    session.held += 1;
    return () => {
      session.held -= 1;
      this.#use(session);
    };
  }

  /** Whoever is in need of room takes those that were used longest ago. */
  #use(session: Kept): void {
    session.used = performance.now();
    if (!this.#kept.delete(session.id)) return;
    this.#kept.set(session.id, session);
    if (session.used - session.saved >= SESSION_SAVED_EVERY) this.#save(session);
  }

  /** At once; it resolves when a restart would not bring it back either. */
  async end(session: Session): Promise<void> {
    if (this.#drop(session)) await this.#parts.store.remove(session.id);
  }

  /** Other times, for those that are there as well. */
  retime(times: SessionTimes): void {
    this.times = times;
    this.#kept.forEach((session) => this.#watch(session));
  }

  /** Ends them for this process. What is on the disk stays: the server may come back. */
  close(): void {
    [...this.#kept.values()].forEach((session) => this.#drop(session));
  }

  #keep(what: Omit<Kept, 'signal' | 'controller' | 'held' | 'timer' | 'forget'>): Kept {
    const controller = new AbortController();
    // feeds and consoles, of which one session may have many
    setMaxListeners(0, controller.signal);
    const { signal } = what.member;
    const over = (): void => void this.end(session);
    const forget = (): void => {
      signal.removeEventListener('abort', over);
      what.member.release();
    };
    const session: Kept = { ...what, signal: controller.signal, controller, held: 0, timer: undefined, forget };
    signal.addEventListener('abort', over, { once: true });
    this.#kept.set(session.id, session);
    this.#watch(session);
    return session;
  }

  #save(session: Kept): void {
    const { id, member, mark, address, begun, used } = session;
    session.saved = used;
    const now = performance.now();
    this.#parts.store.save({
      id,
      account: member.name,
      mark,
      address,
      begun: Math.round(Date.now() - (now - begun)),
      used: Math.round(Date.now() - (now - used)),
    });
  }

  /** Where it logged in was looked at then, and is again with each reload. */
  #mayComeFrom({ member, mark, address: known }: Kept, address: string): boolean {
    if (address === known) return true;
    const there = this.#parts.accounts.again(member.name, mark, address);
    there?.release();
    return there !== undefined;
  }

  /** @returns whether it was there */
  #drop({ id }: Session): boolean {
    const session = this.#kept.get(id);
    if (session === undefined) return false;
    this.#kept.delete(id);
    clearTimeout(session.timer);
    session.forget();
    session.controller.abort(new ArgoError('NOT AUTHENTICATED', 'the session is over'));
    this.#parts.ended(session);
    return true;
  }

  /** Milliseconds that it has to live, if nothing happens. */
  #left({ begun, used, held }: Kept): number {
    const now = performance.now();
    const rest = begun + this.times.longest - now;
    return held > 0 ? rest : Math.min(rest, used + this.times.idle - now);
  }

  #watch(session: Kept): void {
    clearTimeout(session.timer);
    const left = this.#left(session);
    if (left <= 0) return void this.end(session);
    // one that is held may be over no sooner than its idle time after that has ended
    const look = session.held > 0 ? Math.min(left, this.times.idle) : left;
    session.timer = setTimeout(() => this.#watch(session), look + 1).unref();
  }
}
