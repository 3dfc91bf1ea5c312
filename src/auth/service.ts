import type { Identity, Principal } from '../instances/principal.js';
import { Anonymous, type Account } from './account.js';

const NOBODY = new Anonymous(false);

/** What a service asks of the accounts. */
export interface ServiceSource {
  /** What the configuration says now of an account. */
  account(name: string): Account | undefined;
  /** to be told of reloads */
  readonly watching: Set<{ refresh(): void }>;
}

/** An account that the configuration itself puts to work, without a password: a gateway's `account`. */
export class Service implements Identity {
  readonly name: string;
  readonly #source: ServiceSource;

  constructor(name: string, source: ServiceSource) {
    this.name = name;
    this.#source = source;
  }

  get principal(): Principal {
    return this.#source.account(this.name) ?? NOBODY;
  }

  onTakenAway(listener: () => void): () => void {
    const watcher = { refresh: () => { if (this.#source.account(this.name) === undefined) listener(); } };
    this.#source.watching.add(watcher);
    return () => this.#source.watching.delete(watcher);
  }
}

/** Sees every instance and may do nothing, for figures about all of them. */
export class Observer implements Principal, Identity {
  readonly name = '';
  readonly principal = this;

  onTakenAway(): () => void {
    return () => undefined;
  }

  sees(): boolean {
    return true;
  }

  allows(): boolean {
    return false;
  }

  allowsProvider(): boolean {
    return false;
  }

  reaches(): boolean {
    return true;
  }

  coversProvider(): boolean {
    return true;
  }

  allowsSomewhere(): boolean {
    return false;
  }

  coversName(): boolean {
    return true;
  }
}
