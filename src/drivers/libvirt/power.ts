import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { DomainState, RunningReason, SaveFlag, ShutdownMode } from '../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../protocols/libvirt/errors.js';
import type { StateAndReason } from '../../protocols/libvirt/types.js';
import { beforeSending } from '../../kit/within.js';
import { isHandedOver, isStoppedAgain, isStoppedByDisk, toPowerState } from './states.js';
import type { VmContext } from './context.js';
import { readDiskFaults, requireHere, requireIdle } from './refusals.js';

/**
 * The steps that are more than one call. Asking and acting are apart: a question that is cut off
 * leaves no doubt about what was done.
 */

/** Milliseconds for which a guest that an I/O error had paused is watched, and between two looks: it meets the error again at its first access. */
const SETTLE_MS = 1_000;
const LOOK_MS = 50;
/** Milliseconds between two tries to reach a container's init, and how many there are. */
const INIT_LOOK_MS = 100;
const INIT_LOOKS = 100;

interface Found extends StateAndReason {
  readonly isSaved: boolean;
}

const ask = <T>({ connection }: VmContext, signal: AbortSignal, work: (client: LibvirtClient) => Promise<T>): Promise<T> =>
  connection.use('reads', signal, work);

const readNow = (context: VmContext, signal: AbortSignal): Promise<StateAndReason> =>
  ask(context, signal, (client) => client.state(context.domain, signal));

/** The state before an order. */
const find = (context: VmContext, signal: AbortSignal): Promise<Found> => beforeSending(signal, () => ask(context, signal, async (client) => {
  const { domain, hypervisor } = context;
  const state = await client.state(domain, signal);
  return { ...state, isSaved: hypervisor.saves && state.state === DomainState.SHUTOFF && await client.hasManagedSave(domain, signal) };
}));

/** As {@link findIdle}, of a domain that is on this host. @throws ArgoError also WRONG STATE as {@link requireHere} */
async function findIdleHere(context: VmContext, signal: AbortSignal): Promise<Found> {
  const found = await findIdle(context, signal);
  requireHere(found);
  return found;
}

/** What stands against any order without `--force`. @throws ArgoError as {@link findIdleHere} */
export async function checkOrder(context: VmContext, signal: AbortSignal): Promise<void> {
  await findIdleHere(context, signal);
}

/** As {@link find}, of a domain with which libvirt is doing nothing else. @throws ArgoError BUSY as {@link requireIdle} */
async function findIdle(context: VmContext, signal: AbortSignal): Promise<Found> {
  const found = await find(context, signal);
  const { domain, connection } = context;
  await beforeSending(signal, () => connection.useFor(domain, 'reads', signal, (client) => requireIdle(client, domain, found, signal)));
  return found;
}

const act = ({ domain, connection }: VmContext, signal: AbortSignal, work: (client: LibvirtClient) => Promise<void>): Promise<void> =>
  connection.useFor(domain, 'acts', signal, work);

/** An order that waits for nothing else of its guest. */
const force = ({ domain, connection }: VmContext, signal: AbortSignal, work: (client: LibvirtClient) => Promise<void>): Promise<void> =>
  connection.useFor(domain, 'acts', signal, work, true);

/** Something has been done already: "nothing was done" would not be true of what follows. */
async function afterwards<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof ArgoError && error.phrase === 'UNREACHABLE' ? new ArgoError('UNCERTAIN', error.detail, { cause: error }) : error;
  }
}

const actFurther = (context: VmContext, signal: AbortSignal, work: (client: LibvirtClient) => Promise<void>): Promise<void> =>
  afterwards(act(context, signal, work));

/**
 * Also one that was migrated away, which {@link checkOrder} keeps from it where nobody forces that. libvirt's create
 * restores a managed save image of itself. A guest that has crashed still holds its
 * emulator, which has to go first.
 */
export async function start(context: VmContext, signal: AbortSignal): Promise<void> {
  const { domain } = context;
  const found = await findIdle(context, signal);
  if (found.state === DomainState.PMSUSPENDED) return act(context, signal, (client) => client.wakeUp(domain, signal));
  if (toPowerState(found, found.isSaved) === 'crashed') {
    await force(context, signal, (client) => client.destroyDomain(domain, signal));
    await actFurther(context, signal, (client) => client.create(domain, signal));
  } else {
    await act(context, signal, (client) => client.create(domain, signal));
  }
  await checkStarted(context, found.isSaved, signal);
}

/**
 * libvirt boots a guest whose saved image it finds to be incomplete, and leaves one paused that was saved so:
 * both as if all were well.
 */
async function checkStarted(context: VmContext, wasSaved: boolean, signal: AbortSignal): Promise<void> {
  const now = await afterwards(readNow(context, signal));
  if (isStoppedByDisk(now)) throw await stoppedByDisk(context, signal);
  if (!wasSaved) return;
  if (now.state === DomainState.RUNNING && now.reason === RunningReason.BOOTED) {
    throw new ArgoError('FAILED', 'it was booted, not restored: its saved image was incomplete, and what was in its memory is lost');
  }
  if (now.state === DomainState.PAUSED) await actFurther(context, signal, (client) => client.unpause(context.domain, signal));
}

export async function resume(context: VmContext, signal: AbortSignal): Promise<void> {
  const found = await find(context, signal);
  if (toPowerState(found, found.isSaved) !== 'suspended') throw new ArgoError('WRONG STATE', 'there is no saved image to resume from');
  await start(context, signal);
}

