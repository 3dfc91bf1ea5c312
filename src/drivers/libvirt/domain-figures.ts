import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { STATS_NOWAIT } from '../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../protocols/libvirt/errors.js';
import type { DomainStatsRecord } from '../../protocols/libvirt/types.js';

/** What libvirt tells of all domains in one call, and how it is read: virConnectGetAllDomainStats. */

/** How libvirt says that it does not know a flag, or has no such figures. */
const LACKING: ReadonlySet<number> = new Set([ErrorCode.INVALID_ARG, ErrorCode.NO_SUPPORT]);

export type Fields = DomainStatsRecord['fields'];

/** CPU time of one run of a domain at some moment. */
export interface CpuMark {
  readonly run: number;
  /** nanoseconds */
  readonly cpuTime: bigint;
  /** on the clock of performance.now() */
  readonly at: number;
}

/** A guest that hangs must not keep the figures of all others; libvirt before 4.5 cannot leave it out, and waits. */
export const WITHOUT_WAIT = [STATS_NOWAIT];
export const WITH_WAIT_IF_NEED_BE = [STATS_NOWAIT, 0];

/**
 * @param types of `StatsType`, together
 * @param hows how to ask, each where libvirt does not know the one before
 * @returns undefined where the hypervisor's driver has no such figures, or cannot tell them so
 */
export async function statsOf(client: LibvirtClient, types: number, hows: readonly number[], signal: AbortSignal): Promise<DomainStatsRecord[] | undefined> {
  for (const how of hows) {
    try {
      return await client.domainStats(types, how, signal);
    } catch (error) {
      if (!(error instanceof LibvirtError) || !LACKING.has(error.code)) throw error;
    }
  }
  return undefined;
}

/** Of a running domain. @param at as {@link CpuMark.at} */
export function cpuMarkOf({ domain, fields }: DomainStatsRecord, at: number): CpuMark | undefined {
  // Of one that is off, libvirt may tell a time that is none of its own.
  const cpuTime = domain.id < 0 ? undefined : whole(fields, 'cpu.time');
  return cpuTime === undefined ? undefined : { run: domain.id, cpuTime, at };
}

/** Per cent of its CPUs that a domain used between two moments; undefined where they are not of one run. */
export function cpuPercentOf(now: CpuMark, before: CpuMark | undefined, fields: Fields): number | undefined {
  const vcpus = whole(fields, 'vcpu.current');
  if (before === undefined || before.run !== now.run || vcpus === undefined || vcpus === 0n) return undefined;
  const available = (now.at - before.at) * 1e6 * Number(vcpus);
  return Math.min(100, Math.max(0, (Number(now.cpuTime - before.cpuTime) / available) * 100));
}

export function whole(fields: Fields, name: string): bigint | undefined {
  const value = fields.get(name);
  return typeof value === 'string' || value === undefined ? undefined : BigInt(Math.trunc(Number(value)));
}

/** `net.0`, `net.1`, …: as many as `net.count` says; the number of one may be missing, its fields then too. */
export const each = (fields: Fields, kind: 'net' | 'block'): string[] =>
  Array.from({ length: Number(whole(fields, `${kind}.count`) ?? 0n) }, (_, index) => `${kind}.${index}`);

/** Of all its interfaces; undefined where libvirt counts none of them. */
export function sum(fields: Fields, name: string): bigint | undefined {
  const counted = each(fields, 'net').map((prefix) => whole(fields, `${prefix}.${name}`)).filter((bytes) => bytes !== undefined);
  return counted.length === 0 ? undefined : counted.reduce((total, bytes) => total + bytes, 0n);
}
