import { setImmediate as turn } from 'node:timers/promises';
import { Slices } from '../../kit/slices.js';
import { XapiPool } from '../../protocols/xapi/pool.js';
import { text } from '../../protocols/xapi/records.js';
import type { Driver, DriverHost, Machine, Sighting, Sightings } from '../driver.js';
import { HostRoster, type FoundHost, type RosterOptions } from '../host/roster.js';
import { credentialsOf, passwordTrust, type LoginOptions } from '../tls/options.js';
import { createHost } from './host.js';
import { Inventory } from './inventory.js';
import { PoolContext } from './context.js';
import { Vm } from './vm.js';
import { inOrder } from '../../kit/text.js';

export interface XenServerOptions extends LoginOptions, RosterOptions {
  /** the pool's hosts, or some of them, or one */
  readonly url: readonly URL[];
}

/** One pool of XenServer or XCP-ng hosts, or one such host, as a provider. */
export class XenServerDriver implements Driver {
  readonly #context: PoolContext;
  readonly #hosts: HostRoster;
  /** what the last listing held, by uuid */
  #machines = new Map<string, Machine>();

  constructor(options: XenServerOptions, host: DriverHost) {
    if (options.insecure) host.log('warn', 'insecure = true: whoever answers in the place of the pool gets its password');
    const pool = new XapiPool({
      origins: options.url,
      trust: () => passwordTrust(options, ...options.url),
      credentials: () => credentialsOf(options),
      onMaster: (master) => host.log('warn', 'the pool has another master', { master }),
    });
    this.#context = new PoolContext(pool, new Inventory(pool, host), host);
    this.#hosts = new HostRoster({ ...options, port: portOf(options.url[0]!) }, host, (entry) => createHost(this.#context, entry));
  }

  /** From memory while events keep it current; else everything is read. */
  async list(signal: AbortSignal): Promise<Sightings> {
    const { inventory } = this.#context;
    const hosts = await this.#hosts.list('pool', async () => {
      if (!inventory.isCurrent) await this.#fill(signal);
      return this.#foundHosts();
    });
    if (hosts.incomplete !== undefined) return hosts;
    const vms = await this.#vms();
    // Each of these steps takes some ms for a thousand VMs.
    await turn();
    const sightings = inOrder([...hosts, ...vms], ({ machine }) => machine.name);
    await turn();
    return sightings;
  }

  async #fill(signal: AbortSignal): Promise<void> {
    // What opened the provider had this turn.
    await turn();
    await this.#context.use('reads', () => this.#context.inventory.fill(signal));
    await turn();
  }

  #foundHosts(): FoundHost[] {
    const { inventory, pool } = this.#context;
    return [...inventory.hosts].map(([handle, { uuid, name, address }]) => ({
      uuid,
      name,
      address,
      mac: inventory.macOf(handle),
      answers: address === pool.master,
    }));
  }

  async #vms(): Promise<Sighting[]> {
    const machines = new Map<string, Machine>();
    const sightings: Sighting[] = [];
    const slices = new Slices();
    for (const entry of this.#context.inventory.vms.values()) {
      const { uuid, name, isMachine } = entry;
      if (slices.isOverNow()) await slices.pause();
      if (!isMachine) continue;
      const known = this.#machines.get(uuid);
      const machine = known?.name === name ? known : new Vm(this.#context, uuid, name);
      machines.set(uuid, machine);
      sightings.push({ machine, state: this.#context.inventory.stateOf(entry) });
    }
    this.#machines = machines;
    return sightings;
  }

  /** Of each host in turn. */
  dmesg(signal: AbortSignal): Promise<string> {
    const { pool, inventory } = this.#context;
    return this.#context.use('reads', async () => {
      if (inventory.hosts.size === 0) await inventory.fill(signal);
      const logs = [...inventory.hosts].map(async ([handle, { name }]) => {
        const log = text(await pool.call('host.dmesg', [handle], { signal }));
        return inventory.hosts.size === 1 ? log : `== ${name} ==\n${log}`;
      });
      return (await Promise.all(logs)).join('\n');
    });
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#hosts.close();
    this.#context.inventory.stop();
    this.#context.close();
    await this.#context.pool.close(signal);
  }
}

/** Where the hosts' xapi listens. */
const portOf = ({ protocol, port }: URL): number => (port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port));