export async function pause(context: VmContext, signal: AbortSignal): Promise<void> {
  await findIdleHere(context, signal);
  await act(context, signal, (client) => client.pause(context.domain, signal));
}

/** One that an I/O error has paused goes on as far as the same error, which libvirt calls a success. */
export async function unpause(context: VmContext, signal: AbortSignal): Promise<void> {
  const found = await findIdleHere(context, signal);
  await act(context, signal, (client) => client.unpause(context.domain, signal));
  if (isStoppedByDisk(found)) await watchDisks(context, signal);
}

/** @throws ArgoError FAILED where the error that had paused it pauses it again */
async function watchDisks(context: VmContext, signal: AbortSignal): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  // A machine that is busy may let the whole time pass between two looks: the last one is when it is over.
  for (let isLast = false; !isLast;) {
    isLast = performance.now() >= end;
    if (isStoppedAgain(await afterwards(readNow(context, signal)))) throw await stoppedByDisk(context, signal);
    if (!isLast) await sleep(LOOK_MS, undefined, { signal });
  }
}

async function stoppedByDisk(context: VmContext, signal: AbortSignal): Promise<ArgoError> {
  const { domain, connection } = context;
  const faults = await connection.useFor(domain, 'reads', signal, (client) => readDiskFaults(client, domain, signal)).catch(() => '');
  return new ArgoError('FAILED', `an I/O error of its disks has paused it${faults === '' ? '' : ` (${faults})`}; once that is mended, unpause it`);
}

/** A paused guest would come back paused: it is saved as one that runs. */
export async function suspend(context: VmContext, signal: AbortSignal): Promise<void> {
  const { state } = await findIdleHere(context, signal);
  await act(context, signal, (client) => client.managedSave(context.domain, state === DomainState.PAUSED ? SaveFlag.RUNNING : 0, signal));
}

/**
 * To power off a guest that is saved to disk is to throw its saved memory away. One that is between two hosts
 * is left alone: it would be off here and run there.
 */
export async function powerOff(context: VmContext, signal: AbortSignal): Promise<void> {
  const { domain } = context;
  const found = await find(context, signal);
  requireHere(found);
  if (isHandedOver(found)) throw new ArgoError('BUSY', 'it is being handed over to another host by a migration');
  await force(context, signal, (client) => (found.isSaved ? client.removeManagedSave(domain, signal) : client.destroyDomain(domain, signal)));
}

/** A paused guest is reset and stays paused: the button of a machine would start it. */
export async function reset(context: VmContext, signal: AbortSignal): Promise<void> {
  const { domain } = context;
  const found = await findIdleHere(context, signal);
  await act(context, signal, (client) => client.reset(domain, signal));
  if (found.state === DomainState.PAUSED) await actFurther(context, signal, (client) => client.unpause(domain, signal));
  if (isStoppedByDisk(found)) await watchDisks(context, signal);
}

/** May be called again and again: a press that comes when the guest has ended, or is ending, is no error. */
export async function shutdown(context: VmContext, signal: AbortSignal): Promise<void> {
  try {
    await askGuest('shutdown', context, signal);
  } catch (error) {
    if (!isWrongState(error)) throw error;
    const now = await readNow(context, signal);
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
export async function askGuest(what: 'shutdown' | 'reboot', context: VmContext, signal: AbortSignal): Promise<void> {
  await findIdleHere(context, signal);
  const by = (mode: number) => (client: LibvirtClient): Promise<void> => client[what](context.domain, mode, signal);
  if (!context.hypervisor.signals) return act(context, signal, by(ShutdownMode.HYPERVISOR_CHOICE));
  const hadInitctl = await whenInitIsKnown(signal, () => act(context, signal, by(ShutdownMode.INITCTL))).then(() => true, (error: unknown) => {
    if (!isRefusal(error) || isWrongState(error)) throw error;
    return false;
  });
  try {
    await (hadInitctl ? actFurther : act)(context, signal, by(ShutdownMode.SIGNAL));
  } catch (error) {
    if (!hadInitctl || !isWrongState(error)) throw error;
  }
}

/** Of a container that has just been started, libvirt-lxc does not know its init for a moment (seen in 9.0): no order reaches it then. */
async function whenInitIsKnown(signal: AbortSignal, order: () => Promise<void>): Promise<void> {
  for (let look = 1; ; look += 1) {
    try {
      return await order();
    } catch (error) {
      if (look === INIT_LOOKS || !isWrongState(error) || !/Init process ID is not yet known/.test((error as Error).message)) throw error;
      await beforeSending(signal, () => sleep(INIT_LOOK_MS, undefined, { signal }));
    }
  }
}

/** @throws ArgoError WRONG STATE for a transient domain: libvirt keeps no description of it to start it from. BUSY as every order */
export async function setAutostart(context: VmContext, isOn: boolean, signal: AbortSignal): Promise<void> {
  const { domain } = context;
  const isPersistent = await beforeSending(signal, () => ask(context, signal, (client) => client.isPersistent(domain, signal)));
  if (!isPersistent) throw new ArgoError('WRONG STATE', 'it is transient: it is gone when it ends, so libvirt cannot start it with the host');
  await findIdle(context, signal);
  await act(context, signal, (client) => client.setStartsWithHost(domain, isOn, signal));
}

const isRefusal = (error: unknown): boolean => error instanceof ArgoError && error.cause instanceof LibvirtError;

const isWrongState = (error: unknown): boolean =>
  error instanceof ArgoError && error.cause instanceof LibvirtError && error.cause.code === ErrorCode.OPERATION_INVALID;
