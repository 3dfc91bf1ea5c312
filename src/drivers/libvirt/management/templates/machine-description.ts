import { ArgoError } from '../../../../kit/errors.js';
import { entryOf } from '../../../../kit/tables.js';
import { child, children, createReader, text, type Element } from '../../xml.js';

/** What of a machine's description goes into a template. */
export interface MachineDescription {
  readonly arch: string;
  readonly vcpus: number;
  /** bytes */
  readonly memory: bigint;
  readonly interfaces: readonly { readonly type: string; readonly bridge: string; readonly mac: string }[];
  readonly disks: readonly DescribedSource[];
  /** what it needs for its start that no template has; undefined: nothing */
  readonly lacks: string | undefined;
}

/** A disk, or the root of a container. */
export interface DescribedSource {
  /** vda; `/` */
  readonly target: string;
  /** image format; of a container's root `folder` */
  readonly format: string;
  /** on the host */
  readonly path: string;
}

const read = createReader(['domain.devices.interface', 'domain.devices.disk', 'domain.devices.filesystem']);

/** Units in which libvirt writes memory itself; it takes more, and writes what it took in KiB. */
const UNITS: Readonly<Record<string, bigint>> = { b: 1n, bytes: 1n, KiB: 1024n };

/**
 * @param xml for the next start
 * @throws ArgoError NOT SUPPORTED where it has a disk that is no file or device of the host
 */
export function readMachine(xml: string): MachineDescription {
  const domain = child(read(xml), 'domain');
  const devices = child(domain, 'devices');
  const os = child(domain, 'os');
  const unit = entryOf(UNITS, text(child(domain, 'memory'), '@unit') ?? 'KiB') ?? 1024n;
  return {
    arch: text(child(os, 'type'), '@arch') ?? 'x86_64',
    vcpus: Number(text(domain, 'vcpu') ?? 1),
    memory: BigInt(text(domain, 'memory') ?? 0) * unit,
    interfaces: children(devices, 'interface').map((one) => ({
      type: text(one, '@type') ?? '',
      bridge: text(child(one, 'source'), '@bridge') ?? text(child(one, 'source'), '@network') ?? '',
      mac: text(child(one, 'mac'), '@address') ?? '',
    })),
    disks: text(domain, '@type') === 'lxc' ? children(devices, 'filesystem').filter((one) => text(child(one, 'target'), '@dir') === '/').map(toRoot)
      : children(devices, 'disk').filter((one) => DISKS.has(text(one, '@device') ?? 'disk')).map(toDisk),
    lacks: lacksOf(os),
  };
}

/** Machines of our making start from their first disk, by a BIOS. What UEFI starts is written in its variables, beside the disks: a copy of these alone may not start. */
function lacksOf(os: Element): string | undefined {
  if (text(os, '@firmware') === 'efi' || text(os, 'loader') !== undefined) return 'it starts by UEFI, whose variables are in a file of the host';
  return text(os, 'kernel') === undefined ? undefined : 'it starts by a kernel of the host';
}

/** Drives for discs are none. */
const DISKS = new Set(['disk', 'lun']);

function toDisk(disk: Element): DescribedSource {
  const target = text(child(disk, 'target'), '@dev') ?? '';
  const source = child(disk, 'source');
  const path = text(source, '@file') ?? text(source, '@dev');
  if (path === undefined) throw new ArgoError('NOT SUPPORTED', `its disk ${target} is no file or device of the host`);
  return { target, path, format: text(child(disk, 'driver'), '@type') ?? 'raw' };
}

function toRoot(filesystem: Element): DescribedSource {
  const path = text(child(filesystem, 'source'), '@dir');
  if (path === undefined) throw new ArgoError('NOT SUPPORTED', 'its root is no folder of the host');
  return { target: '/', path, format: 'folder' };
}
