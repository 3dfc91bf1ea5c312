import { ArgoError } from '../../kit/errors.js';
import type { Log } from '../../kit/log.js';
import { beforeSending, within } from '../../kit/within.js';
import type { Consoles, Facts, Load, Machine, PowerState } from '../driver.js';
import type { HostPower } from '../host/power.js';
import type { Esxi } from './commands.js';
import { detailOf } from './errors.js';
import type { Inventory } from './inventory.js';
import { isAgent } from './readings.js';

/** Seconds that ESXi gets to enter maintenance mode. Nothing runs any more then, so it is quick. */
const MAINTENANCE_SECONDS = 60;
/** Milliseconds for that to be answered. */
const MAINTENANCE_LIMIT = (MAINTENANCE_SECONDS + 15) * 1000;
/** Seconds between order and shutdown: the least that esxcli takes, and enough to leave maintenance mode. */
const SHUTDOWN_DELAY = 10;
/** Milliseconds for leaving maintenance mode, within that delay. */
const LEAVE_LIMIT = 8000;
/** Names in a message; the rest is counted. */
const NAMES_TOLD = 5;

/** The id of the host among its provider's machines. */
const HOST_ID = 'host';

/** How a host is seen and woken over the network, without its help. */
export type Presence = Pick<HostPower, 'host' | 'status' | 'canWake' | 'wake' | 'goDown'>;

/** What the host needs besides. */
export interface HostContext {
  readonly esxi: Esxi;
  readonly inventory: Inventory;
  readonly presence: Presence;
  /** with our own login, where somebody may be given one */
  readonly shell?: Consoles['shell'] | undefined;
  /** whether it is to be in maintenance mode when it comes up again */
  readonly staysInMaintenance: boolean;
  readonly log: Log;
  /** The host goes down: its connection is of no use any more. */
  goingDown(): void;
}

/** The ESXi host itself. */
export class EsxiHost implements Machine {
  readonly id = HOST_ID;
  readonly name: string;
  readonly type = 'host';
  readonly bootMarkLasts = true;
  readonly start?: (signal: AbortSignal) => Promise<void>;
  readonly console?: Consoles;
  readonly mac?: (signal: AbortSignal) => Promise<readonly string[]>;
  readonly #context: HostContext;

  constructor(context: HostContext) {
    this.#context = context;
    const { presence, shell } = context;
    const { name, mac } = presence.host;
    this.name = name;
    if (shell !== undefined) this.console = { shell };
    if (presence.canWake) this.start = (signal) => presence.wake(signal);
    if (mac !== undefined) this.mac = () => Promise.resolve([mac]);
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return this.#context.presence.status(signal);
  }

  /** As {@link status}, for a listing: questions of people go first. */
  look(signal: AbortSignal): Promise<PowerState> {
    return this.#context.presence.status(signal, { background: true });
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return this.#context.presence.goDown(() => this.#goDown('poweroff', signal));
  }

  reboot(signal: AbortSignal): Promise<void> {
    return this.#context.presence.goDown(() => this.#goDown('reboot', signal));
  }

  /** Whatever runs on it is powered off with it. */
  powerOff(signal: AbortSignal): Promise<void> {
    return this.#force('poweroff', signal);
  }

  reset(signal: AbortSignal): Promise<void> {
    return this.#force('reboot', signal);
  }

  async bootMark(signal: AbortSignal): Promise<string> {
    const { bootTime } = await this.#context.esxi.hostSummary(signal);
    if (bootTime === undefined) throw new ArgoError('FAILED', 'ESXi does not tell when it was booted');
    return bootTime;
  }

  async info(signal: AbortSignal): Promise<Facts> {
    const { presence: { host: { address, mac } }, esxi } = this.#context;
    const net = { ips: [address], ...(mac !== undefined && { macs: [mac] }) };
    const summary = await esxi.hostSummary(signal).catch((thrown: unknown) => {
      if (thrown instanceof ArgoError && thrown.phrase === 'UNREACHABLE') return thrown;
      throw thrown;
    });
    if (summary instanceof ArgoError) return { ...net, more: { error: summary.message } };
    const { uuid, cpus, memory, product, model, inMaintenance } = summary;
    return {
      ...net,
      ...(uuid !== undefined && { uuid }),
      ...(cpus !== undefined && { cpus }),
      ...(memory !== undefined && { memory }),
      more: {
        ...(product !== undefined && { product }),
        ...(model !== undefined && { model }),
        maintenance: inMaintenance ? 'yes' : 'no',
      },
    };
  }

