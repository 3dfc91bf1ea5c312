import { setImmediate as turn } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { Slices } from '../../kit/slices.js';
import { isFault } from '../../protocols/vim/errors.js';
import { VimSession } from '../../protocols/vim/session.js';
import { decodeName, textOf } from '../../protocols/vim/value.js';
import type { Driver, DriverHost, Machine, Sighting } from '../driver.js';
import { HostRoster, type FoundHost, type RosterEntry } from '../host/roster.js';
import { inOrder } from '../order.js';
import { credentialsOf, passwordTrust } from '../tls/options.js';
import type { EsxiOptions } from './context.js';
import { explain, explained, isHidden, questionOf, vmState } from './errors.js';
import { Maintenance, type HostContext } from './host-power.js';
import { createHost } from './host.js';
import { Inventory, type Listener } from './inventory.js';
import { hostName, hostUuid, isConnectedHost, isHost, wakingMac, type Item } from './items.js';
import { createVm, vmId } from './vm.js';

/** Of ESXi's own service: a host that drops pings answers there. */
const HOST_PORT = 443;
/** Until a server that was off at the start is asked again, ms. */
const TRY_AGAIN_MS = 5000;

/** What makes another machine of an object, rather than another state of the same. */
const IDENTITY = new Set(['name', 'config.template', 'config.instanceUuid', 'config.managedBy', 'hardware.systemInfo.uuid']);
/** What a state is told by. */
const STATE = new Set(['runtime.powerState', 'runtime.connectionState']);

/** One vCenter, or one ESXi host, as a provider. */
export class EsxiDriver implements Driver {
  readonly #host: DriverHost;
  readonly #context: HostContext;
  readonly #hosts: HostRoster;
  #machines = new Map<Item, Machine>();
  #hasListed = false;
  #isAlone = false;
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: EsxiOptions, host: DriverHost) {
    this.#host = host;
    if (options.insecure) host.log('warn', 'insecure = true: whoever answers in the place of the server gets its password');
    const session = new VimSession({
      url: options.url, trust: () => passwordTrust(options, options.url), credentials: () => credentialsOf(options),
    });
    this.#context = { options, session, inventory: new Inventory(session, this.#listener()), maintenance: new Maintenance(), log: host.log };
    this.#hosts = new HostRoster({ ...options, port: HOST_PORT }, host, (entry) => this.#createHost(entry));
  }

  /** From memory while the server tells of what changes; else everything is read. */
  async list(signal: AbortSignal): Promise<readonly Sighting[]> {
    const { inventory, session } = this.#context;
    clearTimeout(this.#again);
    try {
      await explained('question', () => (inventory.isCurrent ? inventory.ensureAnswers(signal) : inventory.fill(signal)));
      this.#isAlone = (await explained('question', () => session.login(signal))).service.about.apiType === 'HostAgent';
    } catch (error) {
      return await this.#listWithoutServer(error);
    }
    this.#hasListed = true;
    const hosts = await this.#hosts.list(this.#foundHosts());
    const vms = await this.#vms();
    // Each of these steps takes some ms for a thousand VMs.
    await turn();
    const sightings = [...inOrder(hosts), ...inOrder(vms)];
    await turn();
    return sightings;
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    this.#hosts.close();
    await this.#context.inventory.close();
    await this.#context.session.close(signal);
  }

  /**
   * At the start a host may be off, and vCenter with the host that carries it: then the hosts of the
   * configuration can be woken. Later what was listed before still stands, so that a failure is one.
   */
  async #listWithoutServer(error: unknown): Promise<readonly Sighting[]> {
    const isOff = error instanceof ArgoError && error.phrase === 'UNREACHABLE';
    if (this.#hasListed || !isOff || !this.#hosts.areGiven) throw error;
    this.#host.log('warn', 'the server does not answer: only the hosts of the configuration are listed', { reason: error.detail });
    this.#again = setTimeout(() => this.#host.relist(), TRY_AGAIN_MS).unref();
    return inOrder(await this.#hosts.list());
  }

  async #vms(): Promise<Sighting[]> {
    const machines = new Map<Item, Machine>();
    const sightings: Sighting[] = [];
    const slices = new Slices();
    for (const item of this.#context.inventory.items) {
      if (slices.isOverNow()) await slices.pause();
      if (isHost(item) || isHidden(item.properties) || textOf(item.properties.get('name')) === undefined) continue;
      const known = this.#machines.get(item);
      const isSame = known?.id === vmId(item) && known.name === decodeName(String(item.properties.get('name')));
      const machine = isSame ? known : createVm(this.#context, item);
      machines.set(item, machine);
      sightings.push({ machine, state: vmState(item.properties) });
    }
    this.#machines = machines;
    return sightings;
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
        name: this.#isAlone ? only?.name ?? hostName(item) : hostName(item),
        address: this.#isAlone ? url.hostname.replace(/^\[|\]$/g, '') : hostName(item),
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
    if ([...paths].some((path) => STATE.has(path))) this.#host.changed(machine.id, vmState(item.properties));
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
