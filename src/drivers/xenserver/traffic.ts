import type { XapiPool } from '../../protocols/xapi/pool.js';
import { rrdUpdates, type Series, type Updates } from '../../protocols/xapi/rrd.js';

/**
 * What a pool keeps of its measurements: seconds between two samples, and for how many seconds they
 * are kept (XenServer SDK guide, "Using RRDs"). Coarsest first.
 */
const ARCHIVES = [
  { interval: 86_400, kept: 366 * 86_400 },
  { interval: 3600, kept: 7 * 86_400 },
  { interval: 60, kept: 2 * 3600 },
  { interval: 5, kept: 600 },
] as const;

/** The load is what the CPUs have done in this time, s. */
const LOAD_SECONDS = 60;

export interface Measured {
  /** address of the host where the VM runs */
  readonly host: string;
  readonly vm: string;
  /** by that host's clock, in seconds since 1970 */
  readonly started: number;
  readonly now: number;
}

/**
 * Bytes that went over all of a VM's interfaces since it was started. A pool measures rates, not
 * totals: they are summed up, over coarse samples for what is long ago, and over finer ones for what
 * is recent.
 */
export async function readTraffic(pool: XapiPool, { host, vm, started, now }: Measured, side: 'rx' | 'tx', signal: AbortSignal): Promise<bigint> {
  const isOurs = ({ name }: Series): boolean => name.startsWith('vif_') && name.endsWith(`_${side}`);
  let from = started;
  let sum = 0;
  for (const [index, { interval }] of ARCHIVES.entries()) {
    const finer = ARCHIVES[index + 1];
    if (finer !== undefined && now - from <= finer.kept) continue;
    const { step, series } = await rrdUpdates(pool, { host, vm, start: from, interval }, signal);
    const counted = series.filter(isOurs);
    sum += counted.reduce((bytes, { samples }) => bytes + total(samples, step, from), 0);
    from = Math.max(from, ...counted.flatMap(({ samples }) => samples.at(-1)?.time ?? []));
  }
  return BigInt(Math.round(sum));
}

/** Each sample stands for the step before it, of which only what comes after `from` counts. */
const total = (samples: Series['samples'], step: number, from: number): number =>
  samples.reduce((sum, { time, value }) => sum + value * Math.min(step, Math.max(0, time - from)), 0);

/** Share of its CPUs that a VM has used of late, percent; undefined where nothing was measured. */
export async function readCpuPercent(pool: XapiPool, { host, vm, now }: Measured, signal: AbortSignal): Promise<number | undefined> {
  const updates: Updates = await rrdUpdates(pool, { host, vm, start: now - LOAD_SECONDS, interval: 5 }, signal);
  const shares = updates.series.filter(({ name }) => /^cpu\d+$/.test(name)).flatMap(({ samples }) => samples.map(({ value }) => value));
  return shares.length === 0 ? undefined : (100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length;
}
