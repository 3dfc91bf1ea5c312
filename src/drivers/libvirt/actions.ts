import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { DomainState, RunningReason, SaveFlag, ShutdownMode } from '../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../protocols/libvirt/errors.js';
import type { StateAndReason } from '../../protocols/libvirt/types.js';
import { beforeSending } from '../before-sending.js';
import { isHandedOver, isStoppedByDisk, toPowerState } from './states.js';
import type { Subject } from './subject.js';
import { readDiskFaults, requireHere, requireIdle } from './work.js';

/**
 * The steps that are more than one call. Asking and acting are apart: a question that is cut off
 * leaves no doubt about what was done.
 */

/** Milliseconds for which a guest that an I/O error had paused is watched, and between two looks: it meets the error again at its first access. */
const SETTLE_MS = 1_000;
const LOOK_MS = 50;

interface Found extends StateAndReason {
  readonly isSaved: boolean;
}

const ask = <T>({ link }: Subject, signal: AbortSignal, work: (client: LibvirtClient) => Promise<T>): Promise<T> =>
  link.use('reads', signal, work);

const readNow = (subject: Subject, signal: AbortSignal): Promise<StateAndReason> =>
  ask(subject, signal, (client) => client.state(subject.domain, signal));

/** The state before an order. */
const find = (subject: Subject, signal: AbortSignal): Promise<Found> => beforeSending(signal, () => ask(subject, signal, async (client) => {
  const { domain, hypervisor } = subject;
  const state = await client.state(domain, signal);
  return { ...state, isSaved: hypervisor.saves && state.state === DomainState.SHUTOFF && await client.hasManagedSave(domain, signal) };
}));

/** As {@link findIdle}, of a domain that is on this host. @throws ArgoError also WRONG STATE as {@link requireHere} */
async function findIdleHere(subject: Subject, signal: AbortSignal): Promise<Found> {
  const found = await findIdle(subject, signal);
  requireHere(found);
  return found;
}

/** What stands against any order without `--force`. @throws ArgoError as {@link findIdleHere} */
export async function checkOrder(subject: Subject, signal: AbortSignal): Promise<void> {
  await findIdleHere(subject, signal);
}

/** As {@link find}, of a domain with which libvirt is doing nothing else. @throws ArgoError BUSY as {@link requireIdle} */
async function findIdle(subject: Subject, signal: AbortSignal): Promise<Found> {
  const found = await find(subject, signal);
  const { domain, link } = subject;
  await beforeSending(signal, () => link.useFor(domain, 'reads', signal, (client) => requireIdle(client, domain, found, signal)));
  return found;
}

const act = ({ domain, link }: Subject, signal: AbortSignal, work: (client: LibvirtClient) => Promise<void>): Promise<void> =>
  link.useFor(domain, 'acts', signal, work);

/** An order that waits for nothing else of its guest. */
const force = ({ domain, link }: Subject, signal: AbortSignal, work: (client: LibvirtClient) => Promise<void>): Promise<void> =>
  link.useFor(domain, 'acts', signal, work, true);

/** Something has been done already: "nothing was done" would not be true of what follows. */
async function afterwards<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof ArgoError && error.phrase === 'UNREACHABLE' ? new ArgoError('UNCERTAIN', error.detail, { cause: error }) : error;
  }
}

const actFurther = (subject: Subject, signal: AbortSignal, work: (client: LibvirtClient) => Promise<void>): Promise<void> =>
  afterwards(act(subject, signal, work));

/**
 * Also one that was migrated away, which {@link checkOrder} keeps from it where nobody forces that. libvirt's create
 * restores a managed save image of itself. A guest that has crashed still holds its
 * emulator, which has to go first.
 */
export async function start(subject: Subject, signal: AbortSignal): Promise<void> {
  const { domain } = subject;
  const found = await findIdle(subject, signal);
  if (found.state === DomainState.PMSUSPENDED) return act(subject, signal, (client) => client.wakeUp(domain, signal));
  if (toPowerState(found, found.isSaved) === 'crashed') {
    await force(subject, signal, (client) => client.destroyDomain(domain, signal));
    await actFurther(subject, signal, (client) => client.create(domain, signal));
  } else {
    await act(subject, signal, (client) => client.create(domain, signal));
  }
  await checkStarted(subject, found.isSaved, signal);
}

/**
 * libvirt boots a guest whose saved image it finds to be incomplete, and leaves one paused that was saved so:
 * both as if all were well.
 */
async function checkStarted(subject: Subject, wasSaved: boolean, signal: AbortSignal): Promise<void> {
  const now = await afterwards(readNow(subject, signal));
  if (isStoppedByDisk(now)) throw await stoppedByDisk(subject, signal);
  if (!wasSaved) return;
  if (now.state === DomainState.RUNNING && now.reason === RunningReason.BOOTED) {
    throw new ArgoError('FAILED', 'it was booted, not restored: its saved image was incomplete, and what was in its memory is lost');
  }
  if (now.state === DomainState.PAUSED) await actFurther(subject, signal, (client) => client.unpause(subject.domain, signal));
}

