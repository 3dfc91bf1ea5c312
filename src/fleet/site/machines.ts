import { setTimeout as pause } from 'node:timers/promises';
import type { PowerState } from '../../drivers/driver.js';
import { ArgoError, guarded } from '../../kit/errors.js';
import { FLEET_OBSERVE_PAUSE } from '../../kit/fleet-limits.js';
import { READ_TIMEOUT } from '../../kit/limits.js';
import { Gate } from '../../instances/gate.js';
import type { Actor } from '../../instances/actor.js';
import type { InstanceInfo, InstanceRef } from '../../instances/info.js';
import type { Target } from '../contract.js';
import type { OfferedProvider } from '../messages.js';
import type { Ceilings } from './ceiling.js';

/** Who is at work, as a front says it. */
export interface Person {
  readonly account: string;
  /** from where, for the audit */
  readonly from: string;
  readonly front: string;
}

/** Which machine of this site is meant. */
export type OwnTarget = Omit<Target, 'site'>;

export interface MachinesParts {
  readonly gate: Gate;
  readonly ceilings: Ceilings;
  /** what fronts are told of the providers that are offered */
  offered(): readonly OfferedProvider[];
}

/** The machines of this site as somebody at a front may get at them: through the gate, as everybody. */
export class Machines {
  readonly #parts: MachinesParts;

  constructor(parts: MachinesParts) {
    this.#parts = parts;
  }

  /** Does something as somebody at a front. @param cancelled ends it early, as `task cancel` does @throws what the work throws */
  async as<T>({ account, from, front }: Person, work: (actor: Actor) => Promise<T>, cancelled?: AbortSignal): Promise<T> {
    const actor = this.#parts.gate.actor({ identity: this.#parts.ceilings.identity(front, account), through: undefined, origin: `${front}: ${from}`, cancelled });
    try {
      return await work(actor);
    } finally {
      Gate.end(actor);
    }
  }

  /**
   * The machine that a front means: both its id and its name have to be those that the front knows, so that neither one that
   * was renamed is hit nor one that has got an old name.
   * @throws ArgoError NO SUCH INSTANCE, NOT ALLOWED, UNREACHABLE where its provider does not answer or another site has its lease
   */
  find(actor: Actor, { provider, machine, instance }: OwnTarget): InstanceRef {
    const on = { provider, id: machine, fullName: `${provider}/${instance}` };
    const { name } = this.#known(actor, on);
    // its new name is for those who may see that: the front knows, and is told of it by the inventory
    if (name !== instance) throw new ArgoError('NO SUCH INSTANCE', `${on.fullName}: the machine that was meant has another name now`);
    return on;
  }

  /**
   * The state in which a machine is now, in the time that a reading may take. A provider that does not answer yet, as when this
   * server has just begun, is waited for as long.
   */
  async observe(person: Person, { provider, machine, instance }: OwnTarget): Promise<PowerState> {
    const on = { provider, id: machine, fullName: `${provider}/${instance}` };
    const until = performance.now() + READ_TIMEOUT;
    for (;;) {
      const deadline = Math.max(1, until - performance.now());
      const state = await this.as(person, (actor) => actor.read(on, 'status', { deadline })).catch(() => 'unknown' as const);
      if (state !== 'unknown' || this.#staleness(provider) === undefined || performance.now() + FLEET_OBSERVE_PAUSE >= until) return state;
      await pause(FLEET_OBSERVE_PAUSE, undefined, { ref: false });
    }
  }

  /** Why what is known of a provider may be out of date; undefined while it is current, or where it is not offered. */
  #staleness(provider: string): string | undefined {
    return this.#parts.offered().find(({ name }) => name === provider)?.stale;
  }

  #known(actor: Actor, on: InstanceRef): InstanceInfo {
    try {
      return actor.known(on);
    } catch (thrown) {
      if (!(thrown instanceof ArgoError) || thrown.phrase !== 'NO SUCH INSTANCE') throw thrown;
      // one that another site has the lease of has no machines here, and of one that does not answer nobody knows which it has
      const stale = this.#staleness(on.provider);
      throw stale === undefined ? thrown : guarded('UNREACHABLE', `${on.provider} does not answer as it should`, `${on.provider}: ${stale}`);
    }
  }
}
