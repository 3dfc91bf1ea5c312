import type { PowerState } from '../drivers/driver.js';
import { TextIndex } from '../kit/text-index.js';
import type { Instance } from './instance.js';
import type { Owner } from './owner.js';

/** The machines of one provider, as the registry has them. */
export interface ProviderList {
  readonly provider: Owner;
  /** in the driver's order; never changed, but replaced, so that whoever walks through it may take a pause */
  instances: readonly Instance[];
  /** those and what a listing under way has brought in already, by id */
  readonly byId: TextIndex<Instance>;
  /** states that were told while a listing is taken in: they are newer than it */
  newer: Map<string, PowerState> | undefined;
  /** ends with the listing that is taken in */
  syncing: Promise<void> | undefined;
  /** number of the listing that was taken in last, or is now: an instance has that of the last one that it was in */
  listing: number;
  isRemoved: boolean;
}

export const emptyList = (provider: Owner): ProviderList =>
  ({ provider, instances: [], byId: new TextIndex(({ id }) => id), newer: undefined, syncing: undefined, listing: 0, isRemoved: false });
