import { HOLDS, Lockout, type Holds } from '../../kit/lockout.js';
import { CannotTell } from '../ping/outcome.js';
import { probeTcp } from '../ping/tcp.js';
import type { SshOptions } from './connection.js';
import { SshAuthenticationError, SshConnectionError, SshKeyError } from './errors.js';

/**
 * Logins at one host, of which those that were refused are held back: for all of the process who log in
 * there with the same credentials, whatever they want of the host.
 */
export class SshLogins {
  #guard: { readonly realm: string; readonly lockout: Lockout } | undefined;
  readonly #holds: Holds;

  constructor(holds: Holds = HOLDS) {
    this.#holds = holds;
  }

  /**
   * @param place of the host: two behind different jump hosts may have the same address
   * @param work logs in, and is done when it knows whether it is let in
   * @throws as {@link Lockout.guard}: SshAuthenticationError where they are held back; SshConnectionError
   */
  guard<T>(place: string, options: SshOptions, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { user, password, privateKey, agent, stream } = options;
    const realm = `ssh ${place}`;
    if (this.#guard?.realm !== realm) this.#guard = { realm, lockout: new Lockout(asRefusal, { realm, holds: this.#holds }) };
    return this.#guard.lockout.guardAttempt({
      credentials: () => [user, password, privateKey, agent], work,
      // Not where nobody has to wait: sshd notes each connection that says nothing.
      approach: async (mustWait) => { if (mustWait && stream === undefined) await lookFor(options, signal); },
    }, signal);
  }
}

/** @throws SshConnectionError where nobody is there; what else is wrong, the login itself has better words for */
async function lookFor({ host, port = 22, timeout }: SshOptions, signal: AbortSignal): Promise<void> {
  const found = await probeTcp(host, port, { signal, ...(timeout !== undefined && { timeout }) }).catch((error: unknown) => {
    if (error instanceof CannotTell) return undefined;
    throw error;
  });
  if (found?.alive === false) throw new SshConnectionError(`${host} does not answer: ${found.reason}`);
}

/** A key that cannot be used was shown to nobody. */
function asRefusal(error: unknown, hint: string): SshAuthenticationError | undefined {
  if (!(error instanceof SshAuthenticationError) || error instanceof SshKeyError) return undefined;
  return new SshAuthenticationError(`${error.message}; ${hint}`, { cause: error });
}
