import type { Account } from '../auth/account.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { Caller, Principal } from '../instances/principal.js';

/** Who is at the other end of a connection. */
export class Session {
  account: Account | undefined;
  /** the connection is to be closed after the reply under way */
  closing = false;
  readonly #authenticator: Authenticator;

  /**
   * @param address the peer's, in its plain form
   * @param from address and port, for log and audit
   */
  constructor(authenticator: Authenticator, readonly address: string, readonly from: string) {
    this.#authenticator = authenticator;
  }

  get principal(): Principal {
    return this.account ?? this.#authenticator.anonymous;
  }

  get caller(): Caller {
    return { principal: this.principal, from: this.from };
  }

  /** After a reload: the account as it is now, or none. */
  refresh(): void {
    if (this.account) this.account = this.#authenticator.current(this.account, this.address);
  }
}
