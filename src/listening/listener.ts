import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { Endpoint } from '../config/values.js';
import type { TlsFiles } from '../config/config.js';
import { LISTEN_BACKLOG } from '../kit/limits.js';
import { formatEndpoint } from '../kit/text.js';
import type { Serve, TlsDoor } from './tls-door.js';

export interface ListenerEvents {
  /** A client has connected; inside TLS it has yet to shake hands. @returns undefined where it was cut off */
  arrived(socket: Socket): Serve | undefined;
  failed(error: Error): void;
}

/** A place where connections are taken. */
export class Listener {
  readonly #server: Server;
  readonly #door: TlsDoor | undefined;
  #events: ListenerEvents;

  private constructor(
    server: Server, door: TlsDoor | undefined, readonly endpoint: Endpoint, readonly tls: TlsFiles | undefined, events: ListenerEvents,
  ) {
    this.#server = server;
    this.#door = door;
    this.#events = events;
    server.on('connection', (socket: Socket) => this.#arrived(socket));
    server.on('error', (error: Error) => this.#events.failed(error));
  }

  /**
   * @param tls for the same protocol inside TLS
   * @throws Error with `code` EADDRINUSE, EACCES, …
   */
  static async open(endpoint: Endpoint, tls: TlsFiles | undefined, events: ListenerEvents): Promise<Listener> {
    // what TLS needs is loaded where it is spoken: it takes a start 8 ms and 2 MB
    const door = tls && new (await import('./tls-door.js')).TlsDoor(tls);
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: endpoint.host, port: endpoint.port, backlog: LISTEN_BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return new Listener(server, door, endpoint, tls, events);
  }

  /** Somebody else gets those who come from now on. */
  handTo(events: ListenerEvents): void {
    this.#events = events;
  }

  /** Where it really listens: port 0 has become a free one. */
  get address(): string {
    return formatEndpoint({ host: (this.#server.address() as AddressInfo).address, port: (this.#server.address() as AddressInfo).port });
  }

  get isTls(): boolean {
    return this.tls !== undefined;
  }

  /** New connections get this certificate. */
  renewTls(context: SecureContextOptions): void {
    this.#door?.renew(context);
  }

  /** Takes no further connections; those that are there stay. */
  close(): void {
    this.#server.close();
    this.#door?.close();
  }

  #arrived(socket: Socket): void {
    const serve = this.#events.arrived(socket);
    if (!serve) return;
    if (this.#door) this.#door.receive(socket, serve);
    else serve(socket);
  }
}
