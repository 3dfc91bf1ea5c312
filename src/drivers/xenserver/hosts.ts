import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../errors.js';
import { text, time, entries } from '../../protocols/xapi/values.js';
import { parseMac } from '../../protocols/wol/mac.js';
import type { Facts, Machine, PowerState, Sighting } from '../driver.js';
import { hostSettings, type HostEntry as GivenHost, type HostSettings, type SharedOptions } from '../host/options.js';
import { HostPower } from '../host/power.js';
import { leasePinger, type PingerLease } from '../host/shared-pinger.js';
import { takeDown, type TakeDown } from './host-actions.js';
import type { HostEntry } from './inventory.js';
import type { PoolContext } from './subject.js';

/** How long a listing waits for pings; what comes later is told when it comes. Milliseconds. */
const LISTING_WAITS_MS = 250;
/** Of a ping that a listing began, ms. */
const PING_DEADLINE_MS = 10_000;

export interface HostsOptions extends SharedOptions {
  readonly hosts: readonly GivenHost[];
}

/** A host as it was last seen: what the configuration says of it, over what the pool says. */
interface Known {
  readonly settings: HostSettings;
  readonly uuid: string | undefined;
  readonly power: HostPower;
  readonly machine: Machine;
}

/** The hosts of a pool: on when they answer pings, woken by Wake-on-LAN, taken down by the pool. */
export class PoolHosts {
  readonly #lease: PingerLease;
  #known = new Map<string, Known>();

  constructor(private readonly options: HostsOptions, private readonly context: PoolContext) {
    this.#lease = leasePinger(context.host.log);
  }

  /** Those that can be listed without the pool. */
  get areGiven(): boolean {
    return this.options.hosts.length > 0;
  }

  /** @param isPoolUp false: those of the configuration alone */
  async list(isPoolUp: boolean): Promise<Sighting[]> {
    const { inventory, pool } = this.context;
    const found = isPoolUp ? [...inventory.hosts].map(([handle, host]) => this.#settle(host, inventory.macOf(handle))) : [];
    const named = new Set(found.map(({ name }) => name));
    const others = this.options.hosts.filter(({ name }) => !named.has(name)).map((given) => this.#know(hostSettings(given, this.options), undefined));
    const all = [...found.map(({ known }) => known), ...others];
    this.#known = new Map(all.map((known) => [known.machine.id, known]));
    return Promise.all(all.map(async (known) => ({
      machine: known.machine,
      // The host that has just answered us needs no ping.
      state: isPoolUp && known.settings.address === pool.master ? 'on' : await this.#stateSoon(known),
    })));
  }

  close(): void {
    this.#lease.release();
  }

  #settle({ uuid, name, address }: HostEntry, mac: string | undefined): { name: string; known: Known } {
    const given = this.options.hosts.find((each) => each.name === name || each.address === address);
    const known = validMac(mac);
    const settings = hostSettings({ name, address, ...(known !== undefined && { mac: known }), ...given }, this.options);
    return { name: settings.name, known: this.#know(settings, uuid) };
  }

  /** A host of the configuration keeps its name as its mark: it is there before the pool can be asked. */
  #know(settings: HostSettings, uuid: string | undefined): Known {
    const id = uuid === undefined || this.options.hosts.some(({ name }) => name === settings.name) ? `host ${settings.name}` : uuid;
    const before = this.#known.get(id);
    if (before && before.uuid === uuid && JSON.stringify(before.settings) === JSON.stringify(settings)) return before;
    const power = new HostPower(settings, { pinger: this.#lease.pinger, log: this.context.host.log });
    return { settings, uuid, power, machine: createHost(this.context, { id, settings, uuid, power }) };
  }

  async #stateSoon({ power, machine }: Known): Promise<PowerState> {
    const asked = power.status(AbortSignal.timeout(PING_DEADLINE_MS), { background: true }).catch(() => 'unknown' as const);
    const late = Symbol('late');
    const first = await Promise.race([asked, pause(LISTING_WAITS_MS, late, { ref: false })]);
    if (first !== late) return first as PowerState;
    void asked.then((state) => this.context.host.changed(machine.id, state));
    return 'unknown';
  }
}

function validMac(mac: string | undefined): string | undefined {
  try {
    return mac === undefined ? undefined : parseMac(mac);
  } catch {
    return undefined;
  }
}

interface HostParts {
  readonly id: string;
  readonly settings: HostSettings;
  readonly uuid: string | undefined;
  readonly power: HostPower;
}

function createHost(context: PoolContext, { id, settings, uuid, power }: HostParts): Machine {
  const down = (order: TakeDown) => async (signal: AbortSignal): Promise<void> => {
    power.forgetWake();
    await takeDown(context, await uuidOf(signal), order, signal);
  };
  /** Of a host that was listed without the pool: asked for when it is needed. */
  const uuidOf = (signal: AbortSignal): Promise<string> => context.use('reads', async () => {
    if (uuid !== undefined) return uuid;
    const hosts = await context.pool.records('host', (record) => ({ uuid: text(record.uuid), keys: [text(record.name_label), text(record.address)] }), signal);
    const found = [...hosts.values()].find(({ keys }) => keys.includes(settings.name) || keys.includes(settings.address));
    if (!found) throw new ArgoError('NO SUCH INSTANCE', `the pool has no host ${settings.name}`);
    return found.uuid;
  });
  const record = (signal: AbortSignal) => context.use('reads', async () => {
    const handle = await context.handle('host', await uuidOf(signal), signal);
    return { handle, fields: await context.record('host', handle, signal) };
  });
  const booted = (fields: Readonly<Record<string, unknown>>): string => entries(fields.other_config).find(([key]) => key === 'boot_time')?.[1] ?? '';
  return {
    id,
    name: settings.name,
    type: 'host',
    status: (signal) => power.status(signal),
    ...(power.canWake && { start: (signal: AbortSignal) => power.wake(signal) }),
    shutdown: down({ how: 'shutdown', force: false }),
    powerOff: down({ how: 'shutdown', force: true }),
    reboot: down({ how: 'reboot', force: false }),
    reset: down({ how: 'reboot', force: true }),
    bootMark: async (signal) => booted((await record(signal)).fields),
    uptime: async (signal) => {
      const { handle, fields } = await record(signal);
      const now = time(await context.use('reads', () => context.pool.call('host.get_servertime', [handle], { signal }))) ?? Date.now();
      const since = Number.parseFloat(booted(fields));
      if (!(since > 0)) throw new ArgoError('FAILED', 'the pool does not know since when it runs');
      return Math.max(0, now / 1000 - since);
    },
    ip: () => Promise.resolve([settings.address]),
    ...(settings.mac !== undefined && { mac: () => Promise.resolve([settings.mac ?? '']) }),
    info: async (signal): Promise<Facts> => {
      const { fields } = await record(signal);
      const version = new Map(entries(fields.software_version));
      return {
        uuid: text(fields.uuid), ips: [settings.address], ...(settings.mac !== undefined && { macs: [settings.mac] }),
        more: { product: `${version.get('product_brand') ?? ''} ${version.get('product_version') ?? ''}`.trim(), enabled: String(fields.enabled === true) },
      };
    },
  };
}
