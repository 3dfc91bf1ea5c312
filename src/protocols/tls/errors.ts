/** What can go wrong on the way to a server. */

/** There is no connection, or it ended, or nothing came in time. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';

  /** @param sent whether the server may have had the request */
  constructor(message: string, readonly sent: boolean, options?: { cause?: unknown }) {
    super(message, options);
  }
}

/** The server's certificate is not one that we trust. Nothing was sent. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}
