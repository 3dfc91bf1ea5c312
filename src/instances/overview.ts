import { POWER_STATES, type PowerState } from '../drivers/driver.js';
import { Slices } from '../kit/slices.js';
import type { Principal } from './principal.js';
import type { Registry } from './registry.js';

/** A provider in figures. */
export interface ProviderOverview {
  readonly provider: string;
  /** whether it answered when it was asked last */
  readonly answers: boolean;
  /** visible instances by the state in which they were last seen; every state is there */
  readonly states: ReadonlyMap<PowerState, number>;
}

/** The providers of which a principal sees something, or all there is. Gives way to others while it counts. */
export async function overviewOf(registry: Registry, principal: Principal): Promise<ProviderOverview[]> {
  const overview: ProviderOverview[] = [];
  const slices = new Slices();
  for (const owner of registry.providers()) {
    const states = new Map<PowerState, number>(POWER_STATES.map((state) => [state, 0]));
    let visible = 0;
    for (const instance of registry.of(owner)) {
      if (slices.isOver()) await slices.pause();
      if (!principal.sees(instance)) continue;
      visible += 1;
      states.set(instance.state, states.get(instance.state)! + 1);
    }
    if (visible > 0 || principal.coversProvider(owner.name)) overview.push({ provider: owner.name, answers: owner.answers, states });
  }
  return overview;
}
