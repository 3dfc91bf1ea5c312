import { userInfo } from 'node:os';
import type { LibvirtClient, LibvirtEvent, OpenOptions } from '../../protocols/libvirt/client.js';
import { DomainState, Lifecycle, ListFlag, StoppedDetail } from '../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../protocols/libvirt/errors.js';
import { formatUuid, type Domain, type DomainStateRecord } from '../../protocols/libvirt/types.js';
import { openOverUnix } from '../../protocols/libvirt/unix.js';
import { parseLibvirtUri, type LibvirtUri } from '../../protocols/libvirt/uri.js';
import { SshLogins } from '../../protocols/ssh/logins.js';
import type { Driver, DriverHost, Machine, PowerState, Sighting } from '../driver.js';
import { sshOptions } from '../ssh/options.js';
import { hypervisorOf, type Hypervisor } from './hypervisors.js';
import { Link, type Connect } from './link.js';
import { createMachine } from './machine.js';
import type { LibvirtOptions } from './options.js';
import { readState } from './reads.js';
import { RunLog, type End } from './run-log.js';
import { toPowerState } from './states.js';

/** Milliseconds that the question after an event may take; the poll repairs what it leaves. */
const EVENT_DEADLINE_MS = 10_000;

const ENDS: Readonly<Record<number, End>> = { [StoppedDetail.MIGRATED]: 'migrated', [StoppedDetail.SAVED]: 'saved' };

/** One libvirt as a provider. */
export class LibvirtDriver implements Driver {
  readonly #host: DriverHost;
  readonly #uri: LibvirtUri;
  readonly #hypervisor: Hypervisor;
  readonly #link: Link;
  readonly #runs = new RunLog();
  #closed = false;
  /** what the last listing held, by uuid */
  #machines = new Map<string, Machine>();
  /** domains about which a question is under way after an event; true: another event came meanwhile */
  readonly #asking = new Map<string, boolean>();
  /** states learnt from events while a listing is under way, which are newer than what it will say */
  #fresher: Map<string, PowerState> | undefined;

  constructor(options: LibvirtOptions, host: DriverHost) {
    this.#host = host;
    this.#uri = parseLibvirtUri(options.uri);
    this.#hypervisor = hypervisorOf(this.#uri.scheme);
    this.#link = new Link({
      connect: connectBy(this.#uri, options),
      host,
      onEvent: (event) => this.#note(event),
      onLost: () => this.#runs.cutOff(),
      areShared: this.#hypervisor.shared,
    });
  }

  async list(signal: AbortSignal): Promise<readonly Sighting[]> {
    const fresher = new Map<string, PowerState>();
    const began = performance.now();
    this.#fresher = fresher;
    try {
      const records = await this.#link.use('reads', signal, (client) => this.#readAll(client, signal));
      const machines = new Map<string, Machine>();
      const sightings = records.map(({ domain, power }) => {
        const id = formatUuid(domain.uuid);
        const known = this.#machines.get(id);
        const machine = known?.name === domain.name ? known : this.#createMachine(domain);
        machines.set(id, machine);
        return { machine, state: fresher.get(id) ?? power };
      });
      this.#machines = machines;
      this.#runs.keepOnly(machines, began);
      return sightings.sort((one, other) => compareNames(one.machine.name, other.machine.name));
    } finally {
      this.#fresher = undefined;
    }
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    await this.#link.close(signal);
  }

  #createMachine(domain: Domain): Machine {
    return createMachine({ domain, hypervisor: this.#hypervisor, link: this.#link, runs: this.#runs });
  }

  async #readAll(client: LibvirtClient, signal: AbortSignal): Promise<{ domain: Domain; power: PowerState }[]> {
    const [records, saved] = await Promise.all([
      readRecords(client, signal),
      this.#hypervisor.saves ? client.domains(ListFlag.MANAGED_SAVE, signal) : [],
    ]);
    const savedIds = new Set(saved.map((domain) => formatUuid(domain.uuid)));
    return records
      .filter(({ domain }) => !this.#isHostItself(domain))
      .map((record) => ({ domain: record.domain, power: toPowerState(record, savedIds.has(formatUuid(record.domain.uuid))) }));
  }

  /** Xen's domain 0 is the host, which nobody must stop as if it were a guest. */
  #isHostItself(domain: Domain): boolean {
    return this.#uri.scheme === 'xen' && domain.id === 0;
  }

  #note(event: LibvirtEvent): void {
    const id = formatUuid(event.domain.uuid);
    if (event.kind === 'reboot') {
      this.#runs.rebooted(id, event.domain.id);
      return;
    }
    if (event.event === Lifecycle.STOPPED) this.#runs.ended(id, ENDS[event.detail] ?? 'stopped');
    if (event.event === Lifecycle.STARTED) this.#runs.started(id, event.domain.id);
    const isOther = event.event === Lifecycle.DEFINED || event.event === Lifecycle.UNDEFINED;
    if (isOther || !this.#machines.has(id)) this.#host.relist();
    else void this.#ask(id, event.domain);
  }

  /** An event says what happened, not what is: only the state itself is always right. */
  async #ask(id: string, domain: Domain): Promise<void> {
    if (this.#asking.has(id)) {
      this.#asking.set(id, true);
      return;
    }
    const signal = AbortSignal.timeout(EVENT_DEADLINE_MS);
    try {
      do {
        this.#asking.set(id, false);
        const state = await this.#link.use('reads', signal, (client) => readState(client, { domain, hypervisor: this.#hypervisor }, signal));
        this.#fresher?.set(id, state);
        this.#host.changed(id, state);
      } while (this.#asking.get(id) === true);
    } catch (error) {
      if (this.#closed) return;
      this.#host.log('debug', 'the state after an event could not be read', { id, error: String(error) });
      this.#host.relist();
    } finally {
      this.#asking.delete(id);
    }
  }
}

