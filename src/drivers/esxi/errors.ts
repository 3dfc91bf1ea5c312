import { ArgoError, type Phrase } from '../../kit/errors.js';
import { entryOf } from '../../kit/tables.js';
import { oneLine } from '../../kit/text.js';
import { CertificateError } from '../../protocols/tls/errors.js';
import { LoginRefusedFault, TaskLostError, VimFault, VimTransportError } from '../../protocols/vim/errors.js';
import type { Properties } from '../../protocols/vim/properties.js';
import { at, flagOf, listOf, textOf, type VimValue } from '../../protocols/vim/value.js';
import type { PowerState } from '../driver.js';
import { IS_TEMPLATE } from './items.js';

/** What is said to users of what vSphere answers, or fails to. */

/** Whether a call asks or acts, or is a task that was taken on: an order whose answer is lost may have been carried out. */
export type Kind = 'question' | 'order' | 'task';

/** Ends of a task that say that nobody looks at it any longer, not that nothing was done. */
const LOST_FROM_SIGHT = new Set(['HostCommunication', 'HostNotConnected', 'HostNotReachable', 'Timedout']);

/** Faults of the vSphere API; what is not here is FAILED in its own words. */
const FAULTS: Readonly<Record<string, readonly [Phrase, string?]>> = {
  InvalidLogin: ['ACCESS DENIED', 'the user name or the password is refused'],
  NotAuthenticated: ['ACCESS DENIED', 'the session is refused although the login was accepted'],
  NoPermission: ['ACCESS DENIED'],
  PasswordExpired: ['ACCESS DENIED', 'the password has expired'],
  AdminDisabled: ['ACCESS DENIED', 'the host is in lockdown mode: it can be reached through its vCenter alone'],
  HostInLockdownMode: ['ACCESS DENIED', 'the host is in lockdown mode: it can be reached through its vCenter alone'],
  RestrictedVersion: ['NOT SUPPORTED', 'the licence of this ESXi lets nobody change anything by this interface; the provider type esxi-free can'],
  RestrictedByAdministrator: ['ACCESS DENIED', 'the administrator has forbidden it'],
  InvalidPowerState: ['WRONG STATE'],
  InvalidState: ['WRONG STATE'],
  TaskInProgress: ['BUSY', 'another task holds it'],
  ConcurrentAccess: ['BUSY', 'somebody else is changing it'],
  VAppTaskInProgress: ['BUSY', 'a task of its vApp holds it'],
  ToolsUnavailable: ['NOT SUPPORTED', 'VMware Tools do not run in it, so it cannot be asked; use --force'],
  QuestionPending: ['NEEDS ANSWER'],
  RequestCanceled: ['FAILED', 'somebody has cancelled it'],
  HostNotConnected: ['UNREACHABLE', 'vCenter has no connection to the host'],
  HostNotReachable: ['UNREACHABLE', 'vCenter cannot reach the host'],
  HostCommunication: ['UNCERTAIN', 'vCenter lost its connection to the host'],
  Timedout: ['UNCERTAIN', 'it did not end in time'],
  NotSupported: ['NOT SUPPORTED'],
  ManagedObjectNotFound: ['NO SUCH INSTANCE', 'it is gone since the last listing'],
  NotImplemented: ['NOT SUPPORTED'],
  MethodNotFound: ['NOT SUPPORTED'],
};

function wordsOf(fault: VimFault): string {
  const words = oneLine(fault.words);
  const privilege = textOf(at(fault.detail, 'privilegeId'));
  if (fault.fault === 'NoPermission' && privilege !== undefined) return `the account lacks the privilege ${privilege}`;
  const state = textOf(at(fault.detail, 'existingState'));
  if (fault.fault === 'InvalidPowerState' && state !== undefined) return `it is ${state}`;
  return words === '' || words.startsWith('*types.') ? fault.fault : words;
}

/** Any thrown thing as what is told; abortions and ArgoErrors as they are. */
export function explain(error: unknown, kind: Kind): unknown {
  if (error instanceof VimFault) {
    const [phrase, words] = entryOf(FAULTS, error.fault) ?? ['FAILED' as const];
    const hint = error instanceof LoginRefusedFault ? `; ${error.hint}` : '';
    const isInDoubt = kind === 'task' && LOST_FROM_SIGHT.has(error.fault);
    return new ArgoError(isInDoubt ? 'UNCERTAIN' : phrase, `${words ?? wordsOf(error)}${hint}`, { cause: error });
  }
  if (error instanceof TaskLostError) return new ArgoError('UNCERTAIN', `what became of the task cannot be told: ${oneLine(error.message)}`, { cause: error });
  if (error instanceof CertificateError) return new ArgoError('CERTIFICATE REJECTED', oneLine(error.message), { cause: error });
  if (error instanceof VimTransportError) return new ArgoError(kind !== 'question' && error.sent ? 'UNCERTAIN' : 'UNREACHABLE', oneLine(error.message), { cause: error });
  return error;
}

/** @throws what {@link explain} makes of what the work throws */
export async function explained<T>(kind: Kind, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(error, kind);
  }
}

/** What vSphere says of machines, and what that is called here. */

const POWER: Readonly<Record<string, PowerState>> = { poweredOn: 'on', poweredOff: 'off', suspended: 'suspended' };

/** What vSphere last knew of a machine that it has lost sight of says nothing of what it is doing now. */
export function vmState(properties: Properties): PowerState {
  if (properties.get('runtime.connectionState') !== 'connected') return 'unknown';
  return entryOf(POWER, textOf(properties.get('runtime.powerState')) ?? '') ?? 'unknown';
}

/** Templates, and the agents that a cluster runs for itself, which nobody may touch. */
export function isHidden(properties: Properties): boolean {
  return flagOf(properties.get(IS_TEMPLATE))
    || at(properties.get('config.managedBy'), 'extensionKey') === 'com.vmware.vim.eam'
    || /^vCLS[ -]/.test(textOf(properties.get('name')) ?? '');
}

/** A question that a machine waits with (VirtualMachineQuestionInfo). */
export interface Question {
  readonly id: string;
  /** ids of its messages, such as msg.uuid.altered */
  readonly messages: readonly string[];
  /** what is asked, and what may be answered */
  readonly text: string;
  readonly choices: readonly { readonly key: string; readonly label: string }[];
}

export function questionOf(value: VimValue | undefined): Question | undefined {
  const id = textOf(at(value, 'id'));
  if (id === undefined) return undefined;
  const choices = listOf(at(value, 'choice', 'choiceInfo')).map((choice) => ({
    key: textOf(at(choice, 'key')) ?? '', label: textOf(at(choice, 'label')) ?? textOf(at(choice, 'summary')) ?? '',
  }));
  const asked = oneLine(textOf(at(value, 'text')) ?? 'no text');
  return {
    id, choices,
    messages: listOf(at(value, 'message')).map((message) => textOf(at(message, 'id'))).filter((name) => name !== undefined),
    text: choices.length === 0 ? asked : `${asked} (${choices.map(({ label }) => label).join(' | ')})`,
  };
}
