import { UndefineFlag } from '../../protocols/libvirt/constants.js';
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
  /** whether its machines have images of libvirt's pools */
  readonly hasImages: boolean;
  /** whether machines of our making run on it */
  readonly installs: boolean;
  /** whether machines are made from templates on it, and templates from machines */
  readonly hasTemplates: boolean;
  /** of `UndefineFlag`: what it can remove with a description; it refuses all else */
  readonly undefine: number;
}

const { MANAGED_SAVE, SNAPSHOTS_METADATA, NVRAM, CHECKPOINTS_METADATA } = UndefineFlag;

const VM: Hypervisor = {
  type: 'vm', resets: true, saves: true, signals: false, shared: true, hasConsoles: true, hasImages: true, installs: true, hasTemplates: true,
  undefine: MANAGED_SAVE | SNAPSHOTS_METADATA | NVRAM | CHECKPOINTS_METADATA,
};

const HYPERVISORS: Readonly<Record<string, Hypervisor>> = {
  lxc: { ...VM, type: 'container', resets: false, saves: false, signals: true, hasImages: false, installs: false, undefine: 0 },
  test: { ...VM, resets: false, shared: false, hasConsoles: false, installs: false, hasTemplates: false, undefine: MANAGED_SAVE | SNAPSHOTS_METADATA },
  xen: { ...VM, resets: false, installs: false, hasTemplates: false, undefine: MANAGED_SAVE },
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
