import type { Socket } from 'node:net';
import type { Log } from '../drivers/driver.js';
import type { Authenticator } from '../auth/authenticator.js';
import { plainAddress } from '../auth/networks.js';
import type { ServerSettings, TlsFiles } from '../config/config.js';
import type { Endpoint } from '../config/values.js';
import { ArgoError } from '../errors.js';
import { formatDuration } from '../text.js';
import { Connection } from './connection.js';
import type { Dispatcher } from './dispatcher.js';
import { formatEndpoint, Listener } from './listener.js';
import { Session } from './session.js';

/** How often connections are looked at for idleness, as a part of the idle timeout. */
const SWEEPS_A_TIMEOUT = 10;
const LONGEST_SWEEP = 10_000;

/** The listeners and the connections that came through them. */
export class LineServer {
  private readonly listeners = new Map<string, Listener>();
  private readonly connections = new Set<Connection>();
  private readonly perAddress = new Map<string, number>();
  private sweeper: NodeJS.Timeout | undefined;
  private whenEmpty: (() => void) | undefined;

  constructor(
    private settings: ServerSettings,
    private readonly dispatcher: Dispatcher,
    private readonly authenticator: Authenticator,
    private readonly log: Log,
  ) {}

  /**
   * Opens what is configured and not open, closes what is no longer configured.
   * @throws Error where a listener cannot be opened; the ones before it stay open
   */
  async listen(): Promise<void> {
    const wanted = new Map<string, { endpoint: Endpoint; tls: TlsFiles | undefined }>();
    for (const endpoint of this.settings.listen) wanted.set(formatEndpoint(endpoint), { endpoint, tls: undefined });
    for (const endpoint of this.settings.tlsListen) wanted.set(`tls ${formatEndpoint(endpoint)}`, { endpoint, tls: this.settings.tls });
    for (const [key, listener] of this.listeners) {
      if (wanted.has(key)) continue;
      listener.close();
      this.listeners.delete(key);
      this.log('info', 'no longer listening', { address: listener.address });
    }
    for (const [key, { endpoint, tls }] of wanted) {
      if (this.listeners.has(key)) continue;
      const listener = await Listener.open(endpoint, tls, (socket) => this.accept(socket), (error) => {
        this.log('error', 'listener', { address: formatEndpoint(endpoint), reason: error.message });
      });
      this.listeners.set(key, listener);
      this.log('info', 'listening', { address: listener.address, tls: listener.isTls });
    }
    this.startSweeping();
  }

  /** Where clients can connect: plain ones first. */
  addresses(): string[] {
    return [...this.listeners.values()].map(({ address }) => address);
  }

  /** Takes on new settings for listeners and for connections old and new. */
  async configure(settings: ServerSettings): Promise<void> {
    this.settings = settings;
    for (const connection of this.connections) {
      connection.maxLine = settings.maxLine;
      connection.session.refresh();
    }
    if (settings.tls) for (const listener of this.listeners.values()) listener.reloadTls(settings.tls);
    await this.listen();
  }

  /** Takes no further connections. */
  stopListening(): void {
    clearInterval(this.sweeper);
    for (const listener of this.listeners.values()) listener.close();
    this.listeners.clear();
  }

  /**
   * Closes the connections: idle ones now, others when their request is answered.
   * @param ms after which the rest is cut off
   */
  async close(ms: number): Promise<void> {
    for (const connection of this.connections) connection.close(new ArgoError('SHUTTING DOWN'));
    if (this.connections.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.whenEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const connection of this.connections) connection.destroy();
  }

  private accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '');
    const here = this.perAddress.get(address) ?? 0;
    if (this.connections.size >= this.settings.maxConnections || here >= this.settings.maxConnectionsPerAddress) {
      this.refuse(socket, address);
      return;
    }
    this.perAddress.set(address, here + 1);
    const session = new Session(this.authenticator, address, formatEndpoint({ host: address, port: socket.remotePort ?? 0 }));
    const connection = new Connection(socket, session, this.dispatcher, this.settings.maxLine);
    this.connections.add(connection);
    socket.on('close', () => this.forget(connection, address));
  }

  private refuse(socket: Socket, address: string): void {
    this.log('warn', 'connection refused', { address, connections: this.connections.size });
    socket.on('error', () => socket.destroy());
    socket.end(`400 ${new ArgoError('TOO MANY CONNECTIONS').message}\n`, () => socket.destroy());
  }

  private forget(connection: Connection, address: string): void {
    this.connections.delete(connection);
    const left = (this.perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.perAddress.set(address, left);
    else this.perAddress.delete(address);
    if (this.connections.size === 0) this.whenEmpty?.();
  }

  private startSweeping(): void {
    clearInterval(this.sweeper);
    const { idleTimeout } = this.settings;
    this.sweeper = setInterval(() => this.sweep(), Math.min(idleTimeout / SWEEPS_A_TIMEOUT, LONGEST_SWEEP));
    this.sweeper.unref();
  }

  /** A request under way counts as activity; bytes without a line's end, or a reply that is not read, do not. */
  private sweep(): void {
    const { idleTimeout } = this.settings;
    const longAgo = performance.now() - idleTimeout;
    for (const connection of this.connections) {
      if (connection.lastActive > longAgo) continue;
      if (connection.isBlocked) connection.destroy();
      else if (connection.isIdle) connection.close(new ArgoError('TIMEOUT', `idle for ${formatDuration(idleTimeout)}`));
    }
  }
}
