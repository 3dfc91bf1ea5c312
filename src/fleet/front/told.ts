import type { KnownSite } from '../../instances/fleet.js';
import type { SiteInfo } from '../contract.js';

/** A site as the gate tells of it: its providers are called here by the site's name and their own. */
export const asTold = ({ name, trouble, heard, skew, alive }: SiteInfo): KnownSite => ({
  name, trouble, heard, skew,
  started: alive?.started, version: alive?.version, orders: alive?.orders, outbox: alive?.outbox,
  providers: (alive?.providers ?? []).map(({ name: own, type, stale, held }) => ({ name: `${name}.${own}`, type, stale, held })),
});
