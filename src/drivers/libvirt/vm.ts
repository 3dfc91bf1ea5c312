import { ArgoError } from '../../kit/errors.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { formatUuid } from '../../protocols/libvirt/types.js';
import type { Machine } from '../driver.js';
import type { MachineAbilities } from '../management/contract.js';
import { askGuest, checkOrder, pause, powerOff, reset, resume, shutdown, setAutostart, start, suspend, unpause } from './power.js';
import { readAddressesOf, readBootMark, readDisks, readFacts, readLoad, readMacs, readState, readTraffic, readUptime } from './readings.js';
import type { End } from './run-log.js';
import type { VmContext } from './context.js';

type Read<T> = (client: LibvirtClient, signal: AbortSignal) => Promise<T>;

/** Makes the machine for a domain, with the methods that its hypervisor has. @param abilities beyond power */
export function createMachine(context: VmContext, abilities: MachineAbilities): Machine {
  const { domain, hypervisor, connection, runs } = context;
  const id = formatUuid(domain.uuid);
  const act = (step: (context: VmContext, signal: AbortSignal) => Promise<void>) => (signal: AbortSignal): Promise<void> =>
    unlessLeft(context, step(context, signal));
  const read = <T>(work: Read<T>) => (signal: AbortSignal): Promise<T> =>
    unlessLeft(context, connection.use('reads', signal, (client) => work(client, signal)));
  /** A reading that may wait for the guest, its agent or its disks. */
  const slow = <T>(work: Read<T>) => (signal: AbortSignal): Promise<T> =>
    unlessLeft(context, connection.useFor(domain, 'reads', signal, (client) => work(client, signal)));
  return {
    id,
    name: domain.name,
    type: hypervisor.type,
    abilities,
    // An ACPI button, or a signal to an init, that comes before the guest listens is lost.
    mayMissShutdown: true,
    // A transient domain ends with its guest. One of which no end was seen may have gone to another host.
    get isOffWhenGone() { return runs.endOf(id) === 'stopped'; },
    status: read((client, signal) => readState(client, context, signal)),
    checkOrder: act(checkOrder),
    start: act(start),
    shutdown: act(shutdown),
    powerOff: act(powerOff),
    reboot: act((_, signal) => askGuest('reboot', context, signal)),
    pause: act(pause),
    unpause: act(unpause),
    ...(hypervisor.resets ? { reset: act(reset) } : {}),
    ...(hypervisor.saves ? { suspend: act(suspend), resume: act(resume) } : {}),
    autostart: {
      read: read((client, signal) => client.startsWithHost(domain, signal)),
      set: (isOn, signal) => unlessLeft(context, setAutostart(context, isOn, signal)),
    },
    console: context.consoles.offered,
    bootMark: read((client, signal) => readBootMark(client, context, signal)),
    info: slow((client, signal) => readFacts(client, context, signal)),
    ip: slow((client, signal) => readAddressesOf(client, domain, signal)),
    mac: slow((client, signal) => readMacs(client, domain, signal)),
    rx: slow((client, signal) => readTraffic(client, domain, 'rxBytes', signal)),
    tx: slow((client, signal) => readTraffic(client, domain, 'txBytes', signal)),
    disk: slow((client, signal) => readDisks(client, domain, signal)),
    load: slow((client, signal) => readLoad(client, domain, signal)),
    uptime: read((client, signal) => readUptime(client, context, signal)),
  };
}

/** Milliseconds that the event of a migration's end may come after the first answer that the domain is gone. */
const EVENT_GRACE_MS = 200;

const LEFT: Readonly<Partial<Record<End, string>>> = {
  migrated: 'it was migrated to another host, where it may run',
  saved: 'it was saved to a file, and is no longer known here',
};

/** A domain that is gone has not ended where it goes on elsewhere. */
async function unlessLeft<T>({ domain, runs }: VmContext, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ArgoError) || error.phrase !== 'NO SUCH INSTANCE') throw error;
    const left = LEFT[await runs.endSoon(formatUuid(domain.uuid), EVENT_GRACE_MS) ?? 'stopped'];
    throw left === undefined ? error : new ArgoError('UNREACHABLE', left, { cause: error });
  }
}
