import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
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
  return { cert: readFileSync(cert), key: readFileSync(key), ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }) };
}

/** A place where connections are taken. */
export class Listener {
  private constructor(private readonly server: Server, readonly endpoint: Endpoint, readonly isTls: boolean) {}

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
    return new Listener(server, endpoint, tls !== undefined);
  }

  /** Where it really listens: port 0 has become a free one. */
  get address(): string {
    return formatEndpoint({ host: (this.server.address() as AddressInfo).address, port: (this.server.address() as AddressInfo).port });
  }

  /** New connections get the certificate as it is in the files now. @throws Error that names the file */
  reloadTls(tls: TlsFiles): void {
    if (this.isTls) (this.server as TlsServer).setSecureContext(readTls(tls));
  }

  /** Takes no further connections; those that are there stay. */
  close(): void {
    this.server.close();
  }
}
