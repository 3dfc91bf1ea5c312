import { ArgoError, type Phrase } from '../../kit/errors.js';
import type { PowerState } from '../driver.js';
import { detailOf } from '../wmi/errors.js';

/**
 * What Hyper-V's methods and jobs return when they refuse (documentation of Msvm_ComputerSystem,
 * Msvm_ShutdownComponent; below 32768 those of CIM_EnabledLogicalElement).
 */
const REFUSALS: Readonly<Record<number, readonly [Phrase, string]>> = {
  1: ['NOT SUPPORTED', 'Hyper-V cannot do that with this machine'],
  2: ['UNCERTAIN', 'Hyper-V does not know what came of it'],
  3: ['UNCERTAIN', 'Hyper-V has given up waiting for it'],
  4: ['FAILED', 'Hyper-V says that it failed'],
  5: ['FAILED', 'Hyper-V does not take the order in this form'],
  6: ['BUSY', 'the machine is in use by something else, such as a backup'],
  4097: ['WRONG STATE', 'the machine is not in a state for that'],
  4098: ['FAILED', 'Hyper-V does not take the order in this form'],
  4099: ['BUSY', 'the machine is in use by something else, such as a backup'],
  32768: ['FAILED', 'Hyper-V says that it failed'],
  32769: ['ACCESS DENIED', 'the account may not do that with this machine: it has to be in "Hyper-V Administrators"'],
  32770: ['NOT SUPPORTED', 'Hyper-V cannot do that with this machine'],
  32771: ['UNCERTAIN', 'Hyper-V does not know what came of it'],
  32772: ['UNCERTAIN', 'Hyper-V has given up waiting for it'],
  32773: ['FAILED', 'Hyper-V does not take the order in this form'],
  32774: ['BUSY', 'the machine is in use by something else, such as a backup'],
  32775: ['WRONG STATE', 'the machine is not in a state for that'],
  32776: ['FAILED', 'Hyper-V does not take the order in this form'],
  32777: ['UNREACHABLE', 'the machine is not available to Hyper-V'],
  32778: ['FAILED', 'the host has not enough memory'],
  32779: ['FAILED', 'a file of the machine is missing'],
  32780: ['BUSY', 'the guest is not ready for that yet'],
  32781: ['FAILED', 'the guest is locked or somebody works in it; set close-programs, or use --force'],
  32782: ['BUSY', 'the guest is shutting down already'],
};

/**
 * @param words the host's own, in its own language
 * @param isOver whether it has ended without success, so that even a number without a known meaning leaves no doubt
 */
export function refusal(code: number, words = '', isOver = false): ArgoError {
  const [phrase, meaning] = REFUSALS[code] ?? (isOver ? ['FAILED', `Hyper-V says that it failed with error ${code}`] : ['UNCERTAIN', `Hyper-V answers with ${code}, of which it is not known whether it does it`]);
  return new ArgoError(phrase, detailOf(words === '' ? meaning : `${meaning}: ${words}`));
}

/** The host does not have the machine when an order comes, so that nothing was ordered: it may be on another node by now. */
export class NotThere extends ArgoError {
  constructor(cause: unknown) {
    super('NO SUCH INSTANCE', 'the machine no longer has it', { cause });
  }
}

/** A guest that is told to shut down while it does. */
export const SHUTTING_DOWN = 32_782;

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
