import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { formatBytes } from '../../../kit/text.js';
import type { Limits, Range } from '../../management/machine.js';

/** Bytes with which a guest's firmware still comes up, and with which libvirt still takes a container. */
const MEMORY_LEAST = 16n * 1024n * 1024n;
const KIB = 1024n;
/** Per cent of one CPU: libvirt takes no quota below 1 ms of its usual period of 100 ms. */
const CPU_LIMIT_LEAST = 1;

/**
 * What a machine may have on a host: no more CPUs and memory than that has itself. One that has more already may keep it.
 * @param has what it has now
 */
export async function hostLimits(
  client: LibvirtClient,
  signal: AbortSignal,
  has: { readonly vcpus: number; readonly memory: bigint } = { vcpus: 1, memory: MEMORY_LEAST },
): Promise<Limits & { readonly cpuLimit: Range<number> }> {
  const { cpus, memory } = await client.definitions.node(signal);
  return {
    vcpus: { min: 1, max: Math.max(cpus, has.vcpus) },
    memory: {
      min: has.memory < MEMORY_LEAST ? has.memory : MEMORY_LEAST,
      max: memory * KIB > has.memory ? memory * KIB : has.memory,
    },
    cpuLimit: { min: CPU_LIMIT_LEAST, max: cpus * 100 },
  };
}

/** What is wrong with a wish; undefined where it is within its limits. */
export function outside<T extends number | bigint>(wish: T, { min, max }: Range<T>): string | undefined {
  if (wish >= min && wish <= max) return undefined;
  const words = (value: T): string => (typeof value === 'bigint' ? formatBytes(value) : String(value));
  return `must be between ${words(min)} and ${words(max)}`;
}
