import { watch, type FSWatcher } from 'node:fs';
import type { Driver, DriverHost, PowerState, Sighting, Sightings } from '../driver.js';
import { Configs } from './configs.js';
import { Dom0, THIS_HOST, type HostView } from './context.js';
import { Listing, type Row } from './output.js';
import { stateOf } from './errors.js';
import { XenMachine } from './vm.js';
import { Saves, type Save } from './saves.js';
import { XenProgram } from './program.js';
import { unlessAborted } from '../../kit/within.js';
import { inOrder } from '../../kit/text.js';
import { ArgoError } from '../../kit/errors.js';

/** Milliseconds of quiet in the configuration folder before it is read again: editors write in several steps. */
const SETTLE = 500;

export interface XenOptions {
  /** full paths of the programs xl, xenstore-read and xenconsole */
  readonly xl?: string | undefined;
  readonly xenstoreRead?: string | undefined;
  readonly xenconsole?: string | undefined;
  readonly configDir: string;
  readonly saveDir: string;
}

/** Opens the local Xen host. @param view where to find what the kernel tells, for tests */
export function openXen(options: XenOptions, host: DriverHost, view: HostView = THIS_HOST): Driver {
  return new XenDriver(options, host, view);
}

class XenDriver implements Driver {
  readonly #dom0: Dom0;
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;
  readonly #remarked = new Set<string>();
  readonly #host: DriverHost;

  constructor({ xl: program, xenstoreRead, xenconsole, configDir, saveDir }: XenOptions, host: DriverHost, view: HostView) {
    this.#host = host;
    const xl = new XenProgram('xl', program);
    this.#dom0 = new Dom0({
      xl,
      xenstoreRead: new XenProgram('xenstore-read', xenstoreRead),
      xenconsole: new XenProgram('xenconsole', xenconsole),
      listing: new Listing(xl),
      configs: new Configs(configDir, host.log),
      saves: new Saves(saveDir, host.log),
      view,
      log: host.log,
    });
  }

  async list(signal: AbortSignal): Promise<Sightings> {
    const dom0 = this.#dom0;
    this.#watchConfigs();
    await dom0.configs.refresh();
    return dom0.steadily(async () => {
      // Before the domains: an image that appears in between belongs to a domain that was still listed.
      const saves = await dom0.saves.all();
      const rows = await dom0.listing.read(signal);
      dom0.note(rows);
      await this.#setStaleAside(saves, rows);
      const sightings = this.#sightings(saves, rows);
      const { incomplete } = dom0.configs;
      return incomplete === undefined ? sightings : Object.assign(sightings, { incomplete });
    });
  }

  async dmesg(signal: AbortSignal): Promise<string> {
    return (await this.#dom0.xl.run(['dmesg'], { signal })).stdout;
  }

  async close(signal: AbortSignal): Promise<void> {
    clearTimeout(this.#settling);
    this.#unwatch();
    await unlessAborted(this.#dom0.finished(), signal, () => new ArgoError('TIMEOUT', 'a machine is still being saved'));
  }

  #sightings(saves: readonly Save[], rows: readonly Row[]): Sighting[] {
    // A whole image counts before a partial one.
    const images = new Map([...saves].sort((a, b) => (a.kind === b.kind ? 0 : a.kind === 'partial' ? -1 : 1)).map((save) => [save.name, save]));
    const names = new Set([
      ...[...this.#dom0.configs.all()].map(({ definition }) => definition.name),
      ...rows.map(({ name }) => name),
      ...images.keys(),
    ]);
    return inOrder([...names], (name) => name).map((name) => {
      const state = this.#stateOf(name, rows.filter((row) => row.name === name), images.get(name));
      return { machine: new XenMachine(name, this.#dom0), state };
    });
  }

  #stateOf(name: string, [row, twin]: readonly Row[], image: Save | undefined): PowerState {
    this.#remark(`twins ${name}`, twin && `several domains are called ${JSON.stringify(name)}; none of them can be used`);
    const state = twin ? 'unknown' : this.#dom0.stateFrom(name, row, image) ?? 'unknown';
    const torn = !row && state === 'unknown' && image;
    this.#remark(`torn ${name}`, torn ? `${image.path} was not written to its end: see docs/drivers/xen.md` : undefined);
    return state;
  }

  /** Logs a condition when it begins. */
  #remark(key: string, message: string | undefined): void {
    if (message === undefined) this.#remarked.delete(key);
    else if (!this.#remarked.has(key)) {
      this.#remarked.add(key);
      this.#host.log('warn', message);
    }
  }

  /**
   * An image whose machine runs is out of date: to resume it later would put old memory on changed
   * disks. One that is paused is left alone, because a restore that was cut short looks like that.
   */
  async #setStaleAside(saves: readonly Save[], rows: readonly Row[]): Promise<void> {
    for (const save of saves) {
      const row = rows.find(({ name }) => name === save.name);
      if (!row || stateOf(row.flags) !== 'on' || this.#dom0.isMoving(save.name)) continue;
      await this.#dom0.saves.setAside(save);
    }
  }

  /** The poll repairs whatever the watch misses, so a folder that cannot be watched is only slower. */
  #watchConfigs(): void {
    if (this.#watcher) return;
    try {
      const watcher = watch(this.#dom0.configs.folder, { persistent: false }, () => this.#settle());
      watcher.on('error', () => this.#unwatch());
      this.#watcher = watcher;
    } catch (error) {
      this.#host.log('debug', `${this.#dom0.configs.folder} cannot be watched`, { error: String(error) });
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #settle(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#host.relist(), SETTLE);
    this.#settling.unref();
  }
}
