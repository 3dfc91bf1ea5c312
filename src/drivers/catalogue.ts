import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type * as v from 'valibot';
import type { TableFault } from '../config/catalogue.js';
import { loadInTurns } from '../kit/in-turns.js';
import { ownModule } from '../kit/own-files.js';
import { giveWay } from '../kit/slices.js';
import { checkedModule } from './checked.js';
import type { DriverModule } from './driver.js';

/**
 * The types of providers and where their drivers are. Each is imported when a provider of its type
 * is configured, so that start-up and memory do not pay for the others.
 */
const DRIVERS: Readonly<Record<string, () => Promise<{ default: DriverModule }>>> = {
  sim: () => import('./sim/index.js'),
  libvirt: () => import('./libvirt/index.js'),
  linux: () => import('./linux/index.js'),
  'esxi-free': () => import('./esxi-free/index.js'),
  xen: () => import('./xen/index.js'),
  xenserver: () => import('./xenserver/index.js'),
  windows: () => import('./windows/index.js'),
  hyperv: () => import('./hyperv/index.js'),
  esxi: async () => {
    const esxi = await import('./esxi/index.js');
    // Before a server listens; where it is at work already, others have their turns meanwhile.
    await esxi.loadLibrary();
    return esxi;
  },
  vmserverd: () => import('./vmserverd/index.js'),
};

export const driverTypes = (): string[] => Object.keys(DRIVERS);

/** Those that are loaded or on their way: a start asks three times for each, and looking through its files takes milliseconds. */
const loading = new Map<string, Promise<DriverModule>>();

/**
 * @param inTurns others are at work, and have their turns between its files: that takes longer
 * @returns undefined where the server itself has no driver of that type
 */
export async function loadDriver(type: string, inTurns = false): Promise<DriverModule | undefined> {
  if (!Object.hasOwn(DRIVERS, type)) return undefined;
  let driver = loading.get(type);
  if (driver === undefined) {
    loading.set(type, driver = load(type, inTurns));
    driver.catch(() => loading.delete(type));
  }
  return driver;
}

async function load(type: string, inTurns: boolean): Promise<DriverModule> {
  const { href } = ownModule(`drivers/${type}/index.js`);
  if (inTurns) await loadInTurns(fileURLToPath(href), href);
  const driver = (await DRIVERS[type]!()).default;
  // checking and opening, which run for the first time, have one of their own
  if (inTurns) await turn();
  return driver;
}

/** The drivers that there are: those of the server, and what the folders of `plugin-path` bring. */
export class DriverCatalogue {
  readonly #further: ReadonlyMap<string, object>;
  readonly #inTurns: boolean;

  /**
   * @param further modules by type; a type of the server's own is not replaced by one of them
   * @param inTurns as for {@link loadDriver}
   */
  constructor(further: ReadonlyMap<string, object>, inTurns: boolean) {
    this.#further = further;
    this.#inTurns = inTurns;
  }

  types(): readonly string[] {
    return [...new Set([...driverTypes(), ...this.#further.keys()])];
  }

  async options(type: string): Promise<v.ObjectEntries | undefined> {
    return (await this.load(type))?.options;
  }

  /** What is wrong beyond a table that fits its type: see {@link DriverModule.check}. */
  async check(type: string, options: object): Promise<readonly TableFault[]> {
    return (await this.load(type))?.check?.(options as never) ?? [];
  }

  /** @returns undefined where there is no driver of that type */
  async load(type: string): Promise<DriverModule | undefined> {
    if (this.#inTurns) await giveWay();
    const further = this.#further.get(type) as DriverModule | undefined;
    return await loadDriver(type, this.#inTurns) ?? (further && checkedModule(further));
  }
}
