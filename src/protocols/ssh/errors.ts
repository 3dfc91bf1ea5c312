/** What can go wrong while an SSH connection is made. */

/** The host's key is not the one expected, so nothing secret was sent to it. */
export class HostKeyError extends Error {
  override readonly name = 'HostKeyError';

  /**
   * @param kind `changed`: another key is known for this host. `unknown`: none is. `revoked`: this very
   *   key is marked @revoked.
   * @param fingerprint of the key that the host showed: `SHA256:…`, as ssh-keygen -l prints it
   */
  constructor(readonly kind: 'changed' | 'unknown' | 'revoked', readonly fingerprint: string, message: string) {
    super(message);
  }
}

/** The host refuses all the credentials that we have. */
export class SshAuthenticationError extends Error {
  override readonly name = 'SshAuthenticationError';
}

/** No connection, or none any more: refused, no route, silent, cut. */
export class SshConnectionError extends Error {
  override readonly name = 'SshConnectionError';
}
