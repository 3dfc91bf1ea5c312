import type { Socket } from 'node:net';
import type { Log } from '../kit/log.js';
import type { Authenticator } from '../auth/authenticator.js';
import { plainAddress, sourceOf } from '../auth/networks.js';
import type { ServerSettings } from '../config/config.js';
import type { Endpoint } from '../config/values.js';
import { ArgoError } from '../kit/errors.js';
import { LINGER, REFUSALS_LINGERING } from '../kit/limits.js';
import { formatDuration } from '../kit/text.js';
import { Connection } from './connection.js';
import type { Dispatcher } from './dispatcher.js';
import { formatEndpoint, Listener, readTls, type Serve } from '../listening/listener.js';
import { Session } from './session.js';

/** How often connections are looked at for idleness, as a part of the idle timeout. */
const SWEEPS_A_TIMEOUT = 10;
const LONGEST_SWEEP = 10_000;

/** A place to listen at, and how. */
type Place = Pick<Listener, 'endpoint' | 'tls'>;

/** The places to listen at, by what tells them apart: one that is to ask for certificates is another. */
function wantedListeners({ listen, tlsListen, tls }: ServerSettings): Map<string, Place> {
  const asks = tls?.clientCa === undefined ? 'tls' : 'tls with client certificates';
  return new Map([
    ...listen.map((endpoint): [string, Place] => [formatEndpoint(endpoint), { endpoint, tls: undefined }]),
    ...tlsListen.map((endpoint): [string, Place] => [`${asks} ${formatEndpoint(endpoint)}`, { endpoint, tls }]),
  ]);
}

/** The listeners and the connections that came through them. */
export class LineServer {
  readonly #listeners = new Map<string, Listener>();
  readonly #connections = new Set<Connection>();
  /** connections by what they are counted by, those that shake hands included */
  readonly #perSource = new Map<string, number>();
  #places = 0;
  /** refused ones that may still read why */
  #refusals = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void) | undefined;
  #settings: ServerSettings;
  readonly #dispatcher: Dispatcher;
  readonly #authenticator: Authenticator;
  readonly #log: Log;

  constructor(
    settings: ServerSettings,
    dispatcher: Dispatcher,
    authenticator: Authenticator,
    log: Log,
  ) {
    this.#settings = settings;
    this.#dispatcher = dispatcher;
    this.#authenticator = authenticator;
    this.#log = log;
  }

  /** Opens what is configured. @throws Error where a listener cannot be opened; then none is */
  async listen(): Promise<void> {
    (await this.prepare(this.#settings))();
  }

  /**
   * Does what can go wrong about new settings: opens further listeners and reads certificates.
   * @returns puts the settings into force, for connections old and new
   * @throws Error where a listener cannot be opened or a file not be used; everything is then as before
   */
  async prepare(settings: ServerSettings): Promise<() => void> {
    const wanted = wantedListeners(settings);
    const context = settings.tls && readTls(settings.tls);
    const missing = [...wanted].filter(([key]) => !this.#listeners.has(key));
    const ports = new Set(missing.map(([, { endpoint: { port } }]) => port));
    const unwanted = [...this.#listeners].filter(([key]) => !wanted.has(key));
    const inTheWay = unwanted.filter(([, { endpoint: { port } }]) => port !== 0 && ports.has(port));
    inTheWay.forEach(([key]) => this.#closeListener(key));
    const opened: string[] = [];
    try {
      for (const [key, place] of missing) {
        await this.#openListener(key, place);
        opened.push(key);
      }
    } catch (error) {
      opened.forEach((key) => this.#closeListener(key));
      for (const [key, place] of inTheWay) await this.#openListener(key, place).catch((again: Error) => this.#complain(place.endpoint, again));
      throw error;
    }
    return () => {
      unwanted.forEach(([key]) => this.#closeListener(key));
      if (context) for (const listener of this.#listeners.values()) listener.renewTls(context);
      this.#adopt(settings);
    };
  }

  /** Where clients can connect: plain ones first. */
  addresses(): string[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /** Takes no further connections. */
  stopListening(): void {
    clearInterval(this.#sweeper);
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
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

  async #openListener(key: string, { endpoint, tls }: Place): Promise<void> {
    const listener = await Listener.open(endpoint, tls, {
      arrived: (socket) => this.#arrived(socket), failed: (error) => this.#complain(endpoint, error),
    });
    this.#listeners.set(key, listener);
    this.#log('info', 'listening', { address: listener.address, tls: listener.isTls });
  }

  #closeListener(key: string): void {
    const listener = this.#listeners.get(key);
    if (!listener) return;
    this.#log('info', 'no longer listening', { address: listener.address });
    listener.close();
    this.#listeners.delete(key);
  }

  #complain(endpoint: Endpoint, error: Error): void {
    this.#log('error', 'listener', { address: formatEndpoint(endpoint), reason: error.message });
  }

  /** Gives a client its place, from its first packet on. */
  #arrived(socket: Socket): Serve | undefined {
    const address = plainAddress(socket.remoteAddress ?? '');
    const source = sourceOf(address);
    const here = this.#perSource.get(source) ?? 0;
    if (this.#places >= this.#settings.maxConnections || here >= this.#settings.maxConnectionsPerAddress) return this.#refuse(socket, address);
    this.#perSource.set(source, here + 1);
    this.#places += 1;
    socket.once('close', () => this.#vacate(source));
    return (open) => this.#accept(open, address);
  }

  #vacate(source: string): void {
    this.#places -= 1;
    const left = (this.#perSource.get(source) ?? 1) - 1;
    if (left > 0) this.#perSource.set(source, left);
    else this.#perSource.delete(source);
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

  /** A client that is refused may read why, for a moment; inside TLS it has to shake hands within it. */
  #refuse(socket: Socket, address: string): Serve | undefined {
    this.#log('warn', 'connection refused', { address, connections: this.#places });
    socket.on('error', () => socket.destroy());
    if (this.#refusals >= REFUSALS_LINGERING) {
      socket.destroy();
      return undefined;
    }
    this.#refusals += 1;
    const timer = setTimeout(() => socket.destroy(), LINGER);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refusals -= 1;
    });
    return (open) => {
      open.on('error', () => open.destroy());
      // with what the client has sent still unread, closing at once would look to it like a broken connection
      open.resume();
      open.end(`400 ${new ArgoError('TOO MANY CONNECTIONS').message}\n`);
    };
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
