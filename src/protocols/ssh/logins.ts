import { HeldBack, type Holds } from '../held-back.js';
import type { SshOptions } from './connection.js';
import { SshAuthenticationError, SshKeyError } from './errors.js';

/** Logins at one host, of which those that were refused are held back. */
export class SshLogins {
  readonly #heldBack: HeldBack;

  constructor(holds?: Holds) {
    this.#heldBack = new HeldBack(refusal, holds);
  }

  /** @throws as {@link HeldBack.guard}: SshAuthenticationError where they are held back */
  guard<T>({ user, password, privateKey, agent }: SshOptions, work: () => Promise<T>): Promise<T> {
    return this.#heldBack.guard([user, password, privateKey, agent], work);
  }
}

/** A key that cannot be used was shown to nobody. */
function refusal(error: unknown, hint: string): SshAuthenticationError | undefined {
  if (!(error instanceof SshAuthenticationError) || error instanceof SshKeyError) return undefined;
  return new SshAuthenticationError(`${error.message}; ${hint}`, { cause: error });
}
