import type { PowerState } from '../driver.js';
import { entries, text, type XapiRecord } from '../../protocols/xapi/values.js';

const STATES: Readonly<Record<string, PowerState>> = { Running: 'on', Halted: 'off', Paused: 'paused', Suspended: 'suspended' };

/** Operations that are on their way to another state; a reboot stays where it is. */
const UNDER_WAY: Readonly<Record<string, PowerState>> = {
  start: 'starting', start_on: 'starting', resume: 'starting', resume_on: 'starting',
  clean_shutdown: 'stopping', hard_shutdown: 'stopping', shutdown: 'stopping',
};

/** The state that a VM's record tells; `unknown` for what no XenAPI so far has said. */
export function toPowerState(record: XapiRecord): PowerState {
  const state = STATES[text(record.power_state)] ?? 'unknown';
  const coming = entries(record.current_operations).map(([, operation]) => UNDER_WAY[operation]).find((each) => each !== undefined);
  if (coming === 'starting' && state !== 'on') return coming;
  return coming === 'stopping' && state !== 'off' ? coming : state;
}

/**
 * What a state is worth: of VMs on a host that the pool has lost, the records still tell what they did
 * before. What is halted or saved is on no host.
 */
export const asSeen = (recorded: PowerState, isHostLost: boolean): PowerState =>
  (isHostLost && recorded !== 'off' && recorded !== 'suspended' ? 'unknown' : recorded);

/** Templates, snapshots and control domains are VMs to XenAPI, and nobody's machines. */
export const isMachine = (record: XapiRecord): boolean =>
  record.is_a_template !== true && record.is_a_snapshot !== true && record.is_control_domain !== true;
