import type { PowerState } from '../driver.js';
import { DomainState, PausedReason, RunningReason, ShutoffReason } from '../../protocols/libvirt/constants.js';
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
  [PausedReason.SAVE]: 'stopping',
  [PausedReason.SHUTTING_DOWN]: 'stopping',
  [PausedReason.CRASHED]: 'crashed',
  [PausedReason.STARTING_UP]: 'starting',
  // On its way between two hosts: which of them has it is not known here.
  [PausedReason.MIGRATION]: 'unknown',
  [PausedReason.POSTCOPY]: 'unknown',
};

/**
 * @param isSaved whether it has a managed save image, from which its next start would resume
 * @returns `unknown` for what no libvirt so far has said, and for a guest that was migrated away: it is not off
 */
export function toPowerState({ state, reason }: StateAndReason, isSaved: boolean): PowerState {
  if (isMigratedAway({ state, reason })) return 'unknown';
  if (state === DomainState.SHUTOFF && isSaved) return 'suspended';
  if (state === DomainState.PAUSED) return PAUSED[reason] ?? 'paused';
  return STATES[state] ?? 'unknown';
}

/** libvirt calls a guest shut off that it has handed over to another host, where it runs on. */
export const isMigratedAway = ({ state, reason }: StateAndReason): boolean =>
  state === DomainState.SHUTOFF && reason === ShutoffReason.MIGRATED;

/** Whether it is between two hosts: to end it here might leave it running there. */
export const isHandedOver = ({ state, reason }: StateAndReason): boolean =>
  state === DomainState.PAUSED && (reason === PausedReason.MIGRATION || reason === PausedReason.POSTCOPY);

/** Whether a fault of its disks has paused it. */
export const isStoppedByDisk = ({ state, reason }: StateAndReason): boolean =>
  state === DomainState.PAUSED && reason === PausedReason.IOERROR;

/**
 * As {@link isStoppedByDisk}, of one that has just been told to go on after such a fault: where the fault is told
 * before libvirt has seen it go on, libvirt keeps no reason.
 */
export const isStoppedAgain = (now: StateAndReason): boolean =>
  isStoppedByDisk(now) || (now.state === DomainState.PAUSED && now.reason === PausedReason.UNKNOWN);

/** What libvirt is doing with a guest that it has paused for it; undefined where it does nothing. */
export function workOn({ state, reason }: StateAndReason): string | undefined {
  return state === DomainState.PAUSED ? WORK[reason] : undefined;
}

const WORK: Readonly<Record<number, string>> = {
  [PausedReason.SAVE]: 'it is being saved to disk',
  [PausedReason.MIGRATION]: 'it is being migrated',
  [PausedReason.POSTCOPY]: 'it is being migrated',
  [PausedReason.DUMP]: 'its memory is being dumped',
  [PausedReason.SNAPSHOT]: 'a snapshot of it is being made',
};

const STATE_WORDS: Readonly<Record<number, string>> = {
  [DomainState.RUNNING]: 'running',
  [DomainState.BLOCKED]: 'blocked',
  [DomainState.PAUSED]: 'paused',
  [DomainState.SHUTDOWN]: 'in shutdown',
  [DomainState.SHUTOFF]: 'shut off',
  [DomainState.CRASHED]: 'crashed',
  [DomainState.PMSUSPENDED]: 'pmsuspended',
};

const REASON_WORDS: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  [DomainState.RUNNING]: {
    [RunningReason.BOOTED]: 'booted',
    [RunningReason.MIGRATED]: 'migrated',
    [RunningReason.RESTORED]: 'restored',
    [RunningReason.FROM_SNAPSHOT]: 'from snapshot',
    [RunningReason.UNPAUSED]: 'unpaused',
    [RunningReason.MIGRATION_CANCELED]: 'migration canceled',
    [RunningReason.SAVE_CANCELED]: 'save canceled',
    [RunningReason.WAKEUP]: 'woken up',
    [RunningReason.CRASHED]: 'crashed',
    [RunningReason.POSTCOPY]: 'post-copy',
    [RunningReason.POSTCOPY_FAILED]: 'post-copy failed',
  },
  [DomainState.PAUSED]: {
    [PausedReason.USER]: 'by a user',
    [PausedReason.MIGRATION]: 'migrating',
    [PausedReason.SAVE]: 'saving',
    [PausedReason.DUMP]: 'dumping',
    [PausedReason.IOERROR]: 'I/O error',
    [PausedReason.WATCHDOG]: 'watchdog',
    [PausedReason.FROM_SNAPSHOT]: 'from snapshot',
    [PausedReason.SHUTTING_DOWN]: 'shutting down',
    [PausedReason.SNAPSHOT]: 'creating snapshot',
    [PausedReason.CRASHED]: 'crashed',
    [PausedReason.STARTING_UP]: 'starting up',
    [PausedReason.POSTCOPY]: 'post-copy',
    [PausedReason.POSTCOPY_FAILED]: 'post-copy failed',
    [PausedReason.API_ERROR]: 'error of a call',
  },
  [DomainState.SHUTOFF]: {
    [ShutoffReason.SHUTDOWN]: 'shutdown',
    [ShutoffReason.DESTROYED]: 'destroyed',
    [ShutoffReason.CRASHED]: 'crashed',
    [ShutoffReason.MIGRATED]: 'migrated',
    [ShutoffReason.SAVED]: 'saved',
    [ShutoffReason.FAILED]: 'failed',
    [ShutoffReason.FROM_SNAPSHOT]: 'from snapshot',
    [ShutoffReason.DAEMON]: 'daemon',
  },
};

/** In libvirt's own words, as `virsh domstate --reason` has them: `paused (I/O error)`. */
export function stateInWords({ state, reason }: StateAndReason): string {
  const words = STATE_WORDS[state] ?? 'no state';
  const because = REASON_WORDS[state]?.[reason];
  return because === undefined ? words : `${words} (${because})`;
}