/** All domains with their states: in one call where the hypervisor's driver has it. */
async function readRecords(client: LibvirtClient, signal: AbortSignal): Promise<DomainStateRecord[]> {
  try {
    return await client.domainStates(signal);
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.code !== ErrorCode.NO_SUPPORT) throw error;
  }
  const domains = await client.domains(0, signal);
  const records = await Promise.all(domains.map(async (domain) => {
    try {
      return { domain, ...await client.state(domain, signal) };
    } catch (error) {
      if (error instanceof LibvirtError && error.code === ErrorCode.NO_DOMAIN) return undefined;
      if (error instanceof LibvirtError) return { domain, state: DomainState.NOSTATE, reason: 0 };
      throw error;
    }
  }));
  return records.filter((record) => record !== undefined);
}

function connectBy(uri: LibvirtUri, options: LibvirtOptions): Connect {
  const logins = new SshLogins();
  return async (signal, onEvent) => {
    const open: OpenOptions = { uri: uri.remoteName, signal, onEvent };
    if (uri.transport === 'unix') return openOverUnix(uri.sockets, open);
    const { openOverSsh } = await import('../../protocols/libvirt/ssh.js');
    const ssh = sshOptions(accessOf(uri, options), { host: uri.host!, port: uri.port, user: uri.user ?? userInfo().username });
    return logins.guard(`${ssh.host}:${ssh.port}`, ssh, () => openOverSsh(ssh, uri.sockets, open), signal);
  };
}

/** The table's own keys go before what its URI says. */
function accessOf(uri: LibvirtUri, options: LibvirtOptions): LibvirtOptions {
  const hasKey = options['private-key-file'] !== undefined || options['private-key-env'] !== undefined;
  return {
    ...options,
    ...(uri.keyFile === undefined || hasKey ? {} : { 'private-key-file': uri.keyFile }),
    'known-hosts-file': options['known-hosts-file'] ?? uri.knownHostsFile,
    'accept-new-host-keys': options['accept-new-host-keys'] || uri.acceptsNewHosts === true,
  };
}

const collator = new Intl.Collator('en', { numeric: true });

const compareNames = (one: string, other: string): number => collator.compare(one, other);
