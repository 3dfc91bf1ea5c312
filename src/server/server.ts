import type { Socket } from 'node:net';
import type { Log } from '../kit/log.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { ServerSettings } from '../config/config.js';
import { ArgoError } from '../kit/errors.js';
import { formatDuration, formatEndpoint } from '../kit/text.js';
import { Connection } from './connection.js';
import type { Dispatcher } from './dispatcher.js';
import type { Change } from '../listening/change.js';
import { Entrance } from '../listening/entrance.js';
import { Session } from './session.js';

/** How often connections are looked at for idleness, as a part of the idle timeout. */
const SWEEPS_A_TIMEOUT = 10;
const LONGEST_SWEEP = 10_000;

/** The listeners and the connections that came through them. */
export class LineServer {
  readonly #entrance: Entrance;
  readonly #connections = new Set<Connection>();
  #sweeper: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void) | undefined;
  #settings: ServerSettings;
  readonly #dispatcher: Dispatcher;
  readonly #authenticator: Authenticator;

  constructor(
    settings: ServerSettings,
    dispatcher: Dispatcher,
    authenticator: Authenticator,
    log: Log,
  ) {
    this.#settings = settings;
    this.#dispatcher = dispatcher;
    this.#authenticator = authenticator;
    this.#entrance = new Entrance({
      connected: (socket, address) => this.#accept(socket, address),
      refusal: (reason) => (reason === 'too many' ? `400 ${new ArgoError('TOO MANY CONNECTIONS').message}\n` : undefined),
    }, log);
  }

  /** Opens what is configured. @throws Error where a listener cannot be opened; then none is */
  async listen(): Promise<void> {
    (await this.prepare(this.#settings)).commit();
  }

  /**
   * Does what can go wrong about new settings: opens further listeners and reads certificates.
   * @returns puts the settings into force, for connections old and new
   * @throws Error where a listener cannot be opened or a file not be used; everything is then as before
   */
  async prepare(settings: ServerSettings): Promise<Change> {
    const { commit, cancel } = await this.#entrance.prepare(settings);
    return {
      commit: () => {
        commit();
        this.#adopt(settings);
      },
      cancel,
    };
  }

  /** Where clients can connect: plain places first. */
  addresses(): string[] {
    return this.#entrance.addresses();
  }

  /** Connections that are open, those that shake hands included, by the address of their listener as configured. */
  get connections(): ReadonlyMap<string, number> {
    return this.#entrance.connectionsByListener;
  }

  /** Takes no further connections. */
  stopListening(): void {
    clearInterval(this.#sweeper);
    this.#entrance.close();
  }

  /**
   * Closes the connections: idle ones now, others when their request is answered.
   * @param ms after which the rest is cut off
   */
  async close(ms: number): Promise<void> {
    for (const connection of this.#connections) connection.close(new ArgoError('SHUTTING DOWN'));
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#whenEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const connection of this.#connections) connection.destroy();
  }

  /** Takes on settings for connections old and new. */
  #adopt(settings: ServerSettings): void {
    this.#settings = settings;
    this.#connections.forEach((connection) => { connection.maxLine = settings.maxLine; });
    this.#startSweeping();
  }

  #accept(socket: Socket, address: string): void {
    const session = new Session(this.#authenticator, address, formatEndpoint({ host: address, port: socket.remotePort ?? 0 }));
    const connection = new Connection(socket, session, this.#dispatcher, this.#settings.maxLine);
    this.#connections.add(connection);
    socket.on('close', () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#whenEmpty?.();
    });
  }

  #startSweeping(): void {
    clearInterval(this.#sweeper);
    const { idleTimeout } = this.#settings;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(idleTimeout / SWEEPS_A_TIMEOUT, LONGEST_SWEEP));
    this.#sweeper.unref();
  }

  /** A request under way counts as activity; bytes without a line's end, or a reply that is not read, do not. */
  #sweep(): void {
    const { idleTimeout } = this.#settings;
    const longAgo = performance.now() - idleTimeout;
    for (const connection of this.#connections) {
      if (connection.lastActive > longAgo) continue;
      if (connection.isBlocked) connection.destroy();
      else if (connection.isIdle) connection.close(new ArgoError('TIMEOUT', `idle for ${formatDuration(idleTimeout)}`));
    }
  }
}
