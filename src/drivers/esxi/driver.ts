import { setImmediate as turn } from 'node:timers/promises';
import { Slices } from '../../kit/slices.js';
import { isFault } from '../../protocols/vim/errors.js';
import { VimSession } from '../../protocols/vim/session.js';
import { textOf } from '../../protocols/vim/value.js';
import type { Driver, DriverHost, Machine, PowerState, Sample, Sighting, Sightings } from '../driver.js';
import { HostRoster, type FoundHost, type RosterEntry } from '../host/roster.js';
import { credentialsOf, passwordTrust } from '../tls/options.js';
import type { EsxiOptions } from './context.js';
import { explain, explained, isHidden, questionOf, vmState } from './errors.js';
import { Maintenance, type HostContext } from './host-power.js';
import { createHost } from './host.js';
import { Inventory, type Listener } from './inventory.js';
import { HOST_UUID, hostUuid, IS_TEMPLATE, isConnectedHost, isHost, objectName, PATHS, PATHS_WITH_VAPPS, vAppId, VM_UUID, vmId, wakingMac, type Item } from './items.js';
import { sampleAll, SAMPLED } from './sample.js';
import { createVApp, isVApp, vAppName, vAppState } from './vapp.js';
import { Vm } from './vm.js';
import { inOrder } from '../../kit/text.js';

const nameOf = ({ machine }: Sighting): string => machine.name;

/** Of ESXi's own service: a host that drops pings answers there. */
const HOST_PORT = 443;

/** What makes another machine of an object, rather than another state of the same. */
const IDENTITY = new Set(['name', 'parentVApp', IS_TEMPLATE, VM_UUID, 'config.managedBy', HOST_UUID]);
/** What a state is told by. */
const STATE = new Set(['runtime.powerState', 'runtime.connectionState', 'summary']);

const stateOf = (item: Item): PowerState => (isVApp(item) ? vAppState(item.properties) : vmState(item.properties));

/** One vCenter, or one ESXi host, as a provider. */
export class EsxiDriver implements Driver {
  readonly sampled = SAMPLED;
  readonly #host: DriverHost;
  readonly #context: HostContext;
  readonly #hosts: HostRoster;
  #machines = new Map<Item, Machine>();
  #isAlone = false;
  #closed = false;

  constructor(options: EsxiOptions, host: DriverHost) {
    this.#host = host;
    if (options.insecure) host.log('warn', 'insecure = true: whoever answers in the place of the server gets its password');
    const session = new VimSession({
      url: options.url, trust: () => passwordTrust(options, options.url), credentials: () => credentialsOf(options),
    });
    this.#context = {
      options,
      session,
      inventory: new Inventory(session, this.#listener(), undefined, options.vapps ? PATHS_WITH_VAPPS : PATHS),
      maintenance: new Maintenance(),
      log: host.log,
    };
    this.#hosts = new HostRoster({ ...options, port: HOST_PORT }, host, (entry) => this.#createHost(entry));
  }

  /** From memory while the server tells of what changes; else everything is read. */
  async list(signal: AbortSignal): Promise<Sightings> {
    const { inventory, session } = this.#context;
    const hosts = await this.#hosts.list('server', async () => {
      await explained('question', () => (inventory.isCurrent ? inventory.ensureAnswers(signal) : this.#fill(signal)));
      this.#isAlone = (await explained('question', () => session.login(signal))).service.about.apiType === 'HostAgent';
      return this.#foundHosts();
    });
    if (hosts.incomplete !== undefined) return hosts;
    const vms = await this.#vms();
    // Each of these steps takes some ms for a thousand VMs.
    await turn();
    const sightings = [...inOrder(hosts, nameOf), ...inOrder(vms, nameOf)];
    await turn();
    return sightings;
  }

