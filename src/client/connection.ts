import type { Socket } from 'node:net';
import { isLoopback } from '../kit/addresses.js';
import { ArgoError } from '../kit/errors.js';
import { formatEndpoint } from '../kit/text.js';
import { isEnd, type ReplyEvent, ReplyFault, ReplyParser } from './replies.js';
import type { Settings } from './settings.js';
import { openTransport } from './transport.js';

/** Events that wait for their reader; past it the socket is not read until they are taken. */
const QUEUE_LIMIT = 4096;

export interface WaitOptions {
  /** milliseconds of silence that are borne; undefined for no limit */
  readonly silence: number | undefined;
  /** ends the wait; its reason is thrown */
  readonly signal?: AbortSignal | undefined;
}

/** What is said of a {@link Connection.exposed} one. @param to whoever gets the password */
export const plainTextWarning = (to: string): string => `the password goes to ${to} in plain text; use tls = true, or allow-plain = true to say no more`;

/** One connection to a server, on which one request runs at a time. */
export class Connection {
  readonly #parser = new ReplyParser();
  #queue: ReplyEvent[] = [];
  #wake: (() => void) | undefined;
  #ending: ArgoError | undefined;
  readonly #name: string;
  /** Whether others on the network can read what is sent. */
  readonly exposed: boolean;
  readonly #socket: Socket;
  readonly #onData = (chunk: Buffer): void => this.#take(chunk);
  readonly #onEnd = (): void => this.#lost();

  private constructor(socket: Socket, settings: Settings) {
    this.#socket = socket;
    this.#name = formatEndpoint(settings.address);
    socket.on('data', this.#onData);
    socket.on('error', () => { /* `close` follows */ });
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    this.exposed = settings.tls === undefined && !isLoopback(socket.remoteAddress);
  }

  /** @throws as {@link openTransport} */
  static async open(settings: Settings, signal?: AbortSignal): Promise<Connection> {
    return new Connection(await openTransport(settings, signal), settings);
  }

  /** Whether a request can still be sent. */
  get usable(): boolean {
    return this.#ending === undefined;
  }

  /** Whether the server has said something that nobody asked for: why it is about to close the connection. */
  get dismissed(): boolean {
    return this.#queue.length > 0;
  }

  /**
   * Sends one line and gives its reply in batches as they arrive, the last of which ends with
   * `done` or `error`. A caller that stops early closes the connection: the rest of the reply would
   * stand before the next one.
   * @throws ArgoError UNCERTAIN when the connection is lost, TIMEOUT, FAILED for a peer that is no Argo server
   */
  async*request(line: string, options: WaitOptions): AsyncGenerator<readonly ReplyEvent[], void> {
    let complete = false;
    try {
      if (this.usable) this.#socket.write(`${line}\n`);
      while (!complete) {
        if (this.#queue.length === 0) await this.#arrival(options);
        const end = this.#queue.findIndex(isEnd);
        const batch = this.#queue.splice(0, end === -1 ? this.#queue.length : end + 1);
        if (this.#socket.isPaused() && this.#queue.length < QUEUE_LIMIT) this.#socket.resume();
        complete = end !== -1;
        yield batch;
      }
    } finally {
      if (!complete) this.close();
    }
  }

  /** Gives the socket away, paused; no request may be under way, and none can be any longer. */
  release(): Socket {
    this.#ending ??= new ArgoError('UNREACHABLE', `the connection to ${this.#name} was given away`);
    return this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd).pause();
  }

  close(): void {
    this.#ending ??= new ArgoError('UNREACHABLE', `the connection to ${this.#name} is closed`);
    this.#socket.destroy();
    this.#wake?.();
  }

  #take(chunk: Buffer): void {
    try {
      this.#queue.push(...this.#parser.push(chunk));
    } catch (error) {
      if (!(error instanceof ReplyFault)) throw error;
      this.#ending = new ArgoError('FAILED', `what answers at ${this.#name} does not speak the line protocol: ${error.message}`);
      this.#socket.destroy();
    }
    if (this.#queue.length >= QUEUE_LIMIT) this.#socket.pause();
    this.#wake?.();
  }

  #lost(): void {
    this.#ending ??= new ArgoError('UNCERTAIN', `the connection to ${this.#name} was lost before the end of the reply; what was asked for may have been done`);
    this.#socket.destroy();
    this.#wake?.();
  }

  /** Waits until the queue holds something. */
  #arrival({ silence, signal }: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (error?: Error) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#wake = undefined;
        if (error) reject(error);
        else resolve();
      };
      const onAbort = () => settle(signal?.reason as Error);
      const look = () => {
        if (this.#queue.length > 0) settle();
        else if (this.#ending !== undefined) settle(this.#ending);
      };
      if (silence !== undefined) {
        timer = setTimeout(() => settle(new ArgoError('TIMEOUT', `${this.#name} said nothing for ${silence / 1000} s; what was asked for goes on there`)), silence);
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#wake = look;
      if (signal?.aborted) onAbort();
      else look();
    });
  }
}
