import type { Domain } from '../../protocols/libvirt/types.js';
import type { MachineType } from '../driver.js';
import type { LibvirtConnection } from './connection.js';
import type { LibvirtConsoles } from './consoles.js';
import type { RunLog } from './run-log.js';

/** What libvirt's drivers for the several hypervisors can do: an action that one lacks is not offered. */
export interface Hypervisor {
  readonly type: MachineType;
  /** has a reset button */
  readonly resets: boolean;
  /** has managed save images */
  readonly saves: boolean;
  /** its guests are asked by initctl or a signal to their init, not by ACPI or an agent */
  readonly signals: boolean;
  /** whether every connection has the same guests: libvirt's test driver may make some for each */
  readonly shared: boolean;
  /** whether its driver gives consoles out as streams */
  readonly hasConsoles: boolean;
}

const VM: Hypervisor = { type: 'vm', resets: true, saves: true, signals: false, shared: true, hasConsoles: true };

const HYPERVISORS: Readonly<Record<string, Hypervisor>> = {
  lxc: { type: 'container', resets: false, saves: false, signals: true, shared: true, hasConsoles: true },
  test: { ...VM, resets: false, shared: false, hasConsoles: false },
  xen: { ...VM, resets: false },
};

/** @param scheme of the connection URI; one that is not in the table is taken for a full one */
export function hypervisorOf(scheme: string): Hypervisor {
  return HYPERVISORS[scheme] ?? VM;
}

/** One domain of a connection. It is found by its uuid for as long as it is defined. */
export interface VmContext {
  readonly domain: Domain;
  readonly hypervisor: Hypervisor;
  readonly connection: LibvirtConnection;
  readonly runs: RunLog;
  readonly consoles: LibvirtConsoles;
}
