import { isIP } from 'node:net';
import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { ADDRESS_AGE, ADDRESSES_AT_A_TIME, ADDRESSES_KEPT, ITEM_DEADLINE } from '../../../kit/zabbix-collecting-limits.js';
import { Lanes } from '../collecting/lanes.js';

interface Known {
  readonly at: number;
  readonly addresses: readonly string[];
}

const NONE: readonly string[] = [];

/**
 * The addresses of instances, as they were told last: many a machine tells its own only while it runs, and it is the same
 * one when it does not.
 */
export class Addresses {
  readonly #known = new Map<string, Known>();
  readonly #lanes = new Lanes(ADDRESSES_AT_A_TIME, ITEM_DEADLINE);

  /** Those of an instance; none where it has never told any. Never rejects. */
  async of(actor: Actor, instance: InstanceInfo): Promise<readonly string[]> {
    const key = `${instance.provider} ${instance.id}`;
    const known = this.#known.get(key);
    if (known && performance.now() - known.at < ADDRESS_AGE) return known.addresses;
    const told = await this.#ask(actor, instance);
    const addresses = told.length > 0 ? told : known?.addresses ?? NONE;
    this.#known.delete(key);
    this.#known.set(key, { at: performance.now(), addresses });
    if (this.#known.size > ADDRESSES_KEPT) this.#known.delete(this.#known.keys().next().value!);
    return addresses;
  }

  async #ask(actor: Actor, instance: InstanceInfo): Promise<readonly string[]> {
    if (!instance.capabilities.includes('ip') || instance.state === 'off') return NONE;
    try {
      const told = await this.#lanes.run(instance.provider, () => actor.read(instance, 'ip', { deadline: ITEM_DEADLINE, maxAge: ADDRESS_AGE }));
      return told.map((address) => address.split('/')[0]!).filter((address) => isIP(address) !== 0);
    } catch {
      // not told now: that is no news, and no fault of anybody here
      return NONE;
    }
  }
}
