import { ArgoError } from '../../kit/errors.js';
import type { WmiObject, WmiPath } from '../../protocols/wmi/connection.js';
import { WmiFault } from '../../protocols/wmi/errors.js';
import type { WmiLink } from '../wmi/link.js';
import { text } from '../wmi/values.js';

/** What differs between the two generations of Hyper-V's WMI classes. */
export interface Dialect {
  readonly namespace: string;
  /** values of RequestedState */
  readonly requests: { readonly on: number; readonly off: number; readonly paused: number; readonly saved: number; readonly reset: number };
  /** where the images of disks are named */
  readonly disks: { readonly className: string; readonly property: string };
  /** by which an image tells its size, and where in the answer */
  readonly images: { readonly method: string; readonly output: string };
  /** whether a machine's settings tell, and take, what becomes of it when its host boots */
  readonly hasStartupAction: boolean;
}

/** Windows Server 2012 and later. */
const V2: Dialect = {
  namespace: 'root/virtualization/v2',
  requests: { on: 2, off: 3, paused: 9, saved: 6, reset: 11 },
  disks: { className: 'Msvm_StorageAllocationSettingData', property: 'HostResource' },
  images: { method: 'GetVirtualHardDiskSettingData', output: 'SettingData' },
  hasStartupAction: true,
};

/** Windows Server 2008 to 2012. */
const V1: Dialect = {
  namespace: 'root/virtualization',
  requests: { on: 2, off: 3, paused: 32_768, saved: 32_769, reset: 10 },
  disks: { className: 'Msvm_ResourceAllocationSettingData', property: 'Connection' },
  images: { method: 'GetVirtualHardDiskInfo', output: 'Info' },
  hasStartupAction: false,
};

/** Finds out which one a host speaks, and keeps to it for as long as that holds. */
export class DialectFinder {
  #known: Dialect = V2;

  /**
   * Work in the dialect of the host. Where the host does not know the namespace, nothing was done, and
   * the other one is tried.
   * @throws ArgoError NOT SUPPORTED where it knows neither; what the work throws
   */
  async speak<T>(work: (dialect: Dialect) => Promise<T>): Promise<T> {
    try {
      return await work(this.#known);
    } catch (error) {
      if (!isUnknown(error)) throw error;
      const other = this.#known === V2 ? V1 : V2;
      const result = await work(other).catch((second: unknown) => {
        throw isUnknown(second) ? new ArgoError('NOT SUPPORTED', 'Hyper-V is not installed there, or the account may not see it', { cause: error }) : second;
      });
      this.#known = other;
      return result;
    }
  }

  /** The one that was found; V2 until then. */
  get current(): Dialect {
    return this.#known;
  }
}

const isUnknown = (error: unknown): boolean => error instanceof WmiFault && error.kind === 'no-such-class';

/** Names of virtual machines in WMI: GUIDs. The host itself goes by its own name. */
const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

export const isVm = ({ Name }: WmiObject): boolean => GUID.test(text(Name));

export const vmPath = ({ namespace }: Dialect, id: string): WmiPath =>
  ({ namespace, className: 'Msvm_ComputerSystem', keys: { CreationClassName: 'Msvm_ComputerSystem', Name: id } });

/** A service of Hyper-V's, of which there is one; by all of its keys, as DCOM needs them. */
export async function servicePath(link: WmiLink, namespace: string, className: string, signal: AbortSignal): Promise<WmiPath | undefined> {
  const keys = ['CreationClassName', 'Name', 'SystemCreationClassName', 'SystemName'];
  const [found] = await link.query(namespace, `SELECT ${keys.join(', ')} FROM ${className}`, signal);
  return found && { namespace, className, keys: Object.fromEntries(keys.map((key) => [key, text(found[key])])) };
}
