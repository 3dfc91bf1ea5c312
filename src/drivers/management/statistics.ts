import type { None, Work } from './work.js';

/** What can be known of a host. */
export const HOST_FIGURES = ['cpu', 'memory', 'df', 'uptime', 'kernel', 'network', 'bandwidth', 'swap', 'iowait'] as const;
export type HostFigure = (typeof HOST_FIGURES)[number];

/** Bytes used of all there are. */
export interface Use {
  readonly total: bigint;
  readonly used: bigint;
}

/** Figures of a host. What was not asked for, or the host does not tell, is left out. Bytes, seconds, per cent of all. */
export interface HostFigures {
  readonly cpu?: { readonly percent: number; readonly model?: string; readonly mhz?: number; readonly cache?: string };
  readonly memory?: Use;
  readonly df?: readonly (Use & { readonly mount: string; readonly device: string; readonly free: bigint })[];
  readonly uptime?: number;
  readonly kernel?: string;
  /** name and version of its system */
  readonly release?: string;
  /** the interface of the way out, with its address */
  readonly network?: { readonly interface: string; readonly address: string };
  /** bytes a second, of that interface; `maximum` where its speed is known */
  readonly bandwidth?: { readonly received: number; readonly sent: number; readonly maximum?: number };
  readonly swap?: readonly (Use & { readonly path: string })[];
  readonly iowait?: number;
}

/** Figures of a machine, where its manager tells them. Bytes, nanoseconds. */
export interface GuestFigures {
  /** its id, as the listing has it */
  readonly id: string;
  readonly vcpus?: number;
  /** since it was started */
  readonly cpuTime?: bigint;
  /** per cent of its CPUs, between this answer and the one before; left out where there was none */
  readonly cpuPercent?: number;
  readonly memory?: bigint;
  readonly maxMemory?: bigint;
  /** of `memory`, what the guest uses, where it tells */
  readonly usedMemory?: bigint;
  readonly rx?: bigint;
  readonly tx?: bigint;
  readonly disks?: readonly { readonly target: string; readonly capacity?: bigint; readonly allocation?: bigint }[];
}

export interface Statistics {
  host: Work<{ readonly figures: readonly HostFigure[] }, HostFigures>;
  /** Of all machines of the provider, with few calls. */
  guests: Work<None, readonly GuestFigures[]>;
}
