import type { Log } from '../../../kit/log.js';
import { within } from '../../../kit/within.js';
import type { WorkCall } from '../contract.js';
import { KEEPING_S } from './guard-scripts.js';
import { ifupdown } from './keepers/ifupdown.js';
import { Tools } from './keepers/keeper.js';
import { netplan } from './keepers/netplan.js';
import { networkManager } from './keepers/network-manager.js';
import type { Run } from './ip-output.js';
import type { Keeping } from './plan.js';

/** netplan first: NetworkManager may be only what it writes for. */
const KEEPERS = [netplan, networkManager, ifupdown];

/** For as long as the host's network is locked, less what may be lost on the way. Milliseconds. */
const LIMIT_MS = KEEPING_S * 1000 - 5000;

/**
 * Has a confirmed change kept by the host's own tool, for its next start.
 * @returns its name; undefined where none does: then the change lasts until that start. Never rejects: it has been made
 */
export async function keep(run: Run, log: Log, keeping: Keeping | undefined, { signal }: WorkCall): Promise<string | undefined> {
  if (keeping === undefined) return undefined;
  try {
    return await within(LIMIT_MS, [signal], async (limit) => {
      const tools = new Tools(run, limit);
      for (const keeper of KEEPERS) {
        if (await keeper.owns(tools, keeping.device)) return await keeper.keep(tools, keeping) ? keeper.name : undefined;
      }
      return undefined;
    });
  } catch (error) {
    log('warn', 'a change of the host\'s network is in force, but is not kept for its next start', { error: String(error) });
    return undefined;
  }
}
