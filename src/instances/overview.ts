import { setImmediate as nextTurn } from 'node:timers/promises';
import { POWER_STATES, type PowerState } from '../drivers/driver.js';
import { NAMES_A_TURN } from '../kit/limits.js';
import type { Permission, Principal } from './principal.js';
import type { Registry } from './registry.js';

/** What an account may do with all of a provider that it sees, whatever that has. */
const SEEING: Permission = { word: 'status', right: 'read' };

/** A provider in figures. */
export interface ProviderOverview {
  readonly provider: string;
  /** whether it answered when it was asked last */
  readonly answers: boolean;
  /** visible instances by the state in which they were last seen; every state is there */
  readonly states: ReadonlyMap<PowerState, number>;
}

/** The providers of which a principal sees something, or would if they answered. Gives way to others while it counts. */
export async function overviewOf(registry: Registry, principal: Principal): Promise<ProviderOverview[]> {
  const overview: ProviderOverview[] = [];
  let looked = 0;
  for (const owner of registry.providers()) {
    const states = new Map<PowerState, number>(POWER_STATES.map((state) => [state, 0]));
    let visible = 0;
    for (const instance of [...registry.of(owner)]) {
      looked += 1;
      if (looked % NAMES_A_TURN === 0) await nextTurn();
      if (!principal.sees(instance)) continue;
      visible += 1;
      states.set(instance.state, states.get(instance.state)! + 1);
    }
    if (visible > 0 || principal.allowsProvider(owner.name, SEEING) || (!owner.listed && principal.reaches(owner.name))) overview.push({ provider: owner.name, answers: owner.staleReason === undefined, states });
  }
  return overview;
}
