import type { Account } from '../auth/account.js';
import type { Authenticator } from '../auth/authenticator.js';
import { Login } from '../auth/login.js';
import type { Identity } from '../instances/principal.js';

/** Who is at the other end of a connection. */
export class Session {
  #login: Login | undefined;
  /** the connection is to be closed after the reply under way */
  closing = false;
  readonly #authenticator: Authenticator;
  #isGone = false;
  readonly #goneListeners = new Set<() => void>();

  /**
   * @param address the peer's, in its plain form
   * @param from address and port, for log and audit
   */
  constructor(authenticator: Authenticator, readonly address: string, readonly from: string) {
    this.#authenticator = authenticator;
  }

  /** As it is configured now; undefined before login, and after a reload has taken it away. */
  get account(): Account | undefined {
    return this.#login?.account;
  }

  get identity(): Identity {
    return this.#login?.account ? this.#login : this.#authenticator.anonymous;
  }

  logIn(account: Account): void {
    this.#login = new Login(account, this.address, this.#authenticator);
  }

  logOut(): void {
    this.#login = undefined;
  }

  /** Calls back when the client is gone, at once where it is already. @returns ends that */
  onGone(listener: () => void): () => void {
    if (this.#isGone) listener();
    else this.#goneListeners.add(listener);
    return () => this.#goneListeners.delete(listener);
  }

  /** The connection is closed: nobody is left to be told anything. */
  gone(): void {
    this.#isGone = true;
    this.#goneListeners.forEach((listener) => listener());
    this.#goneListeners.clear();
  }
}
