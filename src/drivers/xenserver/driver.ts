import { XapiPool } from '../../protocols/xapi/pool.js';
import { text } from '../../protocols/xapi/values.js';
import type { Driver, DriverHost, Machine, Sighting } from '../driver.js';
import { Inventory } from './inventory.js';
import { credentialsOf, trustOf, type XenServerOptions } from './options.js';
import { PoolContext } from './subject.js';
import { createVm } from './vm.js';

/** One pool of XenServer or XCP-ng hosts, or one such host, as a provider. */
export class XenServerDriver implements Driver {
  readonly #context: PoolContext;
  /** what the last listing held, by uuid */
  #machines = new Map<string, Machine>();

  constructor(options: XenServerOptions, host: DriverHost) {
    if (options.insecure) host.log('warn', 'insecure = true: whoever answers in the place of the pool gets its password');
    const pool = new XapiPool({
      origins: options.url,
      trust: () => trustOf(options),
      credentials: () => credentialsOf(options),
      onMaster: (master) => host.log('warn', 'the pool has another master', { master }),
    });
    this.#context = new PoolContext(pool, new Inventory(pool, host), host);
  }

  /** From memory while events keep it current; else everything is read. */
  async list(signal: AbortSignal): Promise<readonly Sighting[]> {
    const { inventory } = this.#context;
    if (!inventory.isCurrent) await this.#context.use('reads', () => inventory.fill(signal));
    const machines = new Map<string, Machine>();
    const sightings = [...inventory.vms.values()].filter(({ isMachine }) => isMachine).map(({ uuid, name, state }) => {
      const known = this.#machines.get(uuid);
      const machine = known?.name === name ? known : createVm(this.#context, uuid, name);
      machines.set(uuid, machine);
      return { machine, state };
    });
    this.#machines = machines;
    return sightings.sort((one, other) => collator.compare(one.machine.name, other.machine.name));
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
    this.#context.inventory.stop();
    this.#context.close();
    await this.#context.pool.close(signal);
  }
}

const collator = new Intl.Collator('en', { numeric: true });
