import { ArgoError, type Phrase } from '../../kit/errors.js';
import { oneLine } from '../wmi/errors.js';

/** What Hyper-V's methods and jobs return when they refuse (documentation of Msvm_ComputerSystem, Msvm_ShutdownComponent). */
const REFUSALS: Readonly<Record<number, readonly [Phrase, string]>> = {
  1: ['NOT SUPPORTED', 'Hyper-V cannot do that with this machine'],
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

/** @param words the host's own, in its own language */
export function refusal(code: number | undefined, words = ''): ArgoError {
  const [phrase, meaning] = REFUSALS[code ?? -1] ?? ['FAILED', `Hyper-V refuses it with error ${code ?? 'unknown'}`];
  return new ArgoError(phrase, oneLine(words === '' ? meaning : `${meaning}: ${words}`));
}

/** A guest that is told to shut down while it does. */
export const SHUTTING_DOWN = 32_782;
