import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { ControlState, DiskErrorCode, DomainState, JobOperation, JobType } from '../../protocols/libvirt/constants.js';
import { LibvirtError } from '../../protocols/libvirt/errors.js';
import type { Domain, StateAndReason } from '../../protocols/libvirt/types.js';
import { ArgoError } from '../../kit/errors.js';
import { isMigratedAway, workOn } from './states.js';

/**
 * What keeps an order from a domain: libvirt would let it wait for half a minute while it saves or migrates the
 * domain, and one that was migrated away meanwhile only looks as if it had been shut off.
 */

const OPERATIONS: Readonly<Record<number, string>> = {
  [JobOperation.SAVE]: 'it is being saved to disk',
  [JobOperation.RESTORE]: 'it is being restored',
  [JobOperation.MIGRATION_IN]: 'it is being migrated to this host',
  [JobOperation.MIGRATION_OUT]: 'it is being migrated to another host',
  [JobOperation.SNAPSHOT]: 'a snapshot of it is being made',
  [JobOperation.SNAPSHOT_REVERT]: 'it is being set back to a snapshot',
  [JobOperation.DUMP]: 'its memory is being dumped',
};

/** @throws ArgoError WRONG STATE for a domain that runs on another host: nothing done here is done to it */
export function requireHere(state: StateAndReason): void {
  if (isMigratedAway(state)) throw new ArgoError('WRONG STATE', 'it was migrated to another host, and may run there; start --force starts it here all the same');
}

/** @throws ArgoError BUSY, with what libvirt is doing with the domain */
export async function requireIdle(client: LibvirtClient, domain: Domain, state: StateAndReason, signal: AbortSignal): Promise<void> {
  const work = workOn(state) ?? (isActive(state) ? await jobOf(client, domain, signal) : undefined);
  if (work !== undefined) throw new ArgoError('BUSY', work);
}

const isActive = ({ state }: StateAndReason): boolean => state !== DomainState.SHUTOFF && state !== DomainState.CRASHED;

/** Not asked of an emulator that owes an answer already: that would wait with the others. */
async function jobOf(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<string | undefined> {
  try {
    if (await client.control(domain, signal) === ControlState.OCCUPIED) return undefined;
    const { type, operation } = await client.job(domain, signal);
    return type === JobType.BOUNDED || type === JobType.UNBOUNDED ? OPERATIONS[operation] : undefined;
  } catch (error) {
    // A hypervisor without jobs, or a domain that has just ended: the order itself will tell.
    if (error instanceof LibvirtError) return undefined;
    throw error;
  }
}

/** The disks that have paused a domain: `vda: no space`. Empty where libvirt does not say. */
export async function readDiskFaults(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<string> {
  try {
    const faults = await client.diskErrors(domain, signal);
    return faults.map(({ disk, error }) => `${disk}: ${error === DiskErrorCode.NO_SPACE ? 'no space' : 'unspecified error'}`).join(', ');
  } catch (error) {
    if (error instanceof LibvirtError) return '';
    throw error;
  }
}
