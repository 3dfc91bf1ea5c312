import type { AccountSettings } from '../config/config.js';
import { grantWords } from '../instances/permits.js';
import type { Grantable, Identity, Permission, Principal } from '../instances/principal.js';
import { InstancePatterns, resolvePatterns, type Groups } from '../kit/patterns.js';
import { networkTest } from './networks.js';

/** One grant: these commands on these instances. */
interface Grant {
  readonly patterns: InstancePatterns;
  readonly commands: ReadonlySet<string>;
  /** of commands of which it holds a part: `plan` for `plan:NAME` */
  readonly words: ReadonlySet<string>;
}

/**
 * Whether a grant's command list holds a command: by its word, that of the command whose verb it is, by the name of its
 * set (`read`, `power`), or by `*`.
 */
function holds({ commands }: Grant, { word, command, right }: Permission): boolean {
  return commands.has('*') || commands.has(word) || commands.has(right) || (command !== undefined && commands.has(command));
}

/** An account, and the one place where its grants are decided. What no grant gives is refused. */
export class Account implements Principal {
  readonly name: string;
  readonly passwordHash: string;
  readonly #grants: readonly Grant[];
  readonly #isFrom: (address: string) => boolean;

  /** @throws PatternError, which the check of the configuration has ruled out */
  constructor(settings: AccountSettings, groups: Groups) {
    this.name = settings.name;
    this.passwordHash = settings.passwordHash;
    this.#grants = settings.grants.map(({ instances, commands }) => ({
      patterns: new InstancePatterns(resolvePatterns(instances, groups)),
      commands: grantWords(commands),
      words: new Set(commands.filter((word) => word.includes(':')).map((word) => word.slice(0, word.indexOf(':')).toLowerCase())),
    }));
    this.#isFrom = settings.from ? networkTest(settings.from) : () => true;
  }

  /** Whether it may log in from this address. */
  mayComeFrom(address: string): boolean {
    return this.#isFrom(address);
  }

  sees(instance: Grantable): boolean {
    return this.#grants.some(({ patterns }) => patterns.matches(instance));
  }

  allows(instance: Grantable, permission: Permission): boolean {
    return this.#grants.some((grant) => holds(grant, permission) && grant.patterns.matches(instance));
  }

  allowsProvider(provider: string, permission: Permission): boolean {
    return this.#grants.some((grant) => holds(grant, permission) && grant.patterns.coverProvider(provider));
  }

  reaches(provider: string): boolean {
    return this.#grants.some(({ patterns }) => patterns.nameProvider(provider) || patterns.coverProvider(provider));
  }

  coversProvider(provider: string): boolean {
    return this.#grants.some(({ patterns }) => patterns.coverProvider(provider));
  }

  allowsSomewhere(permission: Permission): boolean {
    return this.#grants.some((grant) => holds(grant, permission) || grant.words.has(permission.word));
  }

  coversName(name: string): boolean {
    return this.#grants.some(({ patterns }) => patterns.coverName(name));
  }
}

/** Who has not logged in: may do nothing, but sees what `list` shows to everybody where that is switched on. */
export class Anonymous implements Principal, Identity {
  readonly name = '';
  readonly principal = this;
  readonly #mayList: boolean;

  constructor(mayList: boolean) {
    this.#mayList = mayList;
  }

  /** There is nothing to take away. */
  onTakenAway(): () => void {
    return () => undefined;
  }

  sees(): boolean {
    return this.#mayList;
  }

  allows(): boolean {
    return false;
  }

  allowsProvider(): boolean {
    return false;
  }

  reaches(): boolean {
    return false;
  }

  coversProvider(): boolean {
    return false;
  }

  allowsSomewhere(): boolean {
    return false;
  }

  coversName(): boolean {
    return false;
  }
}
