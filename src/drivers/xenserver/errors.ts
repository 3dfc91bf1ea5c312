import { ArgoError, type Phrase } from '../../kit/errors.js';
import { entryOf } from '../../kit/tables.js';
import { oneLine } from '../../kit/text.js';
import { ForeignAnswerError, HttpStatusError, LoginRefusedError, TaskLostError, TOO_MANY_CONSOLES, withoutHandles, XapiError } from '../../protocols/xapi/errors.js';
import { CertificateError, ConnectionLostError } from '../../protocols/tls/errors.js';
import type { Effect } from '../../protocols/xapi/pool.js';
import type { PowerState } from '../driver.js';
import { entries, text, type XapiRecord } from '../../protocols/xapi/records.js';

/** Every error of XenAPI and of the way to it, as a user reads it. One table. */

/** @returns undefined where what belongs to the code is not there, or says that the code means something else */
type Words = (params: readonly string[]) => string | undefined;

const BY_CODE: Readonly<Record<string, readonly [Phrase, Words]>> = {
  VM_BAD_POWER_STATE: ['WRONG STATE', ([, expected, actual]) => expected && actual && `it is ${actual.toLowerCase()}; ${expected.toLowerCase()} is needed`],
  VM_LACKS_FEATURE: ['NOT SUPPORTED', noTools],
  VM_LACKS_FEATURE_SHUTDOWN: ['NOT SUPPORTED', noTools],
  VM_LACKS_FEATURE_SUSPEND: ['NOT SUPPORTED', noTools],
  VM_MISSING_PV_DRIVERS: ['NOT SUPPORTED', noTools],
  VM_OLD_PV_DRIVERS: ['NOT SUPPORTED', () => 'the guest\'s tools are too old for it'],
  VM_NO_SUSPEND_SR: ['NOT SUPPORTED', () => 'the pool has no storage to save its memory to'],
  VM_HAS_PCI_ATTACHED: ['NOT SUPPORTED', () => 'it has a device of its host attached'],
  OPERATION_BLOCKED: ['FAILED', ([, reason]) => `it is blocked in the pool${reason && reason !== 'true' ? `: ${reason}` : ', by blocked_operations of the VM'}`],
  OPERATION_NOT_ALLOWED: ['FAILED', ([reason]) => reason && `the pool does not allow it: ${reason}`],
  [TOO_MANY_CONSOLES]: ['BUSY', () => 'somebody has its console open, and the pool lets only one have it (limit_console_sessions)'],
  TOO_BUSY: ['BUSY', () => 'the pool has too much to do'],
  VM_SHUTDOWN_TIMEOUT: ['FAILED', ([, seconds]) => `the guest has not shut down${Number(seconds) > 0 ? ` within ${Number(seconds)} s` : ' in time'}`],
  VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT: ['FAILED', () => 'the guest has taken no note of the request'],
  VM_CRASHED: ['FAILED', () => 'it has crashed meanwhile'],
  VM_HALTED: ['FAILED', () => 'it has halted meanwhile'],
  VM_REBOOTED: ['FAILED', () => 'it has rebooted meanwhile'],
  VM_HVM_REQUIRED: ['FAILED', () => 'no host has the hardware virtualisation that it needs'],
  VM_REQUIRES_SR: ['FAILED', () => 'no host that could take it has the storage of its disks'],
  VM_REQUIRES_NETWORK: ['FAILED', () => 'no host that could take it has its networks'],
  BOOTLOADER_FAILED: ['FAILED', ([, words]) => words && `its boot loader failed: ${words}`],
  NO_HOSTS_AVAILABLE: ['FAILED', () => 'no host of the pool can take it'],
  HOST_NOT_ENOUGH_FREE_MEMORY: ['FAILED', ([needed, free]) => `not enough free memory${needed && free ? `: ${needed} bytes are needed, ${free} are free` : ' on the host'}`],
  HOST_DISABLED: ['FAILED', () => 'the host is disabled: it takes no VMs'],
  LICENCE_RESTRICTION: ['NOT SUPPORTED', ([feature]) => `the pool's licence does not include it${feature ? `: ${feature}` : ''}`],
  HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN: ['FAILED', () => 'high availability forbids it: after it the pool could not restart all protected VMs'],
  HA_POOL_IS_ENABLED_BUT_HOST_IS_DISABLED: ['FAILED', () => 'high availability is on, and the host is disabled'],
  HA_IS_ENABLED: ['FAILED', () => 'high availability is on; it has to be switched off first'],
  HA_NO_PLAN: ['FAILED', () => 'high availability finds no way to restart all protected VMs'],
  HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED: ['FAILED', () => 'high availability needs its disks on shared storage'],
  HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED: ['FAILED', () => 'high availability needs its networks on all hosts'],
  VDI_IN_USE: ['FAILED', () => 'a disk of it is in use'],
  VDI_MISSING: ['FAILED', () => 'a disk of it is missing from its storage'],
  VDI_LOCATION_MISSING: ['FAILED', () => 'a disk of it is missing from its storage'],
  VDI_NOT_AVAILABLE: ['FAILED', () => 'a disk of it is not available'],
  VDI_READONLY: ['FAILED', () => 'a disk of it is read-only'],
  SR_HAS_NO_PBDS: ['FAILED', () => 'its storage is not attached to the host'],
  SR_FULL: ['FAILED', () => 'its storage is full'],
  OTHER_OPERATION_IN_PROGRESS: ['BUSY', ([type, , operation]) => type && `the ${type} is occupied with ${operation ?? 'another operation'}`],
  SESSION_AUTHENTICATION_FAILED: ['ACCESS DENIED', () => 'the user or the password is wrong'],
  SESSION_INVALID: ['UNREACHABLE', () => 'the pool ends each session at once'],
  RBAC_PERMISSION_DENIED: ['ACCESS DENIED', ([right]) => right && `the user's role does not include ${right}`],
  HOST_IS_SLAVE: ['UNREACHABLE', ([master]) => master && `the host names ${master} as its master, which is not to be had`],
  HOST_STILL_BOOTING: ['UNREACHABLE', () => 'the host is still booting'],
  HOST_NOT_LIVE: ['UNREACHABLE', () => 'the host that it needs does not answer the pool'],
  HOST_OFFLINE: ['UNREACHABLE', () => 'the host that it needs does not answer the pool'],
  HOST_NOT_DISABLED: ['FAILED', () => 'the host is not disabled, so it does not shut down'],
  HOST_IN_USE: ['FAILED', ([, type]) => type && `the host still carries a ${type}`],
  HANDLE_INVALID: ['NO SUCH INSTANCE', gone],
  UUID_INVALID: ['NO SUCH INSTANCE', gone],
  VM_IS_TEMPLATE: ['NO SUCH INSTANCE', () => 'it is a template now'],
  MESSAGE_METHOD_UNKNOWN: ['NOT SUPPORTED', ([method]) => method && `this version of XenAPI has no ${method}`],
  TASK_CANCELLED: ['FAILED', () => 'somebody has cancelled it'],
};

