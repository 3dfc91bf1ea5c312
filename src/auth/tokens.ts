import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { TokenSettings } from '../config/config.js';
import type { Grantable, Identity, Permission, Principal } from '../instances/principal.js';
import { TOKEN_LOOK } from '../kit/limits.js';
import type { Groups } from '../kit/patterns.js';
import { Account, Anonymous } from './account.js';

/** Tokens: what a script sends in place of a name and a password. They do less than their account, never more. */

/** So that those who look for secrets in what is published find ours. */
const PREFIX = 'argo_';
const BYTES = 32;
/** As much as base64url takes for so many bytes. */
const FORM = /^argo_[A-Za-z0-9_-]{43}$/;

/** A new token: 256 bits of chance. */
export const newToken = (): string => PREFIX + randomBytes(BYTES).toString('base64url');

/** What is kept of one. So much chance needs no slow hash. */
export const tokenHash = (token: string): string => `sha256:${createHash('sha256').update(token).digest('hex')}`;

export interface Token {
  readonly name: string;
  /** as in argo-server.conf */
  readonly hash: string;
  /** milliseconds since 1970; undefined: it does not end by itself */
  readonly expires: number | undefined;
  /** what it may do of what its account may */
  readonly limit: Principal;
}

interface Held {
  readonly account: Account;
  readonly token: Token;
}

/** The tokens of a configuration. */
export class Tokens {
  /** by hash: of a hash nobody can try one byte after the other */
  readonly #held = new Map<string, Held>();

  add(account: Account, settings: readonly TokenSettings[], groups: Groups): void {
    for (const { name, hash, expires, instances, commands } of settings) {
      const limit = new Account({ name, passwordHash: '', from: undefined, grants: [{ instances, commands }] }, groups);
      this.#held.set(hash, { account, token: { name, hash, expires, limit } });
    }
  }

  /** The token of that hash, while it may be used from there. */
  byHash(hash: string, address: string): Held | undefined {
    const held = this.#held.get(hash);
    if (held === undefined || !timingSafeEqual(Buffer.from(hash), Buffer.from(held.token.hash))) return undefined;
    return isOver(held.token) || !held.account.mayComeFrom(address) ? undefined : held;
  }

  /** @param text what somebody sent */
  find(text: string, address: string): Held | undefined {
    return FORM.test(text) ? this.byHash(tokenHash(text), address) : undefined;
  }
}

const isOver = ({ expires }: Token): boolean => expires !== undefined && Date.now() >= expires;

/** What both the account and its token may. */
class Both implements Principal {
  readonly name: string;
  readonly #account: Principal;
  readonly #limit: Principal;

  constructor(account: Principal, limit: Principal) {
    this.name = account.name;
    this.#account = account;
    this.#limit = limit;
  }

  sees(instance: Grantable): boolean {
    return this.#account.sees(instance) && this.#limit.sees(instance);
  }

  allows(instance: Grantable, permission: Permission): boolean {
    return this.#account.allows(instance, permission) && this.#limit.allows(instance, permission);
  }

  allowsProvider(provider: string, permission: Permission): boolean {
    return this.#account.allowsProvider(provider, permission) && this.#limit.allowsProvider(provider, permission);
  }

  reaches(provider: string): boolean {
    return this.#account.reaches(provider) && this.#limit.reaches(provider);
  }

  coversProvider(provider: string): boolean {
    return this.#account.coversProvider(provider) && this.#limit.coversProvider(provider);
  }

  allowsSomewhere(permission: Permission): boolean {
    return this.#account.allowsSomewhere(permission) && this.#limit.allowsSomewhere(permission);
  }

  coversName(name: string): boolean {
    return this.#account.coversName(name) && this.#limit.coversName(name);
  }
}

/** What the use of a token asks of the accounts. */
export interface TokenSource {
  readonly tokens: Tokens;
  /** to be told of reloads */
  readonly watching: Set<{ refresh(): void }>;
}

const NOBODY = new Anonymous(false);

/** Somebody at work with a token: until it expires, or a reload takes it or its account away. Its place among the accounts is looked up at each decision. */
export class TokenUse implements Identity {
  /** names the token, so that log and audit say which one it was */
  readonly name: string;
  readonly #hash: string;
  readonly #address: string;
  readonly #source: TokenSource;

  constructor({ account, token }: Held, address: string, source: TokenSource) {
    this.name = `${account.name} (token ${token.name})`;
    this.#hash = token.hash;
    this.#address = address;
    this.#source = source;
  }

  get principal(): Principal {
    const held = this.#held;
    return held === undefined ? NOBODY : new Both(held.account, held.token.limit);
  }

  get lost(): string {
    return 'the token holds no longer';
  }

  onTakenAway(listener: () => void): () => void {
    const watcher = { refresh: () => { if (this.#held === undefined) listener(); } };
    const { watching } = this.#source;
    watching.add(watcher);
    let timer: NodeJS.Timeout | undefined;
    // the clock may be set meanwhile, and the time with which it ends be changed by a reload
    const wait = (): void => {
      const expires = this.#held?.token.expires;
      if (expires === undefined) return;
      timer = setTimeout(() => {
        watcher.refresh();
        wait();
      }, Math.min(TOKEN_LOOK, Math.max(0, expires - Date.now()))).unref();
    };
    wait();
    return () => {
      clearTimeout(timer);
      watching.delete(watcher);
    };
  }

  get #held(): Held | undefined {
    const held = this.#source.tokens.byHash(this.#hash, this.#address);
    // the same token under another name or account is another one
    return held !== undefined && this.name === `${held.account.name} (token ${held.token.name})` ? held : undefined;
  }
}
