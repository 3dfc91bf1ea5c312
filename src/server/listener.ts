import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import type { Endpoint } from '../config/values.js';
import type { TlsFiles } from '../config/config.js';
import { LISTEN_BACKLOG, TLS_HANDSHAKE_TIMEOUT } from '../limits.js';

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

/** A place where connections are taken. */
export class Listener {
  private constructor(private readonly server: Server, readonly endpoint: Endpoint, readonly tls: TlsFiles | undefined) {}

  /**
   * @param tls for the same protocol inside TLS
   * @throws Error with `code` EADDRINUSE, EACCES, …
   */
  static async open(
    endpoint: Endpoint, tls: TlsFiles | undefined, onConnection: (socket: Socket) => void, onError: (error: Error) => void,
  ): Promise<Listener> {
    const options = { allowHalfOpen: true, noDelay: true, keepAlive: true };
    const server = tls
      ? createTlsServer({ ...options, ...readTls(tls), handshakeTimeout: TLS_HANDSHAKE_TIMEOUT, requestCert: tls.clientCa !== undefined, rejectUnauthorized: tls.clientCa !== undefined }, onConnection)
      : createServer(options, onConnection);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: endpoint.host, port: endpoint.port, backlog: LISTEN_BACKLOG }, () => {
        server.off('error', reject);
        server.on('error', onError);
        resolve();
      });
    });
    return new Listener(server, endpoint, tls);
  }

  /** Where it really listens: port 0 has become a free one. */
  get address(): string {
    return formatEndpoint({ host: (this.server.address() as AddressInfo).address, port: (this.server.address() as AddressInfo).port });
  }

  get isTls(): boolean {
    return this.tls !== undefined;
  }

  /** New connections get this certificate. */
  renewTls(context: SecureContextOptions): void {
    if (this.isTls) (this.server as TlsServer).setSecureContext(context);
  }

  /** Takes no further connections; those that are there stay. */
  close(): void {
    this.server.close();
  }
}
