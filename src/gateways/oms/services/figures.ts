import type { GuestFigures, HostFigure, HostFigures, Use } from '../../../drivers/management/statistics.js';

/** Figures as OMS wrote them: texts, sizes in KiB, shares with two digits. What is not known is left out. */

/** Names of statistics in calls; `cpu` had two. */
export const STATISTICS = ['cpu', 'cpu_load', 'memory', 'df', 'uptime', 'kernel', 'network', 'bandwidth', 'swap', 'iowait'] as const;

/** What of a host a name of a statistic asks for. */
export const figureOf = (name: string): HostFigure => (name === 'cpu_load' ? 'cpu' : name) as HostFigure;

const KIB = 1024n;
const kib = (bytes: bigint): string => String(bytes / KIB);
const percent = (share: number): string => share.toFixed(2);

/** The share of two sizes, in per cent. */
const shareOf = ({ total, used }: Use): string => percent(total === 0n ? 0 : Number(used * 10_000n / total) / 100);

const useOf = (use: Use): Readonly<Record<string, string>> => ({ percentage: shareOf(use), total: kib(use.total), used: kib(use.used) });

const sum = (sizes: readonly bigint[]): bigint => sizes.reduce((all, one) => all + one, 0n);

/** Only what is there. */
export const known = (entries: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));

/** `get_stats`. */
export function hostStatistics({ cpu, memory, df, uptime, kernel, release, network, bandwidth, swap, iowait }: HostFigures): Readonly<Record<string, unknown>> {
  const [firstSwap] = swap ?? [];
  const allSwap = swap && { total: sum(swap.map(({ total }) => total)), used: sum(swap.map(({ used }) => used)) };
  const disks = df && { total: sum(df.map(({ total }) => total)), used: sum(df.map(({ used }) => used)) };
  return known({
    cpu:
      cpu && known({ percentage: percent(cpu.percent), cpu_type: cpu.model, cpu_mhz: cpu.mhz?.toFixed(3), cpu_cache: cpu.cache }),
    df: df
      && disks && {
      ...useOf(disks),
      details: df.map(({ mount, device, used, free }) => ({ mount, dev: device, used: kib(used), free: kib(free) })),
    },
    kernel,
    osrelease: release,
    memory: memory && useOf(memory),
    network: network && { ip: network.address, name: network.interface },
    uptime: uptime === undefined ? undefined : String(Math.floor(uptime)),
    bandwidth:
      bandwidth
      && known({
        percentage:
          bandwidth.maximum === undefined || bandwidth.maximum === 0
            ? undefined
            : percent((100 * Math.max(bandwidth.received, bandwidth.sent)) / bandwidth.maximum),
        received: Math.round(bandwidth.received),
        sent: Math.round(bandwidth.sent),
        maximum: bandwidth.maximum,
      }),
    swap: allSwap && known({ path: firstSwap?.path, ...useOf(allSwap) }),
    iowait: iowait === undefined ? undefined : { percentage: percent(iowait) },
  });
}

/** What `list_vms` says of a machine, of the statistics that were asked for. */
export function guestStatistics(
  { cpuPercent, memory, usedMemory, disks = [], rx, tx }: GuestFigures,
  wanted: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  const sizes = disks.flatMap(({ capacity, allocation }) =>
    capacity === undefined || allocation === undefined ? [] : [{ total: capacity, used: allocation }],
  );
  return known({
    cpu: wanted.has('cpu') && cpuPercent !== undefined ? { percentage: percent(cpuPercent) } : undefined,
    memory:
      wanted.has('memory') && memory !== undefined && usedMemory !== undefined
        ? useOf({ total: memory, used: usedMemory })
        : undefined,
    df:
      wanted.has('df') && sizes.length > 0 && sizes.length === disks.length
        ? useOf({ total: sum(sizes.map(({ total }) => total)), used: sum(sizes.map(({ used }) => used)) })
        : undefined,
    network:
      wanted.has('network') && rx !== undefined && tx !== undefined ? { received: String(rx), sent: String(tx) } : undefined,
  });
}

/** What `list_vms_status` says of a machine beside its state. Memory in KiB, time in ns, as texts. */
export const guestStatus = ({ vcpus, maxMemory, cpuTime, memory }: GuestFigures): Readonly<Record<string, unknown>> => known({
  nrVirtCpu: vcpus, maxMem: maxMemory === undefined ? undefined : kib(maxMemory),
  cpuTime: cpuTime === undefined ? undefined : String(cpuTime), memory: memory === undefined ? undefined : kib(memory),
});
