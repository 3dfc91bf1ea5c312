import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import type { Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import * as actions from './power.js';
import type { DiskSpec, Vif } from './definition.js';
import { unlessAborted } from './disks.js';
import type { Dom0, Sample } from './context.js';
import { parseUptime, stateOf, type Row } from './output.js';
import { guestTraffic, parseNetDev, type Counters } from './readings.js';
import { within } from '../../kit/within.js';

/** Milliseconds for the system's resolver, which has no deadline of its own that we could set. */
const LOOKUP_LIMIT = 5000;
/** Milliseconds that a load must cover at least: xl counts CPU time in tenths of a second. */
const LOAD_WINDOW = 2000;
/** Milliseconds after which an earlier sample says nothing of the present. */
const LOAD_MAX_AGE = 60_000;

/** What is known of a machine's devices: from xl while it runs, else from its file. */
interface Devices {
  readonly type?: string;
  readonly vifs: readonly Vif[];
  readonly disks: readonly DiskSpec[];
}

const MIB = 1024n * 1024n;

/** A domain, or the configuration file of one that could be started. */
export class XenMachine implements Machine {
  readonly id: string;
  readonly type = 'vm';
  /** A PV guest finds the request in xenstore whenever it looks; an ACPI button is pressed only once. */
  readonly mayMissShutdown: boolean;
  /** a domain without a configuration file is there only while it runs */
  readonly isOffWhenGone = true;
  readonly start?: (signal: AbortSignal) => Promise<void>;
  readonly reset?: (signal: AbortSignal) => Promise<void>;
  readonly #dom0: Dom0;

  /** @param name xl's key for a domain too: no two running domains share one, and uuids change from start to start */
  constructor(readonly name: string, dom0: Dom0) {
    this.#dom0 = dom0;
    this.id = name;
    const config = dom0.configs.get(name);
    this.mayMissShutdown = config?.definition.type !== 'pv';
    if (!config) return;
    this.start = (signal) => actions.start(dom0, name, signal);
    this.reset = (signal) => actions.reset(dom0, name, signal);
  }

  async status(signal: AbortSignal): Promise<PowerState> {
    const state = await this.#dom0.steadily(async () => {
      const row = await this.#dom0.find(this.name, signal);
      return this.#dom0.stateFrom(this.name, row, row ? undefined : await this.#dom0.saves.find(this.name));
    });
    if (!state) throw new ArgoError('NO SUCH INSTANCE');
    return state;
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return actions.shutdown(this.#dom0, this.name, signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return actions.powerOff(this.#dom0, this.name, signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return actions.reboot(this.#dom0, this.name, signal);
  }

  pause(signal: AbortSignal): Promise<void> {
    return actions.pause(this.#dom0, this.name, signal);
  }

  unpause(signal: AbortSignal): Promise<void> {
    return actions.unpause(this.#dom0, this.name, signal);
  }

  suspend(signal: AbortSignal): Promise<void> {
    return actions.suspend(this.#dom0, this.name, signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return actions.resume(this.#dom0, this.name, signal);
  }

  async bootMark(signal: AbortSignal): Promise<string> {
    return this.#dom0.bootMark(await this.#dom0.running(this.name, signal));
  }

  async info(signal: AbortSignal): Promise<Facts> {
    const row = await this.#dom0.find(this.name, signal);
    const config = this.#dom0.configs.get(this.name);
    const { type, vifs, disks } = await this.#devices(row, signal);
    const uuid = row?.uuid ?? config?.definition.uuid;
    const cpus = row?.vcpus ?? config?.definition.vcpus;
    const memory = row ? BigInt(row.memory) * MIB : config?.definition.memory;
    return {
      ...(uuid !== undefined && { uuid }),
      ...(cpus !== undefined && { cpus }),
      ...(memory !== undefined && { memory }),
      ips: vifs.flatMap(({ ips }) => ips),
      macs: macsOf(vifs),
      disks: await this.#dom0.disks.describe(disks, signal),
      host: hostname(),
      more: {
        ...(type !== undefined && { virtualization: type }),
        ...(row && { domid: String(row.domid) }),
        ...(config && { config: config.path }),
      },
    };
  }

  /** Those of its configuration, else what the system's resolver says of its name. */
  async ip(signal: AbortSignal): Promise<readonly string[]> {
    const { vifs } = await this.#devices(await this.#dom0.find(this.name, signal), signal);
    const fixed = vifs.flatMap(({ ips }) => ips);
    if (fixed.length > 0) return fixed;
    const found = this.#dom0.view.lookup(this.name).catch((error: unknown) => {
      throw new ArgoError('FAILED', 'its configuration has no ip=, and its name cannot be resolved', { cause: error });
    });
    const addresses = await within(LOOKUP_LIMIT, [signal], (limit) => unlessAborted(found, limit, 'its configuration has no ip=, and DNS does not answer'));
    return [...new Set(addresses)];
  }

  async mac(signal: AbortSignal): Promise<readonly string[]> {
    const { vifs } = await this.#devices(await this.#dom0.find(this.name, signal), signal);
    const macs = macsOf(vifs);
    if (macs.length < vifs.length && macs.length === 0) throw new ArgoError('WRONG STATE', 'it gets its address at each start; its file has no mac=');
    return macs;
  }

  async uptime(signal: AbortSignal): Promise<number> {
    const { domid } = await this.#dom0.running(this.name, signal);
    const { stdout } = await this.#dom0.xl.run(['uptime', '--', String(domid)], { signal });
    return parseUptime(stdout, domid);
  }

  async rx(signal: AbortSignal): Promise<bigint> {
    return (await this.#traffic(signal)).received;
  }

  async tx(signal: AbortSignal): Promise<bigint> {
    return (await this.#traffic(signal)).sent;
  }

  /** The share of its virtual CPUs that it used since the last listing, or over the next {@link LOAD_WINDOW}. */
  async load(signal: AbortSignal): Promise<Load> {
    const now = await this.#dom0.running(this.name, signal);
    const earlier = this.#dom0.samples.get(this.name);
    const age = earlier ? performance.now() - earlier.at : 0;
    if (earlier?.domid === now.domid && age >= LOAD_WINDOW && age <= LOAD_MAX_AGE) return share(earlier, now);
    const first: Sample = { domid: now.domid, seconds: now.seconds, at: performance.now() };
    await sleep(LOAD_WINDOW, undefined, { signal }).catch(() => {
      throw new ArgoError('TIMEOUT', `its load takes ${LOAD_WINDOW / 1000} s to measure`);
    });
    const later = await this.#dom0.running(this.name, signal);
    if (later.domid !== now.domid) throw new ArgoError('WRONG STATE', 'it rebooted meanwhile');
    return share(first, later);
  }

  async disk(signal: AbortSignal): Promise<readonly Disk[]> {
    const { disks } = await this.#devices(await this.#dom0.find(this.name, signal), signal);
    return this.#dom0.disks.describe(disks, signal);
  }

  async #traffic(signal: AbortSignal): Promise<Counters> {
    const row = await this.#dom0.running(this.name, signal);
    const interfaces = parseNetDev(await readFile(this.#dom0.view.procNetDev, 'utf8'));
    const counted = guestTraffic(interfaces, row.domid, [])
      ?? guestTraffic(interfaces, row.domid, ifnames((await this.#devices(row, signal)).vifs));
    if (counted) return counted;
    throw new ArgoError('NOT SUPPORTED', 'domain 0 carries none of its network interfaces');
  }

  async #devices(row: Row | undefined, signal: AbortSignal): Promise<Devices> {
    const details = row && stateOf(row.flags) !== 'stopping' ? await this.#dom0.details(row, signal) : undefined;
    const definition = this.#dom0.configs.get(this.name)?.definition;
    if (details ?? definition) return details ?? definition!;
    if (row) throw new ArgoError('FAILED', 'xl does not tell its configuration');
    if (await this.#dom0.saves.find(this.name)) throw new ArgoError('WRONG STATE', 'it is suspended and has no configuration file');
    throw new ArgoError('NO SUCH INSTANCE');
  }
}

function macsOf(vifs: readonly Vif[]): string[] {
  return vifs.flatMap(({ mac }) => mac ?? []);
}

function ifnames(vifs: readonly Vif[]): string[] {
  return vifs.flatMap(({ ifname }) => ifname ?? []);
}

function share(before: Sample, now: Row): Load {
  const elapsed = (performance.now() - before.at) / 1000;
  const percent = ((now.seconds - before.seconds) / elapsed / Math.max(1, now.vcpus)) * 100;
  return { cpuPercent: Math.min(100, Math.max(0, percent)) };
}
