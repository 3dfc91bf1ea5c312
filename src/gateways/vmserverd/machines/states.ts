import type { PowerState } from '../../../drivers/driver.js';

/**
 * Numbers of states, as VMware's programming interfaces had them: 1 on, 2 off, 3 suspended, 4 stuck (it waits for an answer),
 * 5 unknown. What is paused counts as suspended: `start` takes it up where it was. Argo's own word stands beside the number.
 */
export const STATE_NUMBERS: Readonly<Record<PowerState, 1 | 2 | 3 | 5>> = {
  on: 1, starting: 1, stopping: 1, off: 2, suspended: 3, paused: 3, crashed: 5, unknown: 5,
};
