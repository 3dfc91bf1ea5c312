import { present } from '../../kit/present.js';
import { Slices } from '../../kit/slices.js';
import { isFault } from '../../protocols/vim/errors.js';
import type { FoundObject, Properties } from '../../protocols/vim/properties.js';
import { flagOf } from '../../protocols/vim/value.js';
import type { Sample } from '../driver.js';
import type { Context } from './context.js';
import { explained, vmState } from './errors.js';
import { IS_TEMPLATE, VM_UUID, vmId } from './items.js';
import { LOAD_PATHS, loadIn, STATE_PATHS, UPTIME_PATH, uptimeIn } from './readings.js';

/** Readings of all virtual machines by one question, for those who look at all of them again and again. */

const PATHS = { VirtualMachine: [VM_UUID, IS_TEMPLATE, ...STATE_PATHS, UPTIME_PATH, ...LOAD_PATHS] };

/** What a sample has. Traffic is none of it: vSphere keeps rates of an hour, which are too much to ask of all. */
export const SAMPLED = ['status', 'uptime', 'load'] as const satisfies readonly (keyof Sample)[];

/** As Driver.sample has it. @throws ArgoError */
export async function sampleAll({ inventory }: Context, signal: AbortSignal): Promise<ReadonlyMap<string, Sample>> {
  const found = await explained('question', () => inventory.readAll(PATHS, signal).catch((error: unknown) => {
    // The session has been made anew, and what knew the machines is gone with the former one: they are asked singly until it is back.
    if (isFault(error, 'ManagedObjectNotFound')) return new Map<string, FoundObject>();
    throw error;
  }));
  const samples = new Map<string, Sample>();
  const slices = new Slices();
  for (const object of found.values()) {
    if (slices.isOverNow()) await slices.pause();
    if (flagOf(object.properties.get(IS_TEMPLATE))) continue;
    samples.set(vmId(object), sampleOf(object.properties));
  }
  return samples;
}

function sampleOf(properties: Properties): Sample {
  const status = vmState(properties);
  return status === 'on' ? present<Sample>({ status, uptime: uptimeIn(properties), load: loadIn(properties) }) : { status };
}
