import type { PowerState } from '../driver.js';
import { DomainState, PausedReason } from '../../protocols/libvirt/constants.js';
import type { StateAndReason } from '../../protocols/libvirt/types.js';

/** A domain's state as libvirt has it, and what it is called here. */

const STATES: Readonly<Record<number, PowerState>> = {
  [DomainState.RUNNING]: 'on',
  // Xen's word for a guest that waits for work.
  [DomainState.BLOCKED]: 'on',
  [DomainState.PAUSED]: 'paused',
  [DomainState.SHUTDOWN]: 'stopping',
  [DomainState.SHUTOFF]: 'off',
  [DomainState.CRASHED]: 'crashed',
  // Its memory is kept and nothing runs; `resume` wakes it up.
  [DomainState.PMSUSPENDED]: 'suspended',
};

const PAUSED: Readonly<Record<number, PowerState>> = {
  [PausedReason.SHUTTING_DOWN]: 'stopping',
  [PausedReason.CRASHED]: 'crashed',
  [PausedReason.STARTING_UP]: 'starting',
};

/**
 * @param isSaved whether it has a managed save image, from which its next start would resume
 * @returns `unknown` for what no libvirt so far has said
 */
export function toPowerState({ state, reason }: StateAndReason, isSaved: boolean): PowerState {
  if (state === DomainState.SHUTOFF && isSaved) return 'suspended';
  if (state === DomainState.PAUSED) return PAUSED[reason] ?? 'paused';
  return STATES[state] ?? 'unknown';
}
