import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../../kit/errors.js';
import type { PowerState } from '../../driver.js';
import type { WorkCall } from '../../management/contract.js';
import type { Limits } from '../../management/machine.js';

/** What the management of a simulated host and its machines know of each other. */

/** What a machine has when it is started. */
export interface SimHardware {
  readonly type: 'vm' | 'container';
  readonly vcpus: number;
  /** bytes */
  readonly memory: bigint;
  /** bytes */
  readonly disk: bigint;
  /** the image that it has as its disk; undefined: a file of its own, which is none of the host's images */
  readonly image?: string;
  /** the path of the volume that it has instead */
  readonly volume?: string;
  /** the image in its drive */
  readonly iso?: string;
  /** of a container: per cent of one CPU */
  readonly cpuLimit?: number;
  readonly address?: string;
  readonly nameserver?: string;
  readonly searchDomain?: string;
}

export interface ManagedMachine {
  readonly id: string;
  readonly name: string;
  readonly uuid: string;
  /** as it is, whatever is wrong with it */
  readonly power: PowerState;
  /** for its next start */
  hardware: SimHardware;
  startsWithHost: boolean;
  /** bytes since it was started */
  readonly traffic: { readonly rx: bigint; readonly tx: bigint };
  /** seconds; 0 while it is off */
  readonly secondsUp: number;
  /** one call to it, with the time that this takes and what is wrong with it */
  answer(signal: AbortSignal): Promise<void> | undefined;
}

/** A machine to be. */
export interface NewSimMachine {
  readonly name: string;
  readonly hardware: SimHardware;
  readonly power: PowerState;
  /** of one that comes from another host */
  readonly uuid?: string;
}

/** The machines of one simulated host. */
export interface Park {
  /** another one in each process */
  readonly id: string;
  /** the provider's name */
  readonly name: string;
  /** milliseconds that each call takes */
  readonly latency: number;
  /** by performance.now() */
  readonly startedAt: number;
  readonly machines: readonly ManagedMachine[];
  /** of them those that have an image or a volume: of a million machines of the configuration none has */
  readonly made: ReadonlySet<ManagedMachine>;
  add(machine: NewSimMachine): void;
  remove(machine: ManagedMachine): void;
}

const MIB = 1024n ** 2n;
export const GIB = 1024n ** 3n;

/** Bytes that all images of a host may have. */
export const ROOM = 256n * GIB;

/** Of everything that may be made, so that nobody fills the server's memory. */
export const MOST = 1000;

export const LIMITS: Limits & Required<Pick<Limits, 'cpuLimit' | 'disk'>> = Object.freeze({
  vcpus: { min: 1, max: 16 },
  memory: { min: 64n * MIB, max: 64n * GIB },
  cpuLimit: { min: 1, max: 1600 },
  disk: { min: MIB, max: ROOM },
});

/** What a machine of the configuration has. */
export const USUAL_HARDWARE: SimHardware = Object.freeze({ type: 'vm', vcpus: 1, memory: 256n * MIB, disk: 4n * GIB });

/** Where an image is on the host. */
export const imagePath = (image: string): string => `/srv/sim/images/${image}`;

export const wrongState = (words: string): ArgoError => new ArgoError('WRONG STATE', words);

/** Steps that long work has. */
const STEPS = 4;

/** Lets one call's time pass. @throws ArgoError UNREACHABLE where it is told to end: nothing has been done by then */
export async function pass(ms: number, signal: AbortSignal): Promise<void> {
  if (!signal.aborted && ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
  if (signal.aborted) throw new ArgoError('UNREACHABLE', 'it was told to end before anything was done', { cause: signal.reason });
}

/** Lets the time of long work pass, and tells how far it is. @throws as {@link pass} */
export async function passSteps(ms: number, { signal, progress }: WorkCall): Promise<void> {
  for (let step = 1; step <= STEPS; step += 1) {
    await pass(ms, signal);
    progress(step / STEPS);
  }
}
