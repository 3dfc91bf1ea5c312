import { Lockout, type Holds } from '../../kit/lockout.js';
import type { SshOptions } from './connection.js';
import { SshAuthenticationError, SshKeyError } from './errors.js';

/** Logins at one host, of which those that were refused are held back. */
export class SshLogins {
  readonly #lockout: Lockout;

  constructor(holds?: Holds) {
    this.#lockout = new Lockout(refusal, holds);
  }

  /** @throws as {@link Lockout.guard}: SshAuthenticationError where they are held back */
  guard<T>({ user, password, privateKey, agent }: SshOptions, work: () => Promise<T>): Promise<T> {
    return this.#lockout.guard([user, password, privateKey, agent], work);
  }
}

/** A key that cannot be used was shown to nobody. */
function refusal(error: unknown, hint: string): SshAuthenticationError | undefined {
  if (!(error instanceof SshAuthenticationError) || error instanceof SshKeyError) return undefined;
  return new SshAuthenticationError(`${error.message}; ${hint}`, { cause: error });
}