  async #fill(signal: AbortSignal): Promise<void> {
    // What opened the provider had this turn.
    await turn();
    await this.#context.inventory.fill(signal);
    await turn();
  }

  sample(signal: AbortSignal): Promise<ReadonlyMap<string, Sample>> {
    return sampleAll(this.#context, signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#hosts.close();
    await this.#context.inventory.close();
    await this.#context.session.close(signal);
  }

  async #vms(): Promise<Sighting[]> {
    const machines = new Map<Item, Machine>();
    const sightings: Sighting[] = [];
    const slices = new Slices();
    for (const item of this.#context.inventory.items) {
      if (slices.isOverNow()) await slices.pause();
      if (isHost(item) || isHidden(item.properties) || textOf(item.properties.get('name')) === undefined) continue;
      const machine = this.#machineOf(item);
      machines.set(item, machine);
      sightings.push({ machine, state: stateOf(item) });
    }
    this.#machines = machines;
    return sightings;
  }

  /** The same one as long as it is the same. */
  #machineOf(item: Item): Machine {
    const known = this.#machines.get(item);
    const [id, name] = isVApp(item) ? [vAppId(item), vAppName(this.#context, item)] : [vmId(item), objectName(item)];
    if (known !== undefined && known.id === id && known.name === name) return known;
    return isVApp(item) ? createVApp(this.#context, item) : new Vm(this.#context, item);
  }

  #hostItems(): Item[] {
    return [...this.#context.inventory.items].filter((item) => isHost(item) && textOf(item.properties.get('name')) !== undefined);
  }

  /** vCenter calls a host by its address; an ESXi alone may call itself localhost, and is where we look for it. */
  #foundHosts(): FoundHost[] {
    const { options: { url, hosts } } = this.#context;
    const items = this.#hostItems();
    const uuids = items.map(hostUuid);
    return items.map((item) => {
      this.#context.maintenance.leaveWhenBooted(this.#context, item);
      const uuid = hostUuid(item);
      const isUnique = uuid !== undefined && uuids.indexOf(uuid) === uuids.lastIndexOf(uuid);
      const [only] = hosts.length === 1 ? hosts : [];
      return {
        name: this.#isAlone ? only?.name ?? objectName(item) : objectName(item),
        address: this.#isAlone ? url.hostname.replace(/^\[|\]$/g, '') : objectName(item),
        mac: wakingMac(item), uuid: isUnique ? uuid : item.ref.value, answers: isConnectedHost(item.properties),
      };
    });
  }

  #createHost(entry: RosterEntry): Machine {
    // Those without a uuid are listed before anybody has told of them.
    return createHost(this.#context, entry, () => this.#hostItem(entry), entry.uuid !== undefined && !this.#isAlone);
  }

  #hostItem({ uuid }: RosterEntry): Item | undefined {
    return uuid === undefined ? undefined : this.#hostItems().find((item) => hostUuid(item) === uuid || item.ref.value === uuid);
  }

  #listener(): Listener {
    return {
      modified: (item, paths) => {
        const machine = this.#machines.get(item);
        if (isHost(item)) {
          this.#context.maintenance.leaveWhenBooted(this.#context, item);
          if ([...paths].some((path) => IDENTITY.has(path) || STATE.has(path))) this.#host.relist();
        } else if (machine === undefined || [...paths].some((path) => IDENTITY.has(path))) this.#host.relist();
        else this.#tellOfVm(item, machine, paths);
      },
      membersChanged: () => this.#host.relist(),
      ended: (error) => this.#ended(error),
      silent: (error) => this.#lost(error),
      answers: () => this.#host.relist(),
    };
  }

  /** A machine that asks something is often noticed by nobody: it just does not go on. */
  #tellOfVm(item: Item, machine: Machine, paths: ReadonlySet<string>): void {
    const question = paths.has('runtime.question') ? questionOf(item.properties.get('runtime.question')) : undefined;
    if (question !== undefined) this.#host.log('warn', 'a machine waits for an answer', { machine: machine.name, question: question.text });
    if ([...paths].some((path) => STATE.has(path))) this.#host.changed(machine.id, stateOf(item));
  }

  /** An expired session is no reason for doubt: it is made anew at once. */
  #ended(error: unknown): void {
    if (this.#closed) return;
    if (!isFault(error, 'NotAuthenticated')) this.#lost(error);
    this.#host.relist();
  }

  #lost(error: unknown): void {
    const told = explain(error, 'question');
    this.#host.lost(told instanceof Error ? told.message : 'the connection was lost');
  }
}
