import type * as v from 'valibot';
import { importInTurns } from '../kit/in-turns.js';
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
};

export const driverTypes = (): string[] => Object.keys(DRIVERS);

/** @returns undefined where there is no driver of that type */
export async function loadDriver(type: string): Promise<DriverModule | undefined> {
  if (!Object.hasOwn(DRIVERS, type)) return undefined;
  // A daemon at work may be given its first provider of a type.
  await importInTurns(new URL(`./${type}/index.js`, import.meta.url));
  return (await DRIVERS[type]!()).default;
}

/** As the check of the configuration wants it. */
export const driverCatalogue = {
  types: driverTypes,
  options: async (type: string): Promise<v.ObjectEntries | undefined> => (await loadDriver(type))?.options,
};
