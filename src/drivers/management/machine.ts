import type { None, Work } from './work.js';

/** The least and the most of something. */
export interface Range<T> {
  readonly min: T;
  readonly max: T;
}

/** What a machine may be given. Memory and disk in bytes. */
export interface Limits {
  readonly vcpus: Range<number>;
  readonly memory: Range<bigint>;
  /** of containers: per cent of one CPU */
  readonly cpuLimit?: Range<number>;
  readonly disk?: Range<bigint>;
}

/** What a machine has when it is started next. Memory and disk in bytes. */
export interface Hardware {
  readonly vcpus: number;
  readonly memory: bigint;
  /** of containers, as far as their manager keeps it */
  readonly cpuLimit?: number;
  readonly disk?: bigint;
  readonly address?: string;
  readonly nameserver?: string;
  readonly searchDomain?: string;
  readonly autostart?: boolean;
  readonly limits: Limits;
}

/** What is to be different. Memory and disk in bytes. */
export interface HardwareChange {
  readonly vcpus?: number;
  readonly memory?: bigint;
  readonly cpuLimit?: number;
  readonly disk?: bigint;
  readonly address?: string;
  readonly nameserver?: string;
  readonly searchDomain?: string;
  readonly autostart?: boolean;
  /** of root in a container; never part of a process's arguments */
  readonly password?: string;
}

export interface HardwareAbility {
  read: Work<None, Hardware>;
  /** For the next start; read back when it resolves. @throws SettingsFault, and then nothing was changed */
  change: Work<HardwareChange, void>;
}

/** A disk of a machine as a template would have it. */
export interface TemplatingDisk {
  /** bus name in the machine: vda */
  readonly target: string;
  /** on the host */
  readonly path: string;
  /** file name that it gets in the template */
  readonly file: string;
  /** bytes that the machine sees, and that the file takes */
  readonly capacity: bigint;
  readonly allocation: bigint;
}

/** What a template of a machine would be. */
export interface TemplatePreview {
  readonly template: string;
  readonly arch: string;
  readonly vcpus: number;
  readonly memory: bigint;
  /** `bridge`: what it is on, which is a network of the manager's where its type says so */
  readonly interfaces: readonly { readonly type: string; readonly bridge: string; readonly mac: string }[];
  readonly disks: readonly TemplatingDisk[];
  /** in which the files of the disks will lie, on the host */
  readonly folder: string;
}

export interface TemplatingAbility {
  preview: Work<{ readonly template: string }, TemplatePreview>;
  /** @throws SettingsFault; WRONG STATE where the machine is not off, or there is a template of that name */
  create: Work<{ readonly template: string; readonly settings: { readonly vcpus?: number; readonly memory?: bigint } }, void>;
}

export interface RemovalAbility {
  /** Takes the machine away. It must be off. @throws WRONG STATE */
  delete: Work<{ readonly disks: boolean }, void>;
}

export interface MigrationAbility {
  /**
   * Moves it to another provider's host, where it goes on as it was.
   * @throws NOT SUPPORTED where one of the two cannot do that; UNCERTAIN where nobody knows on which of the two it is
   */
  to: Work<{ readonly destination: Destination }, void>;
}

/** A host to which machines can be moved, as the driver of its provider describes it. */
export interface Destination {
  /** the provider's name */
  readonly provider: string;
  /** what the other driver needs, checked by it: `uri`, `host`, … */
  readonly access: Readonly<Record<string, string>>;
  /** The power state of one of its machines, by its id: how it is known on which side one is whose migration was cut off. Rejects as a machine's `status` does. */
  readonly state?: (id: string, signal: AbortSignal) => Promise<string>;
}