/** Many codes that begin alike, for which one sentence has to do. */
const BY_KIND: readonly (readonly [RegExp, (words: string) => string])[] = [
  [/^HA_/, (words) => `high availability forbids it (${words})`],
  [/^VDI_/, (words) => `there is something wrong with a disk of it (${words})`],
  [/^SR_/, (words) => `its storage failed (${words})`],
];

function noTools(): string {
  return 'the guest has no tools that could do it';
}

/** A disk or a network that is gone leaves the machine where it is. */
function gone([type = '']: readonly string[]): string | undefined {
  return /^(vm|host)$/i.test(type) ? `the pool no longer has that ${type}` : undefined;
}

/** The server's words for what is not in the table: a code, and what belongs to it. */
function othersWords({ code, params }: XapiError): string {
  const words = [code, ...params.filter((each) => each !== '')].join(' ');
  return BY_KIND.find(([kind]) => kind.test(code))?.[1](words) ?? words;
}

/** The master has lost the host that it was passing the order on to (xapi's message forwarding), so that it may have arrived. */
const LOST_ON_THE_WAY = 'CANNOT_CONTACT_HOST';

/** Whether what was ordered may have been carried out all the same. */
export function isInDoubt(error: unknown): boolean {
  if (error instanceof ConnectionLostError) return error.sent;
  if (error instanceof HttpStatusError) return !error.isRefusal;
  return error instanceof ForeignAnswerError || error instanceof TaskLostError || (error instanceof XapiError && error.code === LOST_ON_THE_WAY);
}

/**
 * @param effect `acts`: what leaves open whether it was carried out is UNCERTAIN
 * @param hasHardWay the command takes --force
 * @returns what is no error of XenAPI's as it is: an abort's reason, an ArgoError, a fault of ours
 */
export function explain(error: unknown, effect: Effect, hasHardWay = false): unknown {
  const inDoubt = effect === 'acts' && isInDoubt(error) ? 'UNCERTAIN' : 'UNREACHABLE';
  if (error instanceof XapiError && error.code === LOST_ON_THE_WAY) return new ArgoError(inDoubt, 'the pool has lost the host that has to do it', { cause: error });
  if (error instanceof XapiError) {
    const [phrase, words] = entryOf(BY_CODE, error.code) ?? ['FAILED' as const, () => undefined];
    const said = words(error.params);
    if (error instanceof LoginRefusedError) return new ArgoError(phrase, clean(`${said ?? othersWords(error)}; ${error.hint}`), { cause: error });
    if (said && words === noTools && hasHardWay) return new ArgoError(phrase, `${said}; --force does it the hard way`, { cause: error });
    if (said) return new ArgoError(phrase, clean(said), { cause: error });
    return new ArgoError(words === gone ? 'FAILED' : phrase, clean(othersWords(error)), { cause: error });
  }
  if (error instanceof TaskLostError) return new ArgoError(inDoubt, clean(error.message), { cause: error });
  if (error instanceof ConnectionLostError) return new ArgoError(inDoubt, clean(`the pool: ${error.message}`), { cause: error });
  if (error instanceof CertificateError) return new ArgoError('CERTIFICATE REJECTED', clean(error.message), { cause: error });
  if (error instanceof ForeignAnswerError) return new ArgoError(inDoubt, clean(`the pool: ${error.message}`), { cause: error });
  return error;
}

/** One line, in which no handle can be read. */
const clean = (words: string): string => oneLine(withoutHandles(words));

const STATES: Readonly<Record<string, PowerState>> = { Running: 'on', Halted: 'off', Paused: 'paused', Suspended: 'suspended' };

/** Operations that are on their way to another state; a reboot stays where it is. */
const UNDER_WAY: Readonly<Record<string, PowerState>> = {
  start: 'starting', start_on: 'starting', resume: 'starting', resume_on: 'starting',
  clean_shutdown: 'stopping', hard_shutdown: 'stopping', shutdown: 'stopping',
};

/** The state that a VM's record tells; `unknown` for what no XenAPI so far has said. */
export function toPowerState(record: XapiRecord): PowerState {
  const state = entryOf(STATES, text(record.power_state)) ?? 'unknown';
  const coming = entries(record.current_operations).map(([, operation]) => entryOf(UNDER_WAY, operation)).find((each) => each !== undefined);
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
