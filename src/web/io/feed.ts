import type { FeedMessage } from '../../gateways/web/messages.js';
import { SILENCE_MS, retryAfter } from '../model/feed.js';

export interface FeedUser {
  /** Fetches what is needed first. @returns from where the feed goes on @throws where that fails */
  prepare(): Promise<number>;
  take(message: FeedMessage): void;
  up(): void;
  /** @param againAt when it is tried again, on the clock of performance.now() */
  down(againAt: number): void;
}

/** The socket to the server, opened again and again for as long as somebody is logged in. */
export class Feed {
  readonly #user: FeedUser;
  #socket: WebSocket | undefined;
  #tries = 0;
  #silence = 0;
  #retry = 0;
  #isClosed = false;

  constructor(user: FeedUser) {
    this.#user = user;
    void this.#open();
  }

  /** Does not wait for the next try. */
  again(): void {
    if (this.#socket !== undefined || this.#isClosed) return;
    clearTimeout(this.#retry);
    void this.#open();
  }

  /** Leaves this connection for one that goes on from elsewhere. */
  restart(): void {
    if (this.#isClosed) return;
    const socket = this.#socket;
    this.#socket = undefined;
    clearTimeout(this.#silence);
    clearTimeout(this.#retry);
    socket?.close();
    void this.#open();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #open(): Promise<void> {
    this.#retry = 0;
    let after: number;
    try {
      after = await this.#user.prepare();
    } catch {
      return this.#lost();
    }
    if (this.#isClosed || this.#socket !== undefined) return;
    const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/api/feed?after=${after}`);
    this.#socket = socket;
    this.#listen();
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      this.#listen();
      if (this.#tries !== -1) this.#user.up();
      this.#tries = -1;
      this.#user.take(JSON.parse(String(data)) as FeedMessage);
    };
    socket.onclose = () => {
      if (this.#socket === socket) this.#lost();
    };
  }

  /** A connection can be dead for long before the browser hears of it. */
  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = window.setTimeout(() => this.#lost(), SILENCE_MS);
  }

  #lost(): void {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    if (this.#isClosed) return;
    this.#tries = Math.max(0, this.#tries);
    const ms = retryAfter(this.#tries);
    this.#tries += 1;
    this.#user.down(performance.now() + ms);
    clearTimeout(this.#retry);
    this.#retry = window.setTimeout(() => void this.#open(), ms);
  }
}
