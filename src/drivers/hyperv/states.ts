import type { PowerState } from '../driver.js';

/**
 * Msvm_ComputerSystem.EnabledState, of the namespace v2 and of the one before it, whose own values
 * begin at 32768. What is on its way to being saved or paused is still on.
 */
const STATES: ReadonlyMap<number, PowerState> = new Map([
  [2, 'on'], [3, 'off'], [4, 'stopping'], [6, 'suspended'], [9, 'paused'], [10, 'starting'],
  [32_768, 'paused'], [32_769, 'suspended'], [32_770, 'starting'], [32_771, 'on'],
  [32_773, 'on'], [32_774, 'stopping'], [32_776, 'on'], [32_777, 'starting'],
]);

/** @param enabledState undefined where the host does not tell it */
export const toPowerState = (enabledState: number | undefined): PowerState => STATES.get(enabledState ?? -1) ?? 'unknown';
