import { ArgoError } from '../../../kit/errors.js';
import { FEED_ALIVE, FEED_KEPT, FEED_SOCKETS, FEED_SOCKETS_PER_ACCOUNT, FEED_UNREAD } from '../../../kit/feed-limits.js';
import type { Log } from '../../../kit/log.js';
import { onAbort } from '../../../kit/within.js';
import type { Member } from '../../contract.js';
import { Close } from '../../shared/close.js';
import type { JsonText } from '../json-text.js';
import type { FeedMessage } from '../messages.js';
import { Watched } from './watched.js';

/** What is needed of a WebSocket. */
export interface FeedSocket {
  /** bytes that were sent and not read yet */
  readonly bufferedAmount: number;
  /** @param text of one message; in UTF-8 where it goes to many */
  send(text: Buffer | string): void;
  /** @param code of RFC 6455, 7.4 */
  close(code: number, reason: string): void;
  onClose(listener: () => void): void;
}

/** For the audit, which reading does not come to. */
const ORIGIN = 'the page';

/** One page that follows. */
interface Connection {
  readonly account: string;
  readonly socket: FeedSocket;
  readonly watched: Watched;
  end(code: number, reason: string): void;
}

/** The views of accounts and who follows them. */
export class Feeds {
  readonly #log: Log;
  /** by account; each is shared by all its pages */
  readonly #watched = new Map<string, Promise<Watched>>();
  readonly #idle = new Map<string, NodeJS.Timeout>();
  readonly #connections = new Set<Connection>();
  readonly #alive: NodeJS.Timeout;
  #isClosed = false;

  constructor(log: Log) {
    this.#log = log;
    this.#alive = setInterval(() => this.#sayAlive(), FEED_ALIVE);
    this.#alive.unref();
  }

  /** What an account sees. @throws ArgoError */
  async view(member: Member): Promise<JsonText> {
    return (await this.#of(member)).view();
  }

  /**
   * Tells a socket what changes from a version of the view on, until it is closed or a signal is aborted.
   * @param signal of the session
   */
  async open(socket: FeedSocket, member: Member, after: number, signal: AbortSignal): Promise<void> {
    const account = member.name;
    let isGone = false;
    socket.onClose(() => { isGone = true; });
    const watched = await this.#of(member);
    if (isGone) return;
    // it may have ended while the view was put together
    if (this.#isClosed) return socket.close(...ENDING);
    const mine = [...this.#connections].filter((one) => one.account === account).length;
    if (this.#connections.size >= FEED_SOCKETS || mine >= FEED_SOCKETS_PER_ACCOUNT) return socket.close(Close.TRY_AGAIN_LATER, 'too many pages are open');
    if (signal.aborted || member.signal.aborted) return socket.close(Close.POLICY, 'the session is over');
    this.#connect({ account, socket, watched }, after, [signal, member.signal]);
  }

  /** Ends all. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#alive);
    for (const connection of [...this.#connections]) connection.end(...ENDING);
    this.#idle.forEach((timer) => clearTimeout(timer));
    for (const one of this.#watched.values()) one.then((watched) => watched.close(), () => undefined);
    this.#watched.clear();
  }

  #connect({ account, socket, watched }: Omit<Connection, 'end'>, after: number, signals: readonly AbortSignal[]): void {
    const say = (text: Buffer | string): void => {
      if (socket.bufferedAmount <= FEED_UNREAD) return socket.send(text);
      // less than what it missed, and all that it needs to know
      socket.send(JSON.stringify({ t: 'reset', v: watched.v } satisfies FeedMessage));
      connection.end(Close.TRY_AGAIN_LATER, 'too much is unread');
    };
    const unfollow = watched.follow({
      told: say,
      outdated: (v) => {
        say(JSON.stringify({ t: 'reset', v } satisfies FeedMessage));
        connection.end(Close.NORMAL, 'there is another view');
      },
    });
    const over = (): void => connection.end(Close.POLICY, 'the session is over');
    const forget = (): void => {
      unfollow();
      forgetSignals.forEach((forgetOne) => forgetOne());
      if (this.#connections.delete(connection)) this.#leave(account, watched);
    };
    const connection: Connection = {
      account, socket, watched,
      end: (code, reason) => {
        forget();
        socket.close(code, reason);
      },
    };
    this.#connections.add(connection);
    this.#keep(account);
    const forgetSignals = signals.map((signal) => onAbort(signal, over));
    socket.onClose(forget);
    const missed = watched.since(after);
    say(aliveText(watched));
    for (const batch of missed ?? [JSON.stringify({ t: 'reset', v: watched.v } satisfies FeedMessage)]) say(batch);
  }

  #of(member: Member): Promise<Watched> {
    if (this.#isClosed) return Promise.reject(new ArgoError('SHUTTING DOWN'));
    const { name } = member;
    let one = this.#watched.get(name);
    if (one === undefined) {
      one = Watched.begin(member.actor(ORIGIN), this.#log, () => this.#drop(name, one));
      this.#watched.set(name, one);
      one.catch(() => this.#drop(name, one));
    }
    // also for who only looks once
    one.then((watched) => this.#leave(name, watched), () => undefined);
    return one;
  }

  #drop(account: string, one: Promise<Watched> | undefined): void {
    if (this.#watched.get(account) !== one) return;
    this.#watched.delete(account);
    this.#keep(account);
  }

  /** Nobody may be following it any more: it is given up in a while. */
  #leave(account: string, watched: Watched): void {
    if (watched.isFollowed || this.#isClosed) return;
    clearTimeout(this.#idle.get(account));
    this.#idle.set(account, setTimeout(() => {
      this.#idle.delete(account);
      if (!watched.isFollowed) watched.close();
    }, FEED_KEPT).unref());
  }

  #keep(account: string): void {
    clearTimeout(this.#idle.get(account));
    this.#idle.delete(account);
  }

  #sayAlive(): void {
    for (const { socket, watched } of this.#connections) if (socket.bufferedAmount <= FEED_UNREAD) socket.send(aliveText(watched));
  }
}

/** What a page is told when there is no more to come. */
const ENDING = [Close.GOING_AWAY, 'the server is ending'] as const;

const aliveText = ({ v }: Watched): string => JSON.stringify({ t: 'alive', v, now: Date.now() } satisfies FeedMessage);
