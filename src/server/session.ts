import type { Account } from '../auth/account.js';
import type { Authenticator } from '../auth/authenticator.js';
import { Login } from '../auth/login.js';
import type { Identity } from '../instances/principal.js';

/** Who is at the other end of a connection. */
export class Session {
  #login: Login | undefined;
  /** the connection is to be closed after the reply under way */
  closing = false;
  /** whether the client has sent something behind the request under way, or is gone; set by its connection */
  hasMore = (): boolean => false;
  #interrupt: AbortController | undefined;
  readonly #authenticator: Authenticator;

  /**
   * @param address the peer's, in its plain form
   * @param from address and port, for log and audit
   */
  constructor(authenticator: Authenticator, readonly address: string, readonly from: string) {
    this.#authenticator = authenticator;
  }

  /** Aborted when the client sends a line behind the request under way, or is gone. */
  get interrupted(): AbortSignal {
    this.#interrupt ??= new AbortController();
    if (this.hasMore()) this.#interrupt.abort();
    return this.#interrupt.signal;
  }

  /** Something came behind the request under way. */
  interrupt(): void {
    this.#interrupt?.abort();
  }

  /** The request has ended: the next one has not been interrupted. */
  forgetInterrupt(): void {
    this.#interrupt = undefined;
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
}
