import type { None, Work } from './work.js';
import type { Limits } from './machine.js';

/** A file on the host that a machine may have as a disk, or as a disc in its drive. */
export interface ImageFile {
  /** without a folder */
  readonly name: string;
  readonly kind: 'disk' | 'iso';
  /** raw, qcow2, iso, … */
  readonly format: string;
  /** bytes that a machine sees */
  readonly capacity: bigint;
  /** bytes that it takes on the host */
  readonly allocation: bigint;
  /** names of the machines that have it, or have something that is made on it */
  readonly usedBy: readonly string[];
}

/** Disk images and ISO images. */
export interface Images {
  list: Work<None, readonly ImageFile[]>;
  /** @throws WRONG STATE where there is one of that name, FAILED where there is no room */
  create: Work<{ readonly name: string; readonly size: bigint; readonly format: 'raw' | 'qcow2' }, void>;
  /** @throws WRONG STATE where a machine has it */
  delete: Work<{ readonly name: string }, void>;
}

/** A disk of a template. */
export interface TemplateDisk {
  /** file name within the template */
  readonly file: string;
  readonly format: string;
  /** bytes that a machine sees */
  readonly capacity: bigint;
}

/** What machines are made from. */
export interface Template {
  readonly name: string;
  readonly type: 'vm' | 'container';
  /** i686, x86_64, … */
  readonly arch: string;
  readonly vcpus: number;
  /** bytes */
  readonly memory: bigint;
  /** what a machine made from it must have at least, and may have at most on this host */
  readonly limits: Limits;
  /** of a vm */
  readonly disks: readonly TemplateDisk[];
  /** of a container: bytes of its root */
  readonly size?: bigint;
}

/** What is to be different in a machine that is made from a template. Bytes. */
export interface DeploySettings {
  readonly vcpus?: number;
  readonly memory?: bigint;
  /** of its first interface */
  readonly bridge?: string;
  /** of a container: bytes of its root */
  readonly size?: bigint;
  readonly address?: string;
  readonly nameserver?: string;
  readonly searchDomain?: string;
  /** of root; never part of a process's arguments */
  readonly password?: string;
}

export interface Templates {
  list: Work<None, readonly { readonly name: string; readonly type: 'vm' | 'container' }[]>;
  /** @throws FAILED where it cannot be one, as an archive with links, devices or paths that lead out of it */
  describe: Work<{ readonly template: string }, Template>;
  /** Makes a machine from it, which is off. @throws SettingsFault; WRONG STATE where there is a machine of that name */
  deploy: Work<{ readonly template: string; readonly name: string; readonly settings: DeploySettings }, void>;
  /** @throws WRONG STATE where disks of machines are made on it */
  delete: Work<{ readonly template: string }, void>;
}

/** A machine that installs itself from an ISO image. */
export interface NewMachine {
  readonly name: string;
  /** as libosinfo calls it: debian12, win10; one that is not known gets what suits most */
  readonly osVariant: string;
  readonly osType: string;
  readonly iso: string;
  /** exactly one of the two: bytes of a new image, or the path of a free logical volume */
  readonly disk: { readonly size: bigint } | { readonly volume: string };
  readonly memory: bigint;
  readonly vcpus: number;
  readonly apic: boolean;
  readonly acpi: boolean;
}

/** The making of machines, other than from templates. */
export interface Machines {
  /** What a machine on this host may have. */
  limits: Work<None, Limits>;
  /** Makes it and starts it. @throws SettingsFault; WRONG STATE where there is a machine of that name */
  install: Work<NewMachine, void>;
}

/** Of LVM. Sizes in bytes. */
export interface VolumeGroup {
  readonly name: string;
  readonly uuid: string;
  readonly size: bigint;
  readonly free: bigint;
  /** bytes of an extent */
  readonly extent: bigint;
  readonly logicalVolumes: number;
  readonly physicalVolumes: number;
  /** further facts as LVM reports them, by its field names: vg_attr, vg_seqno, … */
  readonly report: Readonly<Record<string, string>>;
}

export interface LogicalVolume {
  readonly name: string;
  readonly group: string;
  readonly path: string;
  readonly uuid: string;
  readonly size: bigint;
  /** names of the machines that have it as a disk */
  readonly usedBy: readonly string[];
  readonly report: Readonly<Record<string, string>>;
}

export interface Volumes {
  groups: Work<None, readonly VolumeGroup[]>;
  list: Work<None, readonly LogicalVolume[]>;
}
