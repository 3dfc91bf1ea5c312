import { createHash, randomBytes } from 'node:crypto';
import { ArgoError } from '../../../kit/errors.js';
import { SESSIONS, SESSIONS_PER_ACCOUNT } from '../../../kit/web-limits.js';
import type { Member } from '../../contract.js';

/** How long sessions live, milliseconds. */
export interface SessionTimes {
  /** without a request */
  readonly idle: number;
  /** at most */
  readonly longest: number;
}

/** Somebody who has logged in with a browser. */
export interface Session {
  /** what its cookie is known by; not the cookie itself */
  readonly id: string;
  readonly member: Member;
  /** aborted when it ends */
  readonly signal: AbortSignal;
}

interface Kept extends Session {
  readonly controller: AbortController;
  readonly begun: number;
  used: number;
  /** things under way that are a use of it all the time */
  held: number;
  timer: NodeJS.Timeout | undefined;
  readonly forget: () => void;
}

/** 192 bits. */
const COOKIE_BYTES = 24;

const idOf = (cookie: string): string => createHash('sha256').update(cookie).digest('base64url');

/**
 * The sessions of one web gateway. A cookie is kept as its hash alone. A session ends when it was not used for a
 * while, after its longest time, by {@link end}, or when its account is taken away.
 */
export class Sessions {
  /** by id; those used last at the end */
  readonly #kept = new Map<string, Kept>();
  readonly #ended: (session: Session) => void;
  times: SessionTimes;

  /** @param ended told of each that ends */
  constructor(times: SessionTimes, ended: (session: Session) => void) {
    this.times = times;
    this.#ended = ended;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** @returns the cookie's value, which is told nobody else @throws ArgoError BUSY, NOT AUTHENTICATED */
  begin(member: Member): { readonly cookie: string; readonly session: Session } {
    if (member.signal.aborted) throw new ArgoError('NOT AUTHENTICATED');
    const mine = [...this.#kept.values()].filter((one) => one.member.name === member.name);
    if (mine.length >= SESSIONS_PER_ACCOUNT) this.end(mine[0]!);
    if (this.#kept.size >= SESSIONS) throw new ArgoError('BUSY', 'too many sessions');
    const cookie = randomBytes(COOKIE_BYTES).toString('base64url');
    const controller = new AbortController();
    const now = performance.now();
    const over = (): void => this.end(session);
    const session: Kept = {
      id: idOf(cookie), member, signal: controller.signal, controller, begun: now, used: now, held: 0, timer: undefined,
      forget: () => member.signal.removeEventListener('abort', over),
    };
    member.signal.addEventListener('abort', over, { once: true });
    this.#kept.set(session.id, session);
    this.#watch(session);
    return { cookie, session };
  }

  /** The session of a cookie; that is a use of it. */
  find(cookie: string): Session | undefined {
    const session = this.#kept.get(idOf(cookie));
    if (session === undefined) return undefined;
    if (this.#left(session) <= 0) {
      this.end(session);
      return undefined;
    }
    session.used = performance.now();
    this.#kept.delete(session.id);
    this.#kept.set(session.id, session);
    return session;
  }

  /** Something goes on that is a use of a session for as long as it lasts. @returns ends that */
  hold({ id }: Session): () => void {
    const session = this.#kept.get(id);
    if (session === undefined) return () => undefined;
    session.held += 1;
    return () => {
      session.held -= 1;
      session.used = performance.now();
    };
  }

  end({ id }: Session): void {
    const session = this.#kept.get(id);
    if (session === undefined) return;
    this.#kept.delete(id);
    clearTimeout(session.timer);
    session.forget();
    session.controller.abort(new ArgoError('NOT AUTHENTICATED', 'the session is over'));
    this.#ended(session);
  }

  /** Other times, for those that are there as well. */
  retime(times: SessionTimes): void {
    this.times = times;
    this.#kept.forEach((session) => this.#watch(session));
  }

  close(): void {
    [...this.#kept.values()].forEach((session) => this.end(session));
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
    if (left <= 0) return this.end(session);
    // one that is held may be over no sooner than its idle time after that has ended
    const look = session.held > 0 ? Math.min(left, this.times.idle) : left;
    session.timer = setTimeout(() => this.#watch(session), look + 1).unref();
  }
}
