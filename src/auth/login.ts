import type { Identity, Principal } from '../instances/principal.js';
import { Anonymous, type Account } from './account.js';

const NOBODY = new Anonymous(false);

/** What a login asks of the accounts. */
export interface LoginSource {
  /** grows with every reload */
  readonly generation: number;
  /** What the configuration says now of an account that has logged in from an address, if it still may. */
  current(account: Account, address: string): Account | undefined;
  /** What it says of whoever bears the name now. */
  account(name: string): Account | undefined;
  /** logins to be told of reloads */
  readonly watching: Set<{ refresh(): void }>;
}

/** Somebody who has logged in, through all reloads, until one takes the account away. */
export class Login implements Identity {
  readonly name: string;
  #account: Account | undefined;
  #generation: number;
  readonly #address: string;
  readonly #source: LoginSource;
  readonly #listeners = new Set<() => void>();

  /** @param address the peer's, in its plain form */
  constructor(account: Account, address: string, source: LoginSource) {
    this.name = account.name;
    this.#account = account;
    this.#address = address;
    this.#source = source;
    this.#generation = source.generation;
  }

  /** As it is configured now; undefined once it was taken away. One that was taken away does not come back. */
  get account(): Account | undefined {
    if (this.#generation !== this.#source.generation) this.refresh();
    return this.#account;
  }

  get principal(): Principal {
    return this.account ?? NOBODY;
  }

  get lost(): string {
    return this.#source.account(this.name) === undefined ? 'the account was taken away' : 'the account was changed';
  }

  onTakenAway(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#source.watching.add(this);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#source.watching.delete(this);
    };
  }

  /** After a reload. */
  refresh(): void {
    this.#generation = this.#source.generation;
    this.#account = this.#account && this.#source.current(this.#account, this.#address);
    if (this.#account === undefined) [...this.#listeners].forEach((listener) => listener());
  }
}
