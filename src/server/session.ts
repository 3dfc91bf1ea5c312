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
  #gone = false;
  /** made when the first one asks: most requests never do */
  #whenGone: Set<() => void> | undefined;

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

  /** whether the connection has ended: nobody gets what is still read for it */
  get isGone(): boolean {
    return this.#gone;
  }

  /**
   * Tells when the connection has ended, whether it was closed or reset; at once where it has already.
   * @returns takes the listener away again, as a request has to when it ends
   */
  onGone(listener: () => void): () => void {
    if (this.#gone) {
      listener();
      return () => undefined;
    }
    const listeners = this.#whenGone ??= new Set();
    // one of its own, so that the same function may listen twice
    const one = (): void => listener();
    listeners.add(one);
    return () => {
      listeners.delete(one);
    };
  }

  /** For the connection, when its socket has closed. */
  end(): void {
    if (this.#gone) return;
    this.#gone = true;
    const listeners = this.#whenGone;
    this.#whenGone = undefined;
    listeners?.forEach((listener) => listener());
  }
}
