import type { Use, GuestFigures, HostFigures, Statistics } from '../../management/statistics.js';
import { GIB, pass, type ManagedMachine, type Park } from './park.js';

const MEMORY = 64n * GIB;
const SYSTEM_MEMORY = GIB;
const DISK = { mount: '/', device: '/dev/sim0', total: 500n * GIB, used: 40n * GIB, free: 460n * GIB };
const SWAP: Use & { readonly path: string } = { path: '/dev/sim1', total: 4n * GIB, used: 0n };

const isUp = ({ power }: ManagedMachine): boolean => power === 'on' || power === 'paused';
const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);
const least = (one: bigint, other: bigint): bigint => (one < other ? one : other);

/** A machine that is on uses a tenth of each of its CPUs. */
const CPU_SHARE = 0.1;

function figuresOf(machine: ManagedMachine): GuestFigures {
  const { id, hardware: { vcpus, memory, disk, image }, secondsUp, traffic, power } = machine;
  const share = power === 'on' ? CPU_SHARE : 0;
  return {
    id, vcpus, maxMemory: memory, memory: isUp(machine) ? memory : 0n, ...traffic, disks: [{ target: image === undefined ? 'xvda' : 'vda', capacity: disk, allocation: disk }],
    ...(isUp(machine) ? { cpuTime: BigInt(Math.floor(secondsUp * vcpus * CPU_SHARE * 1e9)), cpuPercent: share * 100, usedMemory: memory / 2n } : {}),
  };
}

/** Figures of a host that does what its machines make it do. */
function hostFigures({ machines, startedAt }: Park): Required<HostFigures> {
  const up = machines.filter(isUp);
  return {
    cpu: { percent: Math.min(100, up.length), model: 'Simulated CPU', mhz: 2000, cache: '8192 KB' },
    memory: { total: MEMORY, used: least(MEMORY, SYSTEM_MEMORY + sum(up.map(({ hardware }) => hardware.memory))) },
    df: [DISK],
    uptime: Math.floor((performance.now() - startedAt) / 1000),
    kernel: '0.0.0-simulated',
    release: 'Simulated 1',
    network: { interface: 'eth0', address: '198.51.100.2' },
    bandwidth: { received: 0, sent: 0, maximum: 125_000_000 },
    swap: [SWAP],
    iowait: 0,
  };
}

export const statisticsOf = (park: Park): Statistics => ({
  host: async ({ figures }, { signal }) => {
    await pass(park.latency, signal);
    const all = hostFigures(park);
    const { release, ...asked } = all;
    const told = Object.entries(asked).filter(([name]) => (figures as readonly string[]).includes(name));
    return { ...Object.fromEntries(told), ...(figures.includes('kernel') ? { release } : {}) };
  },
  guests: async (_, { signal }) => {
    await pass(park.latency, signal);
    return park.machines.map(figuresOf);
  },
});
