import { createHash, createHmac, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { ArgoError } from '../kit/errors.js';
import { BCRYPT_COST } from '../kit/limits.js';
import { Account, Anonymous } from './account.js';
import type { LoginSource } from './login.js';
import { LoginCodes } from './login-codes.js';
import { originOf, type Origin } from './networks.js';
import { impossibleHash, verifyPassword } from './passwords.js';
import { Throttle } from './throttle.js';
import { Tokens, TokenUse } from './tokens.js';

/** Waits so many milliseconds. */
type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

/** Under what wrong tokens and codes are counted: no account can be called that. */
const NO_ACCOUNT = '(token)';

export interface AuthenticatorParts {
  readonly throttle?: Throttle;
  readonly verify?: typeof verifyPassword;
  readonly pause?: Pause;
}

/** The accounts as configured now, and the way into them. */
export class Authenticator implements LoginSource {
  #accounts: ReadonlyMap<string, Account> = new Map();
  tokens = new Tokens();
  readonly codes = new LoginCodes();
  /** of the accounts' hashes, log2 of the rounds */
  #costs: readonly number[] = [BCRYPT_COST];
  /** so that nobody outside can tell which cost a name without an account gets */
  readonly #salt = randomBytes(16);
  readonly #throttle: Throttle;
  readonly #verify: typeof verifyPassword;
  readonly #pause: Pause;
  /** grows with every reload */
  generation = 0;
  /** logins to be told of reloads */
  readonly watching = new Set<{ refresh(): void }>();
  /** how logins have ended, in numbers */
  readonly logins = { done: 0, refused: 0, busy: 0 };
  anonymous = new Anonymous(false);

  /** @param parts what tests put in the place of the real ones */
  constructor(config: Config, parts: AuthenticatorParts = {}) {
    this.#throttle = parts.throttle ?? new Throttle();
    this.#verify = parts.verify ?? verifyPassword;
    this.#pause = parts.pause ?? ((ms, signal) => sleep(ms, undefined, { signal }));
    this.configure(config);
  }

  /** Takes on a new configuration: each login is its account's as that is now, or nobody's. */
  configure({ accounts, groups, server }: Config): void {
    this.#accounts = new Map([...accounts].map(([name, settings]) => [name, new Account(settings, groups)]));
    const tokens = this.tokens = new Tokens();
    for (const [name, account] of this.#accounts) tokens.add(account, accounts.get(name)?.tokens ?? [], groups);
    this.anonymous = new Anonymous(server.anonymousList);
    const costs = [...accounts.values()].map(({ passwordHash }) => Number(passwordHash.slice(4, 6)));
    this.#costs = costs.length > 0 ? costs : [BCRYPT_COST];
    this.#throttle.forgetAccounts((name) => !accounts.has(name));
    this.generation += 1;
    [...this.watching].forEach((one) => one.refresh());
  }

  /**
   * What the configuration says now of an account that has logged in; undefined where it is gone or
   * has another password or may not come from there, so that its connections must log in anew.
   */
  current(account: Account, address: string): Account | undefined {
    const now = this.#accounts.get(account.name);
    return now?.passwordHash === account.passwordHash && now.mayComeFrom(address) ? now : undefined;
  }

  /**
   * What the password for a name without an account is compared with. Its cost is that of one of the
   * accounts, always the same one for a name: where costs differ, they tell nothing either.
   */
  #hashForNobody(name: string): string {
    const digest = createHmac('sha256', this.#salt).update(name).digest();
    return impossibleHash(this.#costs[digest.readUInt32BE(0) % this.#costs.length]!);
  }

  /** What the configuration says now of an account. */
  account(name: string): Account | undefined {
    return this.#accounts.get(name);
  }

  /** What tells an account from one of the same name with another password; undefined where there is none. It lets nobody in. */
  mark(name: string): string | undefined {
    const account = this.#accounts.get(name);
    return account && createHash('sha256').update(`${name} ${account.passwordHash}`).digest('base64url');
  }

  /** Whether there is an account of that name: for the log, never for a reply. */
  knows(name: string): boolean {
    return this.#accounts.has(name);
  }

  /**
   * Checks a name and a password. The work and the delay are the same whether or not there is such
   * an account, and whether it is the name, the password or the network that is wrong.
   * @param address the peer's, in its plain form
   * @returns undefined where it is wrong
   * @throws ArgoError BUSY where too many logins wait
   */
  async login(name: string, password: string, address: string, signal: AbortSignal): Promise<Account | undefined> {
    const origin = originOf(address);
    return this.#delayed(name, origin, signal, async (turn) => {
      const account = this.#accounts.get(name);
      const matches = await this.#verify(password, account?.passwordHash ?? this.#hashForNobody(name), signal, turn);
      // a reload may have changed or removed the account while its password was being checked
      const current = account && this.current(account, address);
      if (!current || !matches) return this.#refuse(name, origin);
      this.#throttle.succeeded(name, origin);
      this.logins.done += 1;
      return current;
    });
  }

  /**
   * Checks a token. A right one is not delayed: so much chance cannot be guessed, and a script sends it with each
   * request. Wrong ones are, by the count of the place that they come from.
   * @param address the peer's, in its plain form
   * @returns undefined where it is wrong, has expired, or may not be used from there
   * @throws ArgoError BUSY where too many logins wait
   */
  async token(token: string, address: string, signal: AbortSignal): Promise<TokenUse | undefined> {
    const held = this.tokens.find(token, address);
    return held === undefined ? this.#refuseLate(address, signal) : new TokenUse(held, address, this);
  }

  /**
   * Checks a code that logs in once. Wrong ones are delayed as wrong tokens are.
   * @param address the peer's, in its plain form
   * @returns undefined where it is wrong, used or too old, or its account may not come from there
   * @throws ArgoError BUSY where too many logins wait
   */
  async code(code: string, address: string, signal: AbortSignal): Promise<Account | undefined> {
    const name = this.codes.redeem(code);
    const account = name === undefined ? undefined : this.#accounts.get(name);
    if (account === undefined || !account.mayComeFrom(address)) return this.#refuseLate(address, signal);
    this.logins.done += 1;
    return account;
  }

  /** Refuses what needs no work to be found wrong, after the delay that earlier failures have made. @throws ArgoError BUSY, NOT AUTHENTICATED */
  async #refuseLate(address: string, signal: AbortSignal): Promise<undefined> {
    const origin = originOf(address);
    return this.#delayed(NO_ACCOUNT, origin, signal, () => Promise.resolve(this.#refuse(NO_ACCOUNT, origin)));
  }

  /** Does work after the delay that earlier failures have made. @throws ArgoError BUSY, NOT AUTHENTICATED */
  async #delayed<T>(name: string, origin: Origin, signal: AbortSignal, work: (turn: ReturnType<Throttle['enter']>['turn']) => Promise<T>): Promise<T> {
    const { delay, turn, leave } = this.#enter(name, origin);
    try {
      if (delay > 0) await this.#pause(delay, signal);
      return await work(turn);
    } catch (error) {
      throw error instanceof ArgoError ? error : new ArgoError('NOT AUTHENTICATED', '', { cause: error });
    } finally {
      leave();
    }
  }

  #refuse(name: string, origin: Origin): undefined {
    this.#throttle.failed(name, origin);
    this.logins.refused += 1;
    return undefined;
  }

  #enter(name: string, origin: Origin): ReturnType<Throttle['enter']> {
    try {
      return this.#throttle.enter(name, origin);
    } catch (error) {
      this.logins.busy += 1;
      throw error;
    }
  }
}
