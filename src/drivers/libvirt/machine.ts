import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../errors.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { DomainState, ShutdownMode } from '../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../protocols/libvirt/errors.js';
import { formatUuid, type Domain } from '../../protocols/libvirt/types.js';
import type { Load, Machine, PowerState } from '../driver.js';
import type { Hypervisor } from './hypervisors.js';
import { readAddressesOf, readDisks, readFacts, readMacs, readTraffic } from './reads.js';
import { toPowerState } from './states.js';
import type { Subject } from './subject.js';

/** Milliseconds between the two looks at a machine's CPU time: long against the host's clock ticks. */
const LOAD_INTERVAL_MS = 500;

type Work<T> = (client: LibvirtClient, signal: AbortSignal) => Promise<T>;

/** Makes the machine for a domain, with the methods that its hypervisor has. */
export function createMachine(subject: Subject): Machine {
  const { domain, hypervisor, link } = subject;
  const act = (work: Work<void>) => (signal: AbortSignal): Promise<void> => link.use('acts', signal, (client) => work(client, signal));
  const read = <T>(work: Work<T>) => (signal: AbortSignal): Promise<T> => link.use('reads', signal, (client) => work(client, signal));
  return {
    id: formatUuid(domain.uuid),
    name: domain.name,
    type: hypervisor.type,
    status: read((client, signal) => readState(client, domain, hypervisor, signal)),
    start: (signal) => start(subject, signal),
    shutdown: act((client, signal) => shutdown(client, subject, signal)),
    // An ACPI button, or a signal to an init, that comes before the guest listens is lost.
    mayMissShutdown: true,
    powerOff: act((client, signal) => client.destroyDomain(domain, signal)),
    reboot: act((client, signal) => askGuest('reboot', client, subject, signal)),
    pause: act((client, signal) => client.pause(domain, signal)),
    unpause: act((client, signal) => client.unpause(domain, signal)),
    ...(hypervisor.resets ? { reset: act((client, signal) => client.reset(domain, signal)) } : {}),
    ...(hypervisor.saves ? {
      suspend: act((client, signal) => client.managedSave(domain, signal)),
      resume: (signal: AbortSignal) => resume(subject, signal),
    } : {}),
    bootMark: read((client, signal) => readBootMark(client, subject, signal)),
    info: read((client, signal) => readFacts(client, subject, signal)),
    ip: read((client, signal) => readAddressesOf(client, domain, signal)),
    mac: read((client, signal) => readMacs(client, domain, signal)),
    rx: read((client, signal) => readTraffic(client, domain, 'rxBytes', signal)),
    tx: read((client, signal) => readTraffic(client, domain, 'txBytes', signal)),
    disk: read((client, signal) => readDisks(client, domain, signal)),
    load: read((client, signal) => readLoad(client, domain, signal)),
    uptime: read((client, signal) => readUptime(client, subject, signal)),
  };
}

/** A domain that is shut off may have a managed save image; nobody tells that but a second question. */
export async function readState(client: LibvirtClient, domain: Domain, hypervisor: Hypervisor, signal: AbortSignal): Promise<PowerState> {
  const state = await client.state(domain, signal);
  const isSaved = hypervisor.saves && state.state === DomainState.SHUTOFF && await client.hasManagedSave(domain, signal);
  return toPowerState(state, isSaved);
}

/** libvirt's create restores a managed save image of itself. The state is asked apart: asking is not acting. */
async function start({ link, domain }: Subject, signal: AbortSignal): Promise<void> {
  const { state } = await link.use('reads', signal, (client) => client.state(domain, signal));
  const isAsleep = state === DomainState.PMSUSPENDED;
  await link.use('acts', signal, (client) => (isAsleep ? client.wakeUp(domain, signal) : client.create(domain, signal)));
}

async function resume(subject: Subject, signal: AbortSignal): Promise<void> {
  const { link, domain, hypervisor } = subject;
  const state = await link.use('reads', signal, (client) => readState(client, domain, hypervisor, signal));
  if (state !== 'suspended') throw new ArgoError('WRONG STATE', 'there is no saved image to resume from');
  await start(subject, signal);
}

/** May be called again and again: a press that comes when the guest has ended, or is ending, is no error. */
async function shutdown(client: LibvirtClient, subject: Subject, signal: AbortSignal): Promise<void> {
  try {
    await askGuest('shutdown', client, subject, signal);
  } catch (error) {
    if (!isWrongState(error)) throw error;
    const { state } = await client.state(subject.domain, signal);
    if (state !== DomainState.SHUTOFF && state !== DomainState.SHUTDOWN) throw error;
  }
}

/**
 * Asks the guest to end or to start again. A virtual machine: by its agent where it has one, else by
 * ACPI, as libvirt chooses. A container: by initctl and by a signal to its init, since libvirt-lxc
 * (seen in 9.0) says that initctl worked in a container that has none, and then sends no signal.
 * An init that obeys initctl makes nothing of the signal.
 */
async function askGuest(what: 'shutdown' | 'reboot', client: LibvirtClient, { domain, hypervisor }: Subject, signal: AbortSignal): Promise<void> {
  if (!hypervisor.signals) return client[what](domain, ShutdownMode.HYPERVISOR_CHOICE, signal);
  const hadInitctl = await client[what](domain, ShutdownMode.INITCTL, signal).then(() => true, (error: unknown) => {
    if (!(error instanceof LibvirtError) || isWrongState(error)) throw error;
    return false;
  });
  try {
    await client[what](domain, ShutdownMode.SIGNAL, signal);
  } catch (error) {
    if (!hadInitctl || !isWrongState(error)) throw error;
  }
}

const isWrongState = (error: unknown): boolean => error instanceof LibvirtError && error.code === ErrorCode.OPERATION_INVALID;

async function readLoad(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<Load> {
  const first = await client.info(domain, signal);
  if (first.state === DomainState.SHUTOFF) throw new ArgoError('WRONG STATE', 'it is not running');
  const from = performance.now();
  await sleep(LOAD_INTERVAL_MS, undefined, { signal });
  const second = await client.info(domain, signal);
  const elapsed = (performance.now() - from) * 1e6 * Math.max(1, second.cpus);
  const share = (Number(second.cpuTime - first.cpuTime) / elapsed) * 100;
  return { cpuPercent: Math.min(100, Math.max(0, share)) };
}

/** A reboot within a run leaves its id as it is: events tell of it. */
async function readBootMark(client: LibvirtClient, { domain, runs }: Subject, signal: AbortSignal): Promise<string> {
  const { id } = await client.lookup(domain.uuid, signal);
  return `${id}.${runs.reboots(formatUuid(domain.uuid), id)}`;
}

async function readUptime(client: LibvirtClient, { domain, runs }: Subject, signal: AbortSignal): Promise<number> {
  const { id } = await client.lookup(domain.uuid, signal);
  if (id < 0) throw new ArgoError('WRONG STATE', 'it is not running');
  const seconds = runs.uptime(formatUuid(domain.uuid), id);
  if (seconds === undefined) throw new ArgoError('NOT SUPPORTED', 'libvirt does not tell since when it runs, and its start was not seen from here');
  return seconds;
}
