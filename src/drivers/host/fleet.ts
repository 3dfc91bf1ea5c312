import { ArgoError } from '../../kit/errors.js';
import type { DriverHost, Sighting } from '../driver.js';
import { HostList, type ListedHosts } from './hosts.js';
import type { HostEntry } from './options.js';
import { Sightings, type Looked } from './sightings.js';

/** One of many hosts. */
export interface FleetHost extends Looked {
  /** Lets go of its connections. */
  close(): void | Promise<void>;
}

/** A host with what the configuration said of it when it was made. */
interface Known<Host> {
  readonly stamp: string;
  readonly machine: Host;
}

/**
 * The hosts of a provider that is nothing but a list of them, in the configuration or a hosts file. They are
 * known at once: one that is silent must not hide its neighbours.
 */
export class HostFleet<Entry extends HostEntry, Host extends FleetHost> {
  readonly #list: HostList<Entry>;
  readonly #sightings: Sightings;
  /** by name */
  #known = new Map<string, Known<Host>>();
  /** what was said of hosts that are left out */
  #refused = new Set<string>();
  readonly #host: DriverHost;
  readonly #create: (entry: Entry | HostEntry) => Host;

  /** @param create makes the machine of a host; what it throws as an ArgoError leaves out just that host */
  constructor(options: ListedHosts<Entry>, host: DriverHost, create: (entry: Entry | HostEntry) => Host) {
    this.#list = new HostList<Entry>(options, host.log);
    this.#sightings = new Sightings(host);
    this.#host = host;
    this.#create = create;
  }

  /** @throws ArgoError FAILED where the hosts file could never be read */
  async list(): Promise<Sighting[]> {
    return this.#sightings.list(await this.refresh());
  }

  /** The hosts as the configuration and the hosts file have them now; one that has not changed is kept. @throws as {@link list} */
  async refresh(): Promise<Host[]> {
    const before = this.#known;
    const told = this.#refused;
    const entries = this.#list.read();
    this.#refused = new Set();
    this.#known = new Map(entries.flatMap((entry) => {
      const known = this.#settle(entry, before.get(entry.name), told);
      return known ? [[entry.name, known]] : [];
    }));
    const gone = [...before].filter(([name, known]) => this.#known.get(name) !== known);
    await Promise.all(gone.map(async ([, { machine }]) => machine.close()));
    return [...this.#known.values()].map(({ machine }) => machine);
  }

  async close(): Promise<void> {
    this.#sightings.close();
    const known = [...this.#known.values()];
    this.#known.clear();
    await Promise.all(known.map(async ({ machine }) => machine.close()));
  }

  /** @returns undefined for a host that there cannot be, which is told once: the others are there all the same */
  #settle(entry: Entry | HostEntry, known: Known<Host> | undefined, told: ReadonlySet<string>): Known<Host> | undefined {
    const stamp = JSON.stringify(entry);
    if (known?.stamp === stamp) return known;
    try {
      return { stamp, machine: this.#create(entry) };
    } catch (error) {
      if (!(error instanceof ArgoError)) throw error;
      this.#refused.add(stamp);
      const line = this.#list.placeOf(entry);
      if (!told.has(stamp)) this.#host.log('warn', 'a host is left out', { host: entry.name, ...(line !== undefined && { line }), reason: error.detail });
      return undefined;
    }
  }
}