  ip(): Promise<readonly string[]> {
    return Promise.resolve([this.#context.presence.host.address]);
  }

  async uptime(signal: AbortSignal): Promise<number> {
    const { uptime } = await this.#context.esxi.hostSummary(signal);
    if (uptime === undefined) throw new ArgoError('FAILED', 'ESXi does not tell its uptime');
    return uptime;
  }

  async load(signal: AbortSignal): Promise<Load> {
    const { cpuPercent } = await this.#context.esxi.hostSummary(signal);
    if (cpuPercent === undefined) throw new ArgoError('FAILED', 'ESXi does not tell its load');
    return { cpuPercent };
  }

  async #force(way: 'poweroff' | 'reboot', signal: AbortSignal): Promise<void> {
    const { esxi, presence, goingDown } = this.#context;
    await presence.goDown(() => esxi.forceHost(way, signal));
    goingDown();
  }

  /** Through maintenance mode, which keeps machines from being started meanwhile. */
  async #goDown(way: 'poweroff' | 'reboot', signal: AbortSignal): Promise<void> {
    const { esxi, staysInMaintenance, goingDown } = this.#context;
    const entered = await beforeSending(signal, async () => {
      await this.#refuseWhileMachinesRun(signal);
      return this.#enterMaintenance(signal);
    });
    let mayGoDown = false;
    try {
      await esxi.shutDownHost(way, SHUTDOWN_DELAY, signal);
      mayGoDown = true;
    } catch (thrown) {
      mayGoDown = !(thrown instanceof ArgoError) || thrown.phrase === 'UNCERTAIN';
      throw thrown;
    } finally {
      // Maintenance mode outlasts a boot, and a host that comes up in it starts no machine.
      if (entered && !(mayGoDown && staysInMaintenance)) await this.#leaveMaintenance();
      if (mayGoDown) goingDown();
    }
  }

  async #refuseWhileMachinesRun(signal: AbortSignal): Promise<void> {
    const names = await this.#runningMachines(signal);
    if (names.length === 0) return;
    const told = names.slice(0, NAMES_TOLD).map(detailOf).join(', ');
    const more = names.length > NAMES_TOLD ? ` and ${names.length - NAMES_TOLD} more` : '';
    throw new ArgoError('WRONG STATE', `${told}${more} ${names.length === 1 ? 'runs' : 'run'} on it; stop ${names.length === 1 ? 'it' : 'them'} first, or use --force`);
  }

  /** What vim-cmd says is on, and what the kernel runs besides: a machine need not be registered to run. */
  async #runningMachines(signal: AbortSignal): Promise<string[]> {
    const { esxi, inventory } = this.#context;
    const [entries, processes] = await Promise.all([inventory.refresh(signal), esxi.listProcesses(signal)]);
    const on = entries.filter(({ summary }) => summary.state === 'on').map(({ summary }) => summary.name);
    return [...new Set([...on, ...processes.filter((process) => !isAgent(process)).map(({ name }) => name)])];
  }

  /** @returns whether it was not in it before */
  async #enterMaintenance(signal: AbortSignal): Promise<boolean> {
    const { esxi } = this.#context;
    if (await esxi.inMaintenance(signal)) return false;
    let refusal: unknown;
    try {
      await within(MAINTENANCE_LIMIT, [signal], (limit) => esxi.setMaintenance(true, MAINTENANCE_SECONDS, limit));
    } catch (thrown) {
      refusal = thrown;
    }
    const isIn = await esxi.inMaintenance(signal).catch(() => false);
    if (isIn) return true;
    await this.#leaveMaintenance();
    signal.throwIfAborted();
    await this.#refuseWhileMachinesRun(signal);
    if (refusal instanceof ArgoError && refusal.phrase !== 'UNCERTAIN') throw refusal;
    throw new ArgoError('TIMEOUT', `it did not enter maintenance mode within ${MAINTENANCE_SECONDS} s`, { cause: refusal });
  }

  /** Also gives up entering it. That it fails is no reason to call the rest a failure. */
  async #leaveMaintenance(): Promise<void> {
    const { esxi, log } = this.#context;
    try {
      await within(LEAVE_LIMIT, [], (limit) => esxi.setMaintenance(false, 0, limit));
    } catch (error) {
      log('warn', 'the host may still be in maintenance mode', { reason: String(error) });
    }
  }
}
