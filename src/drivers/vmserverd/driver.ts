import { formatEndpoint, inOrder } from '../../kit/text.js';
import type { Driver, DriverHost, Sighting, Sightings } from '../driver.js';
import { credentialsOf, tlsTrust, type LoginOptions } from '../tls/options.js';
import { Connections } from './connections.js';
import { ServerContext } from './context.js';
import { Inventory } from './inventory.js';
import { eventLine, readEvents } from './readings.js';
import { SwitchedVm, Vm } from './vm.js';

export interface VmserverdOptions extends LoginOptions {
  readonly host: string;
  readonly port: number;
  readonly 'old-tls': boolean;
}

/** Machines whose events a log has, and how many of each. */
const LOGGED_MACHINES = 200;
const LOGGED_EVENTS = 25;

/** One server that speaks vmserverd, as a provider. */
export class VmserverdDriver implements Driver {
  readonly #context: ServerContext;
  readonly #inventory: Inventory;
  /** what the last listing held, by path */
  #machines = new Map<string, Vm>();

  constructor(options: VmserverdOptions, host: DriverHost) {
    if (options.insecure) host.log('warn', 'insecure = true: whoever answers in the place of the server gets its password, and it may cross the network in the clear');
    const realm = formatEndpoint(options);
    const connections = new Connections({
      realm,
      address: () => ({ host: options.host, port: options.port, trust: tlsTrust(options), isPlainAllowed: options.insecure, isOldTlsAllowed: options['old-tls'] }),
      credentials: () => credentialsOf(options),
    });
    this.#context = new ServerContext(connections, realm, host);
    this.#inventory = new Inventory(this.#context);
  }

  async list(signal: AbortSignal): Promise<Sightings> {
    const entries = await this.#context.use('reads', () => this.#inventory.list(signal));
    const Made = this.#inventory.isSwitching ? SwitchedVm : Vm;
    const machines = new Map<string, Vm>();
    const sightings = entries.map(({ config, name, state }): Sighting => {
      const known = this.#machines.get(config);
      const machine = known?.name === name && known.constructor === Made ? known : new Made(this.#context, config, name);
      machines.set(config, machine);
      return { machine, state };
    });
    this.#machines = machines;
    return inOrder(sightings, ({ machine }) => machine.name);
  }

  /** The last events of all machines, in the order in which they happened. */
  async dmesg(signal: AbortSignal): Promise<string> {
    // one that has told of no machine may not have told anything yet
    const known = [...this.#inventory.entries];
    const all = known.length > 0 ? known : await this.#context.use('reads', () => this.#inventory.list(signal));
    const entries = all.slice(0, LOGGED_MACHINES);
    const logs = await Promise.allSettled(
      entries.map(async ({ config, name }) =>
        (await readEvents(this.#context, config, LOGGED_EVENTS, signal)).map((event) => ({ name, event })),
      ),
    );
    const told = logs.flatMap((log) => (log.status === 'fulfilled' ? [log.value] : []));
    // one that has just gone has no events; where none has any, the reason is told
    const [failed] = logs.flatMap((log) => (log.status === 'rejected' ? [log.reason as Error] : []));
    if (failed !== undefined && told.length === 0) throw failed;
    return told.flat().sort((one, other) => one.event.time - other.event.time).map(({ name, event }) => eventLine(event, name)).join('\n');
  }

  close(): Promise<void> {
    this.#context.connections.close();
    return Promise.resolve();
  }
}
