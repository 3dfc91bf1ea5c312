import { Account, Anonymous } from '../../auth/account.js';
import type { FleetFrontSettings } from '../../config/config.js';
import { nameAt, type Grantable, type Identity, type Permission, type Principal } from '../../instances/principal.js';
import { FLEET_PERSON_NAME } from '../../kit/fleet-limits.js';
import type { Groups } from '../../kit/patterns.js';
import { harmless, oneLine } from '../../kit/text.js';
import { KnownKey } from '../signer.js';

const NOBODY = new Anonymous(false);

/** What one front may do here at most: its grants, on the providers that are offered. The front has checked what its person may. */
class Ceiling extends Account {
  readonly key: KnownKey;
  readonly #isOffered: (provider: string) => boolean;

  /** @throws PatternError, or Error of a key that is none: the check of the configuration has ruled both out */
  constructor({ name, publicKey, grants }: FleetFrontSettings, groups: Groups, isOffered: (provider: string) => boolean) {
    super({ name, passwordHash: '', from: undefined, grants }, groups);
    this.key = new KnownKey(publicKey);
    this.#isOffered = isOffered;
  }

  override sees(instance: Grantable): boolean {
    return this.#isOffered(instance.provider) && super.sees(instance);
  }

  override allows(instance: Grantable, permission: Permission): boolean {
    return this.#isOffered(instance.provider) && super.allows(instance, permission);
  }

  override allowsProvider(provider: string, permission: Permission): boolean {
    return this.#isOffered(provider) && super.allowsProvider(provider, permission);
  }

  override reaches(provider: string): boolean {
    return this.#isOffered(provider) && super.reaches(provider);
  }

  override coversProvider(provider: string): boolean {
    return this.#isOffered(provider) && super.coversProvider(provider);
  }
}

/** The fronts that this site obeys, and what each may do at most. */
export class Ceilings {
  #fronts: ReadonlyMap<string, Ceiling> = new Map();
  readonly #isOffered: (provider: string) => boolean;
  readonly #watching = new Set<() => void>();

  /** @param isOffered whether fronts are to know of a provider at all, as the configuration says now */
  constructor(isOffered: (provider: string) => boolean) {
    this.#isOffered = isOffered;
  }

  /** Takes on what the configuration says now: whoever works for a front that is gone may do nothing from then on. */
  configure(fronts: readonly FleetFrontSettings[], groups: Groups): void {
    this.#fronts = new Map(fronts.map((front) => [front.name, new Ceiling(front, groups, this.#isOffered)]));
    for (const refresh of [...this.#watching]) refresh();
  }

  /** By what a front's signatures are known; undefined where there is no such front. */
  keyOf(front: string): KnownKey | undefined {
    return this.#fronts.get(front)?.key;
  }

  /** Somebody at a front, at work here as that front may. @param account as the front says it */
  identity(front: string, account: string): Identity {
    const principalNow = (): Principal | undefined => this.#fronts.get(front);
    const watching = this.#watching;
    return {
      name: nameAt(front, harmless(oneLine(account, FLEET_PERSON_NAME))),
      get principal() {
        return principalNow() ?? NOBODY;
      },
      onTakenAway(listener) {
        const refresh = (): void => { if (principalNow() === undefined) listener(); };
        watching.add(refresh);
        return () => watching.delete(refresh);
      },
    };
  }
}
