import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import type { Endpoint } from '../config/values.js';
import type { TlsFiles } from '../config/config.js';
import { LISTEN_BACKLOG, TLS_HANDSHAKE_TIMEOUT } from '../kit/limits.js';

/** `127.0.0.1:20203`, `[::1]:20203` */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads the files that TLS needs.
 * @throws Error that names the file
 */
export function readTls({ cert, key, clientCa }: TlsFiles): SecureContextOptions {
  const options = { cert: readFileSync(cert), key: readFileSync(key), ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }) };
  try {
    createSecureContext(options);
    return options;
  } catch (error) {
    throw new Error(`${[cert, key, clientCa].filter(Boolean).join(', ')}: cannot be used for TLS: ${(error as Error).message}`, { cause: error });
  }
}

/** What is done with a connection once there can be spoken on it. */
export type Serve = (socket: Socket) => void;

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
    const door = tls && new TlsDoor(tls);
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

/** A client that is shaking hands. */
interface Guest {
  readonly socket: Socket;
  readonly serve: Serve;
  readonly timer: NodeJS.Timeout;
}

/**
 * Where clients shake hands. They have been accepted, and counted, before: Node's own TLS server shows
 * a connection only when that has ended, so that any number could stand in its door unseen.
 */
class TlsDoor {
  readonly #server: TlsServer;
  /** by both ends, which the inner and the outer socket of a connection share */
  readonly #guests = new Map<string, Guest>();

  constructor(tls: TlsFiles) {
    const asks = tls.clientCa !== undefined;
    this.#server = createTlsServer({ allowHalfOpen: true, ...readTls(tls), requestCert: asks, rejectUnauthorized: asks }, (socket) => this.#admit(socket));
  }

  receive(socket: Socket, serve: Serve): void {
    const key = endsOf(socket);
    // Node's own timeout begins anew with each byte.
    const timer = setTimeout(() => socket.destroy(), TLS_HANDSHAKE_TIMEOUT);
    this.#guests.set(key, { socket, serve, timer });
    socket.once('close', () => this.#leave(key, socket));
    socket.on('error', () => socket.destroy());
    this.#server.emit('connection', socket);
  }

  renew(context: SecureContextOptions): void {
    this.#server.setSecureContext(context);
  }

  close(): void {
    this.#guests.forEach(({ socket }) => socket.destroy());
  }

  #admit(socket: Socket): void {
    const key = endsOf(socket);
    const guest = this.#guests.get(key);
    if (!guest) return void socket.destroy();
    this.#leave(key, guest.socket);
    guest.serve(socket);
  }

  #leave(key: string, socket: Socket): void {
    const guest = this.#guests.get(key);
    if (guest?.socket !== socket) return;
    clearTimeout(guest.timer);
    this.#guests.delete(key);
  }
}

const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string => [remoteAddress, remotePort, localAddress, localPort].join(' ');
