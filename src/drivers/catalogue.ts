import type * as v from 'valibot';
import type { TableFault } from '../config/catalogue.js';
import { importInTurns } from '../kit/in-turns.js';
import { ownModule } from '../kit/own-files.js';
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
  esxi: () => import('./esxi/index.js'),
  vmserverd: () => import('./vmserverd/index.js'),
};

export const driverTypes = (): string[] => Object.keys(DRIVERS);

/** Those that are loaded or on their way: a start asks three times for each, and looking through its files takes milliseconds. */
const loading = new Map<string, Promise<DriverModule>>();

/** @returns undefined where the server itself has no driver of that type */
export async function loadDriver(type: string): Promise<DriverModule | undefined> {
  if (!Object.hasOwn(DRIVERS, type)) return undefined;
  let driver = loading.get(type);
  if (driver === undefined) {
    loading.set(type, driver = load(type));
    driver.catch(() => loading.delete(type));
  }
  return driver;
}

async function load(type: string): Promise<DriverModule> {
  // A daemon at work may be given its first provider of a type.
  await importInTurns(ownModule(`drivers/${type}/index.js`));
  return (await DRIVERS[type]!()).default;
}

/** The drivers that there are: those of the server, and what the folders of `plugin-path` bring. */
export class DriverCatalogue {
  readonly #further: ReadonlyMap<string, object>;

  /** @param further modules by type; a type of the server's own is not replaced by one of them */
  constructor(further: ReadonlyMap<string, object>) {
    this.#further = further;
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
    return await loadDriver(type) ?? this.#further.get(type) as DriverModule | undefined;
  }
}
