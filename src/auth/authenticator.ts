import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { ArgoError } from '../errors.js';
import { BCRYPT_COST } from '../limits.js';
import { Account, Anonymous } from './account.js';
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
  private accounts: ReadonlyMap<string, Account> = new Map();
  private noAccount = impossibleHash(BCRYPT_COST);
  private readonly throttle: Throttle;
  private readonly verify: typeof verifyPassword;
  private readonly pause: Pause;
  anonymous = new Anonymous(false);

  /** @param parts what tests put in the place of the real ones */
  constructor(config: Config, parts: AuthenticatorParts = {}) {
    this.throttle = parts.throttle ?? new Throttle();
    this.verify = parts.verify ?? verifyPassword;
    this.pause = parts.pause ?? ((ms, signal) => sleep(ms, undefined, { signal }));
    this.configure(config);
  }

  /** Takes on a new configuration. Connections ask {@link current} for what it made of their account. */
  configure({ accounts, groups, server }: Config): void {
    this.accounts = new Map([...accounts].map(([name, settings]) => [name, new Account(settings, groups)]));
    this.anonymous = new Anonymous(server.anonymousList);
    const costs = [...accounts.values()].map(({ passwordHash }) => Number(passwordHash.slice(4, 6)));
    this.noAccount = impossibleHash(Math.max(BCRYPT_COST, ...costs));
  }

  /**
   * What the configuration says now of an account that has logged in; undefined where it is gone or
   * has another password or may not come from there, so that its connections must log in anew.
   */
  current(account: Account, address: string): Account | undefined {
    const now = this.accounts.get(account.name);
    return now?.passwordHash === account.passwordHash && now.mayComeFrom(address) ? now : undefined;
  }

  /** Whether there is an account of that name: for the log, never for a reply. */
  knows(name: string): boolean {
    return this.accounts.has(name);
  }

  /**
   * Checks a name and a password. The work and the delay are the same whether or not there is such
   * an account, and whether it is the name, the password or the network that is wrong.
   * @param address the peer's, in its plain form
   * @returns undefined where it is wrong
   * @throws ArgoError BUSY where too many logins wait
   */
  async login(name: string, password: string, address: string, signal: AbortSignal): Promise<Account | undefined> {
    const { delay, leave } = this.throttle.enter(name, address);
    try {
      if (delay > 0) await this.pause(delay, signal);
      const account = this.accounts.get(name);
      const matches = await this.verify(password, account?.passwordHash ?? this.noAccount, signal);
      if (account !== undefined && matches && account.mayComeFrom(address)) {
        this.throttle.succeeded(name);
        return account;
      }
      this.throttle.failed(name, address);
      return undefined;
    } catch (error) {
      throw error instanceof ArgoError ? error : new ArgoError('NOT AUTHENTICATED', '', { cause: error });
    } finally {
      leave();
    }
  }
}
