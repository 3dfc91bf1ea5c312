/** What can go wrong on the way to a host, and while a command runs there. */

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
  override readonly name: string = 'SshAuthenticationError';
}

/** The private key cannot be used, so the host was not even asked. */
export class SshKeyError extends SshAuthenticationError {
  override readonly name = 'SshKeyError';
}

/** No connection, or none any more: refused, no route, silent, cut. No command was sent on it. */
export class SshConnectionError extends Error {
  override readonly name: string = 'SshConnectionError';
}

/** A command did not come to its end. */
export class SshCommandError extends Error {
  override readonly name = 'SshCommandError';

  /**
   * @param kind `lost`: the connection went away. `timeout`: the command's deadline came. `refused`:
   *   the host runs nothing on its channel. `full`: it opens no (further) channel, as sshd does by
   *   MaxSessions, and for an account that may run nothing.
   * @param mayHaveStarted false only where the host certainly has not begun to run it
   */
  constructor(
    readonly kind: 'lost' | 'timeout' | 'refused' | 'full', readonly mayHaveStarted: boolean, message: string, options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
