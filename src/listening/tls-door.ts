import type { Socket } from 'node:net';
import { createSecureContext, createServer, type SecureContextOptions, type Server } from 'node:tls';
import type { TlsFiles } from '../config/config.js';
import { authoritiesFault } from '../kit/certificates.js';
import { CONFIG_FILE_SIZE, TLS_HANDSHAKE_TIMEOUT } from '../kit/limits.js';
import { readRegularFile } from '../kit/regular-file.js';

/** What is done with a connection once there can be spoken on it. */
export type Serve = (socket: Socket) => void;

/**
 * Reads the files that TLS needs.
 * @throws Error that names the file
 */
export function readTls({ cert, key, clientCa }: TlsFiles): SecureContextOptions {
  const read = (file: string): Buffer => readRegularFile(file, CONFIG_FILE_SIZE);
  const options = { cert: read(cert), key: read(key), ...(clientCa === undefined ? {} : { ca: read(clientCa) }) };
  const fault = options.ca && authoritiesFault(options.ca.toString());
  if (fault !== undefined) throw new Error(`${clientCa}: ${fault}`);
  try {
    createSecureContext(options);
    return options;
  } catch (error) {
    throw new Error(`${[cert, key, clientCa].filter(Boolean).join(', ')}: cannot be used for TLS: ${(error as Error).message}`, { cause: error });
  }
}

export type TlsVersions = Pick<SecureContextOptions, 'minVersion' | 'maxVersion'>;

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
export class TlsDoor {
  readonly #server: Server;
  readonly #versions: TlsVersions;
  /** by both ends, which the inner and the outer socket of a connection share */
  readonly #guests = new Map<string, Guest>();

  /** @param versions of TLS, where they are not the usual ones */
  constructor(tls: TlsFiles, versions: TlsVersions = {}) {
    const asks = tls.clientCa !== undefined;
    this.#server = createServer(
      { allowHalfOpen: true, ...readTls(tls), ...versions, requestCert: asks, rejectUnauthorized: asks },
      (socket) => this.#admit(socket),
    );
    this.#versions = versions;
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
    this.#server.setSecureContext({ ...context, ...this.#versions });
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
