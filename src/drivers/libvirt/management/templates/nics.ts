import type { DeploySettings } from '../../../management/storage.js';
import { readBridges } from './bridges.js';
import type { Descriptor } from './descriptor.js';
import type { HostFiles } from './host-files.js';

/** Where the interfaces of a new machine go; and what of the settings cannot be. */
export interface Nics {
  /** for each interface its bridge; undefined: wherever machines go of which nothing is said */
  readonly bridges: readonly (string | undefined)[];
  readonly faults: Readonly<Record<string, string>>;
}

/** The first interface goes to the bridge that was asked for, the others to those of the template that the host has. */
export async function chooseNics(files: HostFiles, { bridges: described }: Descriptor, { bridge }: DeploySettings, signal: AbortSignal): Promise<Nics> {
  if (bridge === undefined && described.length === 0) return { bridges: [], faults: {} };
  const present = await readBridges(files, signal);
  const bridges = (described.length > 0 ? described : ['']).map((one) => (present.includes(one) ? one : undefined));
  if (bridge === undefined) return { bridges, faults: {} };
  if (!present.includes(bridge)) return { bridges, faults: { bridge: `the host has no bridge ${bridge}${present.length > 0 ? `; it has ${present.join(', ')}` : ''}` } };
  return { bridges: [bridge, ...bridges.slice(1)], faults: {} };
}
