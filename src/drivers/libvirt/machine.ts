import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { formatUuid } from '../../protocols/libvirt/types.js';
import type { Machine } from '../driver.js';
import { askGuest, pause, powerOff, reset, resume, shutdown, start, suspend, unpause } from './actions.js';
import { readAddressesOf, readBootMark, readDisks, readFacts, readLoad, readMacs, readState, readTraffic, readUptime } from './reads.js';
import type { Subject } from './subject.js';

type Read<T> = (client: LibvirtClient, signal: AbortSignal) => Promise<T>;

/** Makes the machine for a domain, with the methods that its hypervisor has. */
export function createMachine(subject: Subject): Machine {
  const { domain, hypervisor, link } = subject;
  const act = (step: (subject: Subject, signal: AbortSignal) => Promise<void>) => (signal: AbortSignal): Promise<void> =>
    unlessMigrated(subject, step(subject, signal));
  const read = <T>(work: Read<T>) => (signal: AbortSignal): Promise<T> =>
    unlessMigrated(subject, link.use('reads', signal, (client) => work(client, signal)));
  /** A reading that may wait for the guest, its agent or its disks. */
  const slow = <T>(work: Read<T>) => (signal: AbortSignal): Promise<T> =>
    unlessMigrated(subject, link.useFor(domain, 'reads', signal, (client) => work(client, signal)));
  return {
    id: formatUuid(domain.uuid),
    name: domain.name,
    type: hypervisor.type,
    // An ACPI button, or a signal to an init, that comes before the guest listens is lost.
    mayMissShutdown: true,
    // A transient domain ends with its guest; one that has gone elsewhere is told apart.
    isOffWhenGone: true,
    status: read((client, signal) => readState(client, subject, signal)),
    start: act(start),
    shutdown: act(shutdown),
    powerOff: act(powerOff),
    reboot: act((_, signal) => askGuest('reboot', subject, signal)),
    pause: act(pause),
    unpause: act(unpause),
    ...(hypervisor.resets ? { reset: act(reset) } : {}),
    ...(hypervisor.saves ? { suspend: act(suspend), resume: act(resume) } : {}),
    bootMark: read((client, signal) => readBootMark(client, subject, signal)),
    info: slow((client, signal) => readFacts(client, subject, signal)),
    ip: slow((client, signal) => readAddressesOf(client, domain, signal)),
    mac: slow((client, signal) => readMacs(client, domain, signal)),
    rx: slow((client, signal) => readTraffic(client, domain, 'rxBytes', signal)),
    tx: slow((client, signal) => readTraffic(client, domain, 'txBytes', signal)),
    disk: slow((client, signal) => readDisks(client, domain, signal)),
    load: slow((client, signal) => readLoad(client, domain, signal)),
    uptime: read((client, signal) => readUptime(client, subject, signal)),
  };
}

/** Milliseconds that the event of a migration's end may come after the first answer that the domain is gone. */
const EVENT_GRACE_MS = 200;

/** A domain that is gone has ended; not so one that was migrated away without leaving its description behind. */
async function unlessMigrated<T>({ domain, runs }: Subject, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ArgoError) || error.phrase !== 'NO SUCH INSTANCE') throw error;
    await sleep(EVENT_GRACE_MS);
    if (!runs.hasLeft(formatUuid(domain.uuid))) throw error;
    throw new ArgoError('UNREACHABLE', 'it was migrated to another host, where it may run', { cause: error });
  }
}
