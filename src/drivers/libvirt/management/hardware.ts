import { ArgoError, SettingsFault } from '../../../kit/errors.js';
import { beforeSending } from '../../../kit/within.js';
import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { XmlFlag } from '../../../protocols/libvirt/constants.js';
import type { Hardware, HardwareAbility, HardwareChange, Limits } from '../../management/machine.js';
import type { Domain } from '../../../protocols/libvirt/types.js';
import type { VmContext } from '../context.js';
import { parseHardware, withVcpus, type WrittenHardware } from './hardware-xml.js';
import { hostLimits, outside } from './host-limits.js';
import { insist, step, undone } from './steps.js';

/** What a domain has when it is started next, in its description. */

const KIB = 1024n;
/** Microseconds of a period in which the CPUs of a container may run so long: what libvirt and the kernel take themselves. */
const PERIOD_US = 100_000n;

export function createHardware(vm: VmContext): HardwareAbility {
  return {
    read: (_, { signal }) => vm.connection.use('reads', signal, (client) => readHardware(vm, client, signal)),
    change: (wanted, { signal }) => change(vm, wanted, signal),
  };
}

/** Each of these is kept by libvirt for no machine, or for some only. */
const NOT_KEPT: Readonly<Partial<Record<keyof HardwareChange, string>>> = {
  disk: 'libvirt does not keep it: what a machine has are images and folders of their own size',
  address: 'libvirt does not keep it: the guest sets it, or asks for it by DHCP',
  nameserver: 'libvirt does not keep it: the guest sets it',
  searchDomain: 'libvirt does not keep it: the guest sets it',
  password: 'libvirt does not keep it: it is set in the guest',
};

type Found = Hardware & Pick<WrittenHardware, 'mostVcpus' | 'mostMemory'>;

async function find({ domain, hypervisor }: VmContext, client: LibvirtClient, signal: AbortSignal): Promise<Found> {
  const [xml, autostart] = await Promise.all([client.xml(domain, signal, XmlFlag.INACTIVE), client.startsWithHost(domain, signal)]);
  const { cpuLimit, ...written } = parseHardware(xml);
  const { cpuLimit: range, ...limits } = await hostLimits(client, signal, written);
  const isContainer = hypervisor.type === 'container';
  return {
    ...written, autostart,
    ...(isContainer && cpuLimit !== undefined ? { cpuLimit } : {}),
    limits: { ...limits, ...(isContainer ? { cpuLimit: range } : {}) },
  };
}

async function readHardware(vm: VmContext, client: LibvirtClient, signal: AbortSignal): Promise<Hardware> {
  const { vcpus, memory, cpuLimit, autostart, limits } = await find(vm, client, signal);
  return { vcpus, memory, limits, ...(cpuLimit === undefined ? {} : { cpuLimit }), ...(autostart === undefined ? {} : { autostart }) };
}

/** One change, with what undoes it. */
interface Step {
  readonly apply: (client: LibvirtClient, signal: AbortSignal) => Promise<void>;
  readonly revert: (client: LibvirtClient, signal: AbortSignal) => Promise<void>;
}

async function change(vm: VmContext, wanted: HardwareChange, signal: AbortSignal): Promise<void> {
  const { connection, domain } = vm;
  const before = await beforeSending(signal, async () => {
    const found = await connection.use('reads', signal, (client) => find(vm, client, signal));
    requirePossible(wanted, found.limits);
    await requireKept(vm, signal);
    return found;
  });
  const done: Step[] = [];
  try {
    for (const each of stepsFor(vm, wanted, before)) {
      signal.throwIfAborted();
      done.unshift(each);
      await step((at) => connection.useFor(domain, 'acts', at, (client) => each.apply(client, at)));
    }
  } catch (error) {
    throw await reverted(vm, done, error, signal);
  }
  const now = await connection.use('reads', signal, (client) => readHardware(vm, client, signal));
  const missed = (['vcpus', 'memory', 'cpuLimit', 'autostart'] as const).filter((name) => wanted[name] !== undefined && !isSame(now[name], wanted[name]));
  if (missed.length > 0) throw new ArgoError('FAILED', `libvirt took it, and has something else for its ${missed.join(', ')}`);
}

/** libvirt counts memory in KiB. */
const isSame = (now: unknown, wanted: unknown): boolean => now === wanted || (typeof now === 'bigint' && typeof wanted === 'bigint' && now === inKib(wanted) * KIB);
const inKib = (bytes: bigint): bigint => (bytes + KIB - 1n) / KIB;

