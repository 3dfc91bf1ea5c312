import { createHmac, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { ArgoError } from '../kit/errors.js';
import { BCRYPT_COST } from '../kit/limits.js';
import { Account, Anonymous } from './account.js';
import { originOf } from './networks.js';
import { impossibleHash, verifyPassword } from './passwords.js';
import { Throttle } from './throttle.js';

/** Waits so many milliseconds. */
type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

export interface AuthenticatorParts {
  readonly throttle?: Throttle;
  readonly verify?: typeof verifyPassword;
  readonly pause?: Pause;
}

/** The accounts as configured now, and the way into them. */
export class Authenticator {
  #accounts: ReadonlyMap<string, Account> = new Map();
  /** of the accounts' hashes, log2 of the rounds */
  #costs: readonly number[] = [BCRYPT_COST];
  /** so that nobody outside can tell which cost a name without an account gets */
  readonly #salt = randomBytes(16);
  readonly #throttle: Throttle;
  readonly #verify: typeof verifyPassword;
  readonly #pause: Pause;
  anonymous = new Anonymous(false);

  /** @param parts what tests put in the place of the real ones */
  constructor(config: Config, parts: AuthenticatorParts = {}) {
    this.#throttle = parts.throttle ?? new Throttle();
    this.#verify = parts.verify ?? verifyPassword;
    this.#pause = parts.pause ?? ((ms, signal) => sleep(ms, undefined, { signal }));
    this.configure(config);
  }

  /** Takes on a new configuration. Connections ask {@link current} for what it made of their account. */
  configure({ accounts, groups, server }: Config): void {
    this.#accounts = new Map([...accounts].map(([name, settings]) => [name, new Account(settings, groups)]));
    this.anonymous = new Anonymous(server.anonymousList);
    const costs = [...accounts.values()].map(({ passwordHash }) => Number(passwordHash.slice(4, 6)));
    this.#costs = costs.length > 0 ? costs : [BCRYPT_COST];
    this.#throttle.forgetAccounts((name) => !accounts.has(name));
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
    const { delay, turn, leave } = this.#throttle.enter(name, origin);
    try {
      if (delay > 0) await this.#pause(delay, signal);
      const account = this.#accounts.get(name);
      const matches = await this.#verify(password, account?.passwordHash ?? this.#hashForNobody(name), signal, turn);
      // a reload may have changed or removed the account while its password was being checked
      const current = account && this.current(account, address);
      if (current && matches) {
        this.#throttle.succeeded(name, origin);
        return current;
      }
      this.#throttle.failed(name, origin);
      return undefined;
    } catch (error) {
      throw error instanceof ArgoError ? error : new ArgoError('NOT AUTHENTICATED', '', { cause: error });
    } finally {
      leave();
    }
  }
}
