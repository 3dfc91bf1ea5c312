import type { LibvirtClient, LibvirtEvent } from '../../protocols/libvirt/client.js';
import { DomainState, Lifecycle, ListFlag, StoppedDetail } from '../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../protocols/libvirt/errors.js';
import { formatUuid, parseUuid, type Domain, type DomainStateRecord } from '../../protocols/libvirt/types.js';
import { parseLibvirtUri, type LibvirtUri } from '../../protocols/libvirt/uri.js';
import type { Driver, DriverHost, Machine, PowerState, Sample, Sighting } from '../driver.js';
import type { ProviderAbilities } from '../management/contract.js';
import type { Destination } from '../management/machine.js';
import { hypervisorOf, type Hypervisor, type VmContext } from './context.js';
import { LibvirtConnection } from './connection.js';
import { createMachine } from './vm.js';
import { LibvirtConsoles } from './consoles.js';
import { createManagement, descriptionAbilities, storageAbilities } from './management/abilities.js';
import type { ManagementContext, ManagementOptions } from './management/context.js';
import { createTemplatesContext, templateAbilities, templatingAbilities, type TemplateOptions } from './management/templates/abilities.js';
import { ContainerRoots } from './management/templates/container-roots.js';
import type { TemplatesContext } from './management/templates/context.js';
import { HostFiles } from './management/templates/host-files.js';
import { Transport, type LibvirtOptions } from './transport.js';
import { hostAbilities } from './management/host-abilities.js';
import { destinationOf, migrationOf, type MigrationOptions } from './management/migration.js';
import { networkOf, type NetworkOptions } from './management/network.js';
import { DomainUses } from './management/uses.js';
import { readState } from './readings.js';
import { RunLog, type End } from './run-log.js';
import { DomainSamples, SAMPLED } from './sample.js';
import { toPowerState } from './states.js';
import { inOrder } from '../../kit/text.js';

/** Milliseconds that the question after an event may take; the poll repairs what it leaves. */
const EVENT_DEADLINE_MS = 10_000;

const ENDS: Readonly<Record<number, End>> = { [StoppedDetail.MIGRATED]: 'migrated', [StoppedDetail.SAVED]: 'saved' };

/** One libvirt as a provider. */
export class LibvirtDriver implements Driver {
  readonly abilities: ProviderAbilities;
  readonly sampled = SAMPLED;
  readonly #host: DriverHost;
  readonly #migration: MigrationOptions;
  readonly #uri: LibvirtUri;
  readonly #hypervisor: Hypervisor;
  readonly #connection: LibvirtConnection;
  readonly #transport: Transport;
  readonly #runs = new RunLog();
  readonly #samples: DomainSamples;
  readonly #management: ManagementContext;
  readonly #templates: TemplatesContext | undefined;
  #closed = false;
  /** what the last listing held, by uuid */
  #machines = new Map<string, Machine>();
  /** domains about which a question is under way after an event; true: another event came meanwhile */
  readonly #asking = new Map<string, boolean>();
  /** states learnt from events while a listing is under way, which are newer than what it will say */
  #fresher: Map<string, PowerState> | undefined;

  constructor(options: LibvirtOptions & MigrationOptions & NetworkOptions & ManagementOptions & TemplateOptions, host: DriverHost) {
    this.#host = host;
    this.#migration = options;
    this.#uri = parseLibvirtUri(options.uri);
    this.#hypervisor = hypervisorOf(this.#uri.scheme);
    this.#transport = new Transport(this.#uri, options);
    this.#connection = new LibvirtConnection({
      connect: (signal, onEvent) => this.#transport.connect(signal, onEvent),
      host,
      onEvent: (event) => this.#note(event),
      onLost: () => {
        this.#runs.cutOff();
        this.#management.uses.forget();
      },
      areShared: this.#hypervisor.shared,
    });
    this.#samples = new DomainSamples({ connection: this.#connection, hypervisor: this.#hypervisor, runs: this.#runs });
    const { commands } = this.#transport;
    const uses = new DomainUses(this.#connection);
    const onHost = hostAbilities(commands, this.#connection, this.#hypervisor, uses);
    const files = new HostFiles(commands);
    this.#management = createManagement({
      connection: this.#connection, host, hypervisor: this.#hypervisor, options, uses, roots: new ContainerRoots(options['container-folder'], files),
      logicalVolumes: async (call) => await onHost.volumes?.list?.({}, call) ?? [],
    });
    this.#templates = createTemplatesContext(this.#management, files, options);
    this.abilities = {
      ...onHost,
      ...storageAbilities(this.#management),
      ...templateAbilities(this.#templates),
      network: networkOf(commands, options, host.log),
    };
  }

  get place(): string {
    const { transport, host = '', port } = this.#uri;
    return transport === 'unix' ? '' : `${host.toLowerCase()}:${port}`;
  }

  destination(): Destination {
    return destinationOf(this.#host.name, this.#uri.scheme, this.#migration, (id, signal) => this.#stateOf(id, signal));
  }

  async list(signal: AbortSignal): Promise<readonly Sighting[]> {
    const fresher = new Map<string, PowerState>();
    const began = performance.now();
    this.#fresher = fresher;
    try {
      const records = await this.#connection.use('reads', signal, (client) => this.#readAll(client, signal));
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
      return inOrder(sightings, ({ machine }) => machine.name);
    } finally {
      this.#fresher = undefined;
    }
  }

  sample(signal: AbortSignal): Promise<ReadonlyMap<string, Sample>> {
    return this.#samples.take(signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#transport.close();
    await this.#connection.close(signal);
  }

  #stateOf(id: string, signal: AbortSignal): Promise<PowerState> {
    return this.#connection.use('reads', signal, async (client) => {
      const domain = await client.lookup(parseUuid(id), signal);
      return readState(client, { domain, hypervisor: this.#hypervisor }, signal);
    });
  }

  #createMachine(domain: Domain): Machine {
    const context: VmContext = {
      domain, hypervisor: this.#hypervisor, connection: this.#connection, runs: this.#runs,
      consoles: new LibvirtConsoles(domain, this.#hypervisor, this.#transport),
    };
    return createMachine(context, {
      ...descriptionAbilities(context, this.#management),
      ...templatingAbilities(context, this.#templates),
      migration: migrationOf(context, this.#uri.scheme, this.#transport),
    });
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
    this.#management.uses.forget(id);
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
        const state = await this.#connection.use('reads', signal, (client) => readState(client, { domain, hypervisor: this.#hypervisor }, signal));
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