export async function resume(subject: Subject, signal: AbortSignal): Promise<void> {
  const found = await find(subject, signal);
  if (toPowerState(found, found.isSaved) !== 'suspended') throw new ArgoError('WRONG STATE', 'there is no saved image to resume from');
  await start(subject, signal);
}

export async function pause(subject: Subject, signal: AbortSignal): Promise<void> {
  await findIdleHere(subject, signal);
  await act(subject, signal, (client) => client.pause(subject.domain, signal));
}

/** One that an I/O error has paused goes on as far as the same error, which libvirt calls a success. */
export async function unpause(subject: Subject, signal: AbortSignal): Promise<void> {
  const found = await findIdleHere(subject, signal);
  await act(subject, signal, (client) => client.unpause(subject.domain, signal));
  if (!isStoppedByDisk(found)) return;
  const end = performance.now() + SETTLE_MS;
  do {
    if (isStoppedByDisk(await afterwards(readNow(subject, signal)))) throw await stoppedByDisk(subject, signal);
    await sleep(LOOK_MS, undefined, { signal });
  } while (performance.now() < end);
}

async function stoppedByDisk(subject: Subject, signal: AbortSignal): Promise<ArgoError> {
  const { domain, link } = subject;
  const faults = await link.useFor(domain, 'reads', signal, (client) => readDiskFaults(client, domain, signal)).catch(() => '');
  return new ArgoError('FAILED', `an I/O error of its disks has paused it${faults === '' ? '' : ` (${faults})`}; once that is mended, unpause it`);
}

/** A paused guest would come back paused: it is saved as one that runs. */
export async function suspend(subject: Subject, signal: AbortSignal): Promise<void> {
  const { state } = await findIdleHere(subject, signal);
  await act(subject, signal, (client) => client.managedSave(subject.domain, state === DomainState.PAUSED ? SaveFlag.RUNNING : 0, signal));
}

/**
 * To power off a guest that is saved to disk is to throw its saved memory away. One that is between two hosts
 * is left alone: it would be off here and run there.
 */
export async function powerOff(subject: Subject, signal: AbortSignal): Promise<void> {
  const { domain } = subject;
  const found = await find(subject, signal);
  requireHere(found);
  if (isHandedOver(found)) throw new ArgoError('BUSY', 'it is being handed over to another host by a migration');
  await force(subject, signal, (client) => (found.isSaved ? client.removeManagedSave(domain, signal) : client.destroyDomain(domain, signal)));
}

/** A paused guest is reset and stays paused: the button of a machine would start it. */
export async function reset(subject: Subject, signal: AbortSignal): Promise<void> {
  const { domain } = subject;
  const { state } = await findIdleHere(subject, signal);
  await act(subject, signal, (client) => client.reset(domain, signal));
  if (state === DomainState.PAUSED) await actFurther(subject, signal, (client) => client.unpause(domain, signal));
}

/** May be called again and again: a press that comes when the guest has ended, or is ending, is no error. */
export async function shutdown(subject: Subject, signal: AbortSignal): Promise<void> {
  try {
    await askGuest('shutdown', subject, signal);
  } catch (error) {
    if (!isWrongState(error)) throw error;
    const now = await readNow(subject, signal);
    requireHere(now);
    if (now.state !== DomainState.SHUTOFF && now.state !== DomainState.SHUTDOWN) throw error;
  }
}

/**
 * Asks the guest to end or to start again. A virtual machine: by its agent where it has one, else by
 * ACPI, as libvirt chooses. A container: by initctl and by a signal to its init, since libvirt-lxc
 * (seen in 9.0) says that initctl worked in a container that has none, and then sends no signal.
 * An init that obeys initctl makes nothing of the signal.
 */
export async function askGuest(what: 'shutdown' | 'reboot', subject: Subject, signal: AbortSignal): Promise<void> {
  await findIdleHere(subject, signal);
  const by = (mode: number) => (client: LibvirtClient): Promise<void> => client[what](subject.domain, mode, signal);
  if (!subject.hypervisor.signals) return act(subject, signal, by(ShutdownMode.HYPERVISOR_CHOICE));
  const hadInitctl = await act(subject, signal, by(ShutdownMode.INITCTL)).then(() => true, (error: unknown) => {
    if (!isRefusal(error) || isWrongState(error)) throw error;
    return false;
  });
  try {
    await (hadInitctl ? actFurther : act)(subject, signal, by(ShutdownMode.SIGNAL));
  } catch (error) {
    if (!hadInitctl || !isWrongState(error)) throw error;
  }
}

const isRefusal = (error: unknown): boolean => error instanceof ArgoError && error.cause instanceof LibvirtError;

const isWrongState = (error: unknown): boolean =>
  error instanceof ArgoError && error.cause instanceof LibvirtError && error.cause.code === ErrorCode.OPERATION_INVALID;
