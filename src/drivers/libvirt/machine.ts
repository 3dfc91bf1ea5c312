import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { formatUuid } from '../../protocols/libvirt/types.js';
import type { Machine } from '../driver.js';
import { askGuest, powerOff, reset, resume, shutdown, start, suspend } from './actions.js';
import { readAddressesOf, readBootMark, readDisks, readFacts, readLoad, readMacs, readState, readTraffic, readUptime } from './reads.js';
import type { Subject } from './subject.js';

type Read<T> = (client: LibvirtClient, signal: AbortSignal) => Promise<T>;

/** Makes the machine for a domain, with the methods that its hypervisor has. */
export function createMachine(subject: Subject): Machine {
  const { domain, hypervisor, link } = subject;
  const act = (step: (subject: Subject, signal: AbortSignal) => Promise<void>) => (signal: AbortSignal): Promise<void> => step(subject, signal);
  const call = (work: Read<void>) => (signal: AbortSignal): Promise<void> => link.use('acts', signal, (client) => work(client, signal));
  const read = <T>(work: Read<T>) => (signal: AbortSignal): Promise<T> => link.use('reads', signal, (client) => work(client, signal));
  return {
    id: formatUuid(domain.uuid),
    name: domain.name,
    type: hypervisor.type,
    // An ACPI button, or a signal to an init, that comes before the guest listens is lost.
    mayMissShutdown: true,
    status: read((client, signal) => readState(client, subject, signal)),
    start: act(start),
    shutdown: act(shutdown),
    powerOff: act(powerOff),
    reboot: act((_, signal) => askGuest('reboot', subject, signal)),
    pause: call((client, signal) => client.pause(domain, signal)),
    unpause: call((client, signal) => client.unpause(domain, signal)),
    ...(hypervisor.resets ? { reset: act(reset) } : {}),
    ...(hypervisor.saves ? { suspend: act(suspend), resume: act(resume) } : {}),
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
