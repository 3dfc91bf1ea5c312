import * as v from 'valibot';
import type { Driver, DriverHost, PowerState } from '../../../src/drivers/driver.js';
import libvirt from '../../../src/drivers/libvirt/index.js';

/** What a driver has told its host. */
export interface Told {
  readonly changed: { id: string; state: PowerState }[];
  relists: number;
  readonly lost: string[];
}

/** A host of a driver that remembers what it was told. */
export function rememberingHost(): { host: DriverHost; told: Told } {
  const told: Told = { changed: [], relists: 0, lost: [] };
  const host: DriverHost = {
    name: 'kvm1',
    log: () => undefined,
    changed: (id, state) => { told.changed.push({ id, state }); },
    relist: () => { told.relists += 1; },
    lost: (reason) => { told.lost.push(reason); },
  };
  return { host, told };
}

/** The driver as the registry has it, with a host that remembers. */
export function openDriver(uri: string, options: Record<string, unknown> = {}): { driver: Driver; told: Told } {
  const { host, told } = rememberingHost();
  return { driver: libvirt.open(v.parse(v.strictObject(libvirt.options), { uri, ...options }), host), told };
}
