import { ArgoError } from '../../kit/errors.js';
import type { Driver, DriverHost, Machine, PowerState, Sighting, Sightings } from '../driver.js';
import { inOrder } from '../../kit/text.js';
import { withBoard } from '../host/board.js';
import { boardOf } from '../host/boards.js';
import { hostSettings, singleHostSettings, type HostEntry, type HostSettings, type SingleHostOptions } from '../host/options.js';
import { HostPower, leasePinger, type PingerLease } from '../host/power.js';
import { listSilentHypervisor } from '../host/roster.js';
import { linkTo, loginGuard, serviceSign, warnOfOpenness } from '../wmi/open-link.js';
import { WindowsHost } from '../wmi/host.js';
import type { WmiOptions } from '../wmi/options.js';
import { Cluster, type Node, type SilentNode } from './cluster.js';
import { HyperVContext } from './context.js';
import type { VmEntry } from './inventory.js';
import { Vm } from './vm.js';

/** The id of the host among its provider's machines, and how those of further nodes begin: no GUIDs. */
const HOST_ID = 'host';

/** A node as the configuration has it. */
type NodeEntry = HostEntry & Partial<Pick<WmiOptions, 'fingerprint' | 'kerberos'>>;

/** As index.ts reads them. */
export interface HyperVOptions extends WmiOptions, SingleHostOptions {
  readonly nodes: readonly NodeEntry[];
  readonly 'close-programs': boolean;
}

/** A Hyper-V host and its virtual machines, or a cluster of such hosts. */
export class HyperVDriver implements Driver {
  readonly #nodes: readonly Node[];
  readonly #cluster: Cluster;
  readonly #lease: PingerLease;
  /** why nodes of the configuration are left out, for people */
  readonly #leftOut: string[] = [];
  #vms = new Map<string, Vm>();
  #hasListed = false;
  /** those whose machines have been listed */
  readonly #listed = new Set<Node>();
  readonly #host: DriverHost;

  constructor(options: HyperVOptions, host: DriverHost) {
    this.#host = host;
    warnOfOpenness(options, host.log);
    this.#lease = leasePinger(host.log);
    this.#nodes = nodesOf(options, host.name).flatMap((parts) => this.#open(options, parts));
    this.#cluster = new Cluster(this.#nodes, () => host.relist());
  }

  /** @returns nothing for a further node that there cannot be: the others are there all the same */
  #open(options: HyperVOptions, { id, settings, given }: NodeParts): Node[] {
    const { log } = this.#host;
    try {
      // One account, whose failures at all nodes add up, while one node may refuse what the others take.
      const guard = loginGuard(options, options.address, log);
      // Two connections: a reading that takes seconds must not delay orders.
      const links = { control: linkTo(given, settings.address, guard), readings: linkTo(given, settings.address, guard) };
      const power = new HostPower(settings, { pinger: this.#lease.pinger, log, ...serviceSign(given, settings.address) });
      const machine = withBoard(new WindowsHost({ id, power, ...links }), boardOf(power, log, true));
      const stateOf = (vm: string, signal: AbortSignal): Promise<PowerState> => this.#cluster.state(vm, signal);
      return [{ machine, context: new HyperVContext({ ...links, host: this.#host, stateOf, closesPrograms: options['close-programs'] }) }];
    } catch (error) {
      if (!(error instanceof ArgoError) || id === HOST_ID) throw error;
      log('warn', 'a node is left out', { node: settings.name, reason: error.detail });
      this.#leftOut.push(`${settings.name} is left out: ${error.detail}`);
      return [];
    }
  }

  list(signal: AbortSignal): Promise<Sightings> {
    const [only] = this.#nodes as [Node];
    return this.#nodes.length === 1 && this.#leftOut.length === 0 ? this.#listHost(only, signal) : this.#listCluster(signal);
  }

  async close(): Promise<void> {
    this.#lease.release();
    await Promise.all(this.#nodes.map(({ machine }) => machine.close()));
  }

  async #listHost(node: Node, signal: AbortSignal): Promise<Sightings> {
    const { machine, context } = node;
    try {
      const entries = await context.use('reads', () => context.inventory.list(signal));
      this.#hasListed = true;
      this.#listed.add(node);
      // The host that has just answered us needs no ping.
      return [{ machine, state: 'on' }, ...this.#sightings(entries)];
    } catch (error) {
      signal.throwIfAborted();
      const state = await machine.look(signal).catch(() => 'unknown' as const);
      const hasListed = this.#hasListed;
      this.#hasListed = true;
      const silent = { machine, state, guests: [...this.#vms.values()], hasListed, areGuestsKnown: this.#listed.has(node) };
      return listSilentHypervisor(silent, this.#host, error as Error);
    }
  }

  /** A node that is silent leaves out what is on it and has never been listed; the others go on. */
  async #listCluster(signal: AbortSignal): Promise<Sightings> {
    const { entries, silent } = await this.#cluster.list(signal);
    const hosts = await Promise.all(this.#nodes.map(async (node): Promise<Sighting> => {
      const { machine } = node;
      // A node that has just answered us needs no ping.
      if (silent.some((each) => each.node === node)) return { machine, state: await machine.look(signal).catch(() => 'unknown' as const) };
      this.#listed.add(node);
      return { machine, state: 'on' };
    }));
    signal.throwIfAborted();
    const sightings = [...hosts, ...this.#sightings(inOrder(entries, ({ name }) => name))];
    // One that is off runs nothing, and what was on it is known.
    const missing = silent.filter(({ node }) => !this.#listed.has(node) || hosts.find(({ machine }) => machine === node.machine)?.state !== 'off');
    const reasons = [...this.#leftOut, ...missing.map(tellMissing)];
    return reasons.length === 0 ? sightings : Object.assign(sightings, { incomplete: reasons.join('; ') });
  }

  /** Machines that stay keep their objects, and with them what is known of their boots. */
  #sightings(entries: readonly VmEntry[]): Sighting[] {
    const before = this.#vms;
    this.#vms = new Map(entries.map(({ id, name }) => {
      const known = before.get(id);
      return [id, known?.name === name ? known : new Vm(this.#cluster, id, name)];
    }));
    return entries.map(({ id, state }) => ({ machine: this.#vms.get(id) as Machine, state }));
  }
}

const tellMissing = ({ node, fault }: SilentNode): string => `what is on ${node.machine.name} cannot be listed: ${fault.message}`;

/** What a node is made of. */
interface NodeParts {
  readonly id: string;
  readonly settings: HostSettings;
  readonly given: WmiOptions;
}

/**
 * The host of `address`, under the name that it has among the nodes, else under the provider's; then the other nodes.
 * What is said of the host of `address` in the table itself, its board and the like, holds for no other.
 */
function nodesOf(options: HyperVOptions, provider: string): NodeParts[] {
  const isFirst = ({ name, address = name }: NodeEntry): boolean => address === options.address;
  const own = options.nodes.find(isFirst);
  const { address, mac, wol, ping, power } = options;
  const first = own ? hostSettings({ mac, power, ...own, address }, { wol, ping }) : singleHostSettings(provider, options);
  const trusting = (entry: NodeEntry | undefined): WmiOptions => ({
    ...options, fingerprint: entry?.fingerprint ?? options.fingerprint, kerberos: entry?.kerberos ?? options.kerberos,
  });
  return [
    { id: HOST_ID, settings: first, given: trusting(own) },
    ...options.nodes.filter((entry) => !isFirst(entry)).map((entry) => ({ id: `${HOST_ID}-${entry.name}`, settings: hostSettings(entry, { wol, ping }), given: trusting(entry) })),
  ];
}
