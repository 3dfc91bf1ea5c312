import { POWER_STATES, type PowerState } from '../drivers/driver.js';
import { Slices } from '../kit/slices.js';
import { SOMEHOW_STALE } from './info.js';
import type { ProviderWork } from './owner.js';
import type { Principal } from './principal.js';
import type { Registry } from './registry.js';

/** A provider in figures. */
export interface ProviderOverview {
  readonly provider: string;
  /** as in argo-server.conf: `libvirt` */
  readonly type: string;
  /** why what is known of it may be out of date, as far as one may know; undefined while it is current */
  readonly stale: string | undefined;
  /** whether it answered when it was asked last */
  readonly answers: boolean;
  /** when a listing was last taken in, ms since 1970; undefined before the first */
  readonly lastListing: number | undefined;
  /** what others do there; undefined for whoever may not see all that the provider has */
  readonly work: ProviderWork | undefined;
  /** visible instances by the state in which they were last seen; every state is there */
  readonly states: ReadonlyMap<PowerState, number>;
}

/** The providers in figures, as a principal may see them. */
export interface Overview {
  readonly providers: readonly ProviderOverview[];
  /** whether that is all there is, whatever the providers come to have */
  readonly isWhole: boolean;
}

/** An instance in figures: less than is known of it, since there may be very many. */
export interface InstanceState {
  readonly provider: string;
  /** the name by which it is selected, without the provider's: `web1`, `#42` */
  readonly name: string;
  readonly state: PowerState;
  /** since when that has been seen, ms since 1970 */
  readonly sinceMs: number;
}

/** The providers of which a principal sees something, or all there is. Gives way to others while it counts. */
export async function overviewOf(registry: Registry, principal: Principal): Promise<Overview> {
  const providers: ProviderOverview[] = [];
  const slices = new Slices();
  let isWhole = true;
  for (const owner of registry.providers()) {
    // a provider costs as much as dozens of instances
    if (slices.isOverNow()) await slices.pause();
    const states = new Map<PowerState, number>(POWER_STATES.map((state) => [state, 0]));
    let visible = 0;
    for (const instance of registry.of(owner)) {
      if (slices.isOver()) await slices.pause();
      if (!principal.sees(instance)) continue;
      visible += 1;
      states.set(instance.state, states.get(instance.state)! + 1);
    }
    const covers = principal.coversProvider(owner.name);
    isWhole &&= covers;
    if (visible === 0 && !covers) continue;
    providers.push({
      provider: owner.name,
      type: owner.settings.type,
      stale: covers || owner.staleReason === undefined ? owner.staleReason : SOMEHOW_STALE,
      answers: owner.answers,
      lastListing: owner.lastListing,
      work: covers ? owner.work : undefined,
      states,
    });
  }
  return { providers, isWhole };
}

/** The instances that a principal sees, each once. Whoever walks through it may take pauses, as with `registry.all`. */
export function* statesOf(registry: Registry, principal: Principal): Generator<InstanceState> {
  for (const instance of registry.all()) {
    if (!principal.sees(instance)) continue;
    const { owner: { name: provider }, fullName, state, sinceMs } = instance;
    yield { provider, name: fullName.slice(provider.length + 1), state, sinceMs };
  }
}