/** @throws SettingsFault */
function requirePossible(wanted: HardwareChange, limits: Limits): void {
  const cpuLimit = limits.cpuLimit === undefined ? 'libvirt keeps it for containers only' : wanted.cpuLimit === undefined ? undefined : outside(wanted.cpuLimit, limits.cpuLimit);
  const faults: Readonly<Partial<Record<keyof HardwareChange, string | undefined>>> = {
    ...NOT_KEPT,
    vcpus: wanted.vcpus === undefined ? undefined : outside(wanted.vcpus, limits.vcpus),
    memory: wanted.memory === undefined ? undefined : outside(wanted.memory, limits.memory),
    cpuLimit,
  };
  const wrong = Object.entries(faults).filter(
    (fault): fault is [keyof HardwareChange, string] =>
      fault[1] !== undefined && wanted[fault[0] as keyof HardwareChange] !== undefined,
  );
  if (wrong.length > 0) throw new SettingsFault(Object.fromEntries(wrong));
}

/** @throws ArgoError WRONG STATE for a domain whose next start does not go by its description */
async function requireKept({ connection, domain, hypervisor }: VmContext, signal: AbortSignal): Promise<void> {
  const [isPersistent, isSaved] = await connection.use('reads', signal, (client) => Promise.all([
    client.isPersistent(domain, signal), hypervisor.saves && client.hasManagedSave(domain, signal),
  ]));
  if (!isPersistent) throw new ArgoError('WRONG STATE', 'it is transient: it is gone when it ends, so there is no next start');
  if (isSaved) throw new ArgoError('WRONG STATE', 'it is saved to disk, and comes back as it was saved; start it first');
}

function stepsFor({ domain, hypervisor }: VmContext, wanted: HardwareChange, before: Found): Step[] {
  const steps: Step[] = [];
  const add = <T>(set: (client: LibvirtClient, value: T, signal: AbortSignal) => Promise<void>, value: T | undefined, old: T): void => {
    if (value !== undefined) steps.push({ apply: (client, signal) => set(client, value, signal), revert: (client, signal) => set(client, old, signal) });
  };
  const memory = { now: before.memory, most: before.mostMemory };
  add<Amount<bigint>>(async (client, { now, most }, signal) => {
    await client.definitions.setMemory(domain, inKib(most), true, signal);
    await client.definitions.setMemory(domain, inKib(now), false, signal);
  }, amount(wanted.memory, memory), memory);
  const vcpus = { now: before.vcpus, most: before.mostVcpus };
  add<Amount<number>>((client, { now, most }, signal) => (hypervisor.type === 'container'
    ? rewriteVcpus(client, domain, now, signal) : setVcpus(client, domain, now, most, signal)), amount(wanted.vcpus, vcpus), vcpus);
  add<number | 'none'>((client, percent, signal) => client.definitions.setCpuTime(domain,
    { period: PERIOD_US, quota: percent === 'none' ? -1n : (PERIOD_US * BigInt(percent)) / 100n }, signal), wanted.cpuLimit, before.cpuLimit ?? 'none');
  add<boolean>((client, isOn, signal) => client.setStartsWithHost(domain, isOn, signal), wanted.autostart, before.autostart ?? false);
  return steps;
}

/** What it starts with, and the most that it may be given later. */
interface Amount<T> {
  readonly now: T;
  readonly most: T;
}

/** Room that somebody has left for later stays, as far as there is any. */
const amount = <T extends number | bigint>(wanted: T | undefined, { now, most }: Amount<T>): Amount<T> | undefined =>
  (wanted === undefined ? undefined : { now: wanted, most: now !== most && wanted <= most ? most : wanted });

async function setVcpus(client: LibvirtClient, domain: Domain, now: number, most: number, signal: AbortSignal): Promise<void> {
  await client.definitions.setVcpus(domain, most, true, signal);
  await client.definitions.setVcpus(domain, now, false, signal);
}

/** libvirt-lxc has no call for it. */
async function rewriteVcpus(client: LibvirtClient, domain: Domain, vcpus: number, signal: AbortSignal): Promise<void> {
  const xml = await client.xml(domain, signal, XmlFlag.INACTIVE | XmlFlag.SECURE);
  await client.definitions.define(withVcpus(xml, vcpus), signal);
}

/** Puts back what was changed, so that a refusal leaves all as it was. @returns what is then to be said */
async function reverted({ connection, domain }: VmContext, done: readonly Step[], error: unknown, signal: AbortSignal): Promise<unknown> {
  try {
    for (const { revert } of done) await insist(() => step((at) => connection.useFor(domain, 'acts', at, (client) => revert(client, at))));
    return undone(error, signal);
  } catch (cause) {
    return new ArgoError('UNCERTAIN', 'some of it may have been changed, and could not be put back', { cause });
  }
}
