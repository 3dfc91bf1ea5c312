import { ArgoError } from '../../kit/errors.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { DomainState, SaveFlag, ShutdownMode } from '../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../protocols/libvirt/errors.js';
import { beforeSending } from '../before-sending.js';
import type { PowerState } from '../driver.js';
import { readState } from './reads.js';
import type { Subject } from './subject.js';

/**
 * The steps that are more than one call. Asking and acting are apart: a question that is cut off
 * leaves no doubt about what was done.
 */

const state = ({ link, domain }: Subject, signal: AbortSignal): Promise<number> => beforeSending(signal, () =>
  link.use('reads', signal, async (client) => (await client.state(domain, signal)).state));

const power = (subject: Subject, signal: AbortSignal): Promise<PowerState> => beforeSending(signal, () =>
  subject.link.use('reads', signal, (client) => readState(client, subject, signal)));

const act = ({ link }: Subject, signal: AbortSignal, work: (client: LibvirtClient) => Promise<void>): Promise<void> =>
  link.use('acts', signal, work);

/** A further call of a step that has done something already: "nothing was done" would not be true of it. */
async function actFurther(subject: Subject, signal: AbortSignal, work: (client: LibvirtClient) => Promise<void>): Promise<void> {
  try {
    await act(subject, signal, work);
  } catch (error) {
    throw error instanceof ArgoError && error.phrase === 'UNREACHABLE' ? new ArgoError('UNCERTAIN', error.detail, { cause: error }) : error;
  }
}

/**
 * libvirt's create restores a managed save image of itself. A guest that has crashed still holds its
 * emulator, which has to go first.
 */
export async function start(subject: Subject, signal: AbortSignal): Promise<void> {
  const { domain } = subject;
  if (await state(subject, signal) === DomainState.PMSUSPENDED) return act(subject, signal, (client) => client.wakeUp(domain, signal));
  if (await power(subject, signal) !== 'crashed') return act(subject, signal, (client) => client.create(domain, signal));
  await act(subject, signal, (client) => client.destroyDomain(domain, signal));
  return actFurther(subject, signal, (client) => client.create(domain, signal));
}

export async function resume(subject: Subject, signal: AbortSignal): Promise<void> {
  if (await power(subject, signal) !== 'suspended') throw new ArgoError('WRONG STATE', 'there is no saved image to resume from');
  await start(subject, signal);
}

/** A paused guest would come back paused: it is saved as one that runs. */
export async function suspend(subject: Subject, signal: AbortSignal): Promise<void> {
  const flags = await state(subject, signal) === DomainState.PAUSED ? SaveFlag.RUNNING : 0;
  await act(subject, signal, (client) => client.managedSave(subject.domain, flags, signal));
}

/** To power off a guest that is saved to disk is to throw its saved memory away. */
export async function powerOff(subject: Subject, signal: AbortSignal): Promise<void> {
  const { domain } = subject;
  const isSaved = await power(subject, signal) === 'suspended' && await state(subject, signal) === DomainState.SHUTOFF;
  await act(subject, signal, (client) => (isSaved ? client.removeManagedSave(domain, signal) : client.destroyDomain(domain, signal)));
}

/** A paused guest is reset and stays paused: the button of a machine would start it. */
export async function reset(subject: Subject, signal: AbortSignal): Promise<void> {
  const { domain } = subject;
  const isPaused = await state(subject, signal) === DomainState.PAUSED;
  await act(subject, signal, (client) => client.reset(domain, signal));
  if (isPaused) await actFurther(subject, signal, (client) => client.unpause(domain, signal));
}

/** May be called again and again: a press that comes when the guest has ended, or is ending, is no error. */
export async function shutdown(subject: Subject, signal: AbortSignal): Promise<void> {
  try {
    await askGuest('shutdown', subject, signal);
  } catch (error) {
    if (!isWrongState(error)) throw error;
    const now = await state(subject, signal);
    if (now !== DomainState.SHUTOFF && now !== DomainState.SHUTDOWN) throw error;
  }
}

/**
 * Asks the guest to end or to start again. A virtual machine: by its agent where it has one, else by
 * ACPI, as libvirt chooses. A container: by initctl and by a signal to its init, since libvirt-lxc
 * (seen in 9.0) says that initctl worked in a container that has none, and then sends no signal.
 * An init that obeys initctl makes nothing of the signal.
 */
export async function askGuest(what: 'shutdown' | 'reboot', subject: Subject, signal: AbortSignal): Promise<void> {
  const ask = (mode: number) => (client: LibvirtClient): Promise<void> => client[what](subject.domain, mode, signal);
  if (!subject.hypervisor.signals) return act(subject, signal, ask(ShutdownMode.HYPERVISOR_CHOICE));
  const hadInitctl = await act(subject, signal, ask(ShutdownMode.INITCTL)).then(() => true, (error: unknown) => {
    if (!isRefusal(error) || isWrongState(error)) throw error;
    return false;
  });
  try {
    await (hadInitctl ? actFurther : act)(subject, signal, ask(ShutdownMode.SIGNAL));
  } catch (error) {
    if (!hadInitctl || !isWrongState(error)) throw error;
  }
}

const isRefusal = (error: unknown): boolean => error instanceof ArgoError && error.cause instanceof LibvirtError;

const isWrongState = (error: unknown): boolean =>
  error instanceof ArgoError && error.cause instanceof LibvirtError && error.cause.code === ErrorCode.OPERATION_INVALID;
