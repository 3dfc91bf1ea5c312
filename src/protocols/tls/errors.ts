/** What can go wrong on the way to a server. */

/** There is no connection, or it ended, or nothing came in time. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
  /** a connection broke that had been idle, as the server or a firewall ends them: a question may be asked again */
  readonly wasIdle: boolean;

  /** @param sent whether the server may have had the request */
  constructor(message: string, readonly sent: boolean, { wasIdle = false, ...options }: ErrorOptions & { readonly wasIdle?: boolean } = {}) {
    super(message, options);
    this.wasIdle = wasIdle;
  }
}

/** The server's certificate is not one that we trust. Nothing was sent. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}
