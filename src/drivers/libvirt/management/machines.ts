import { randomUUID } from 'node:crypto';
import { ArgoError, SettingsFault } from '../../../kit/errors.js';
import { formatBytes } from '../../../kit/text.js';
import { beforeSending } from '../../../kit/within.js';
import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { DomainState } from '../../../protocols/libvirt/constants.js';
import { parseUuid, type Domain } from '../../../protocols/libvirt/types.js';
import type { WorkCall } from '../../management/contract.js';
import type { Limits } from '../../management/machine.js';
import type { Machines, NewMachine } from '../../management/storage.js';
import { imageClaim, machineClaim } from './claims.js';
import type { ManagementContext } from './context.js';
import { hostLimits, outside } from './host-limits.js';
import { asExisting, isIso, requireRoom } from './images.js';
import { findAgain } from './removal.js';
import { lookAtHost } from './look-at-host.js';
import { machineXml, type MachineParts, type NewDisk } from './machine-xml.js';
import { requireMachineName } from './names.js';
import { needsOf } from './os-variants.js';
import { settled, TakingBack, undone } from './steps.js';
import type { DomainUse } from './uses.js';

/** Bytes of a disk on which a system can be installed at all. */
const DISK_LEAST = 16n * 1024n * 1024n;

/** The making of QEMU guests. */
export function createMachines(context: ManagementContext): Machines {
  return {
    limits: (_, { signal }) => limits(context, signal),
    install: async (machine, call) => {
      requireMachineName(machine.name);
      const claimed = [machineClaim(machine.name), ...('size' in machine.disk ? [imageClaim(diskName(machine))] : [])];
      await context.claims.during(claimed, () => install(context, machine, call));
    },
  };
}

const diskName = ({ name }: Pick<NewMachine, 'name'>): string => `${name}.qcow2`;

/** A pool that cannot be used leaves the disk out. */
async function limits({ connection, pools }: ManagementContext, signal: AbortSignal): Promise<Limits> {
  const room = pools.room(signal).catch((error: unknown) => {
    if (error instanceof ArgoError && (error.phrase === 'NOT SUPPORTED' || error.phrase === 'WRONG STATE')) return undefined;
    throw error;
  });
  const [{ vcpus, memory }, found] = await Promise.all([connection.use('reads', signal, (client) => hostLimits(client, signal)), room]);
  return { vcpus, memory, ...(found === undefined ? {} : { disk: { min: DISK_LEAST, max: found.available } }) };
}

async function install(context: ManagementContext, machine: NewMachine, call: WorkCall): Promise<void> {
  const { host, halfMade } = context;
  const { signal } = call;
  const parts = await beforeSending(signal, () => plan(context, machine, call));
  const undo = new TakingBack(host);
  try {
    signal.throwIfAborted();
    const { disk } = machine;
    const image = 'size' in disk ? await halfMade.make({ name: diskName(machine), size: disk.size, task: call.task }, undo) : undefined;
    call.progress(0.4);
    signal.throwIfAborted();
    const made: NewDisk = 'size' in disk ? { file: image!.path } : { device: disk.volume };
    await define(context, machineXml({ ...parts, disks: [made] }), parts, undo);
    call.progress(0.7);
    signal.throwIfAborted();
    await start(context, parts);
    await image?.unmark().catch((error: unknown) => host.log('warn', 'the mark of an image that is made has stayed', { image: diskName(machine), error: String(error) }));
  } catch (error) {
    throw await afterTakingBack(undo, asExisting(error), signal);
  }
  host.relist();
}

const domainOf = ({ name, uuid }: Pick<MachineParts, 'name' | 'uuid'>): Domain => ({ name, uuid: parseUuid(uuid), id: -1 });

async function define({ connection, hypervisor }: ManagementContext, xml: string, parts: Pick<MachineParts, 'name' | 'uuid'>, undo: TakingBack): Promise<void> {
  const domain = domainOf(parts);
  undo.add(`the machine ${parts.name}`, (signal) => connection.useFor(domain, 'acts', signal, (client) => takeAway(client, domain, hypervisor.undefine, signal)));
  const isThere = (signal: AbortSignal): Promise<boolean> => connection.use('reads', signal, (client) => findAgain(client, domain, signal)).then((found) => found !== undefined);
  await settled((signal) => connection.use('acts', signal, (client) => client.definitions.define(xml, signal)), isThere);
}

async function start({ connection }: ManagementContext, parts: Pick<MachineParts, 'name' | 'uuid'>): Promise<void> {
  const domain = domainOf(parts);
  const runs = async (signal: AbortSignal): Promise<boolean> => {
    const { state } = await connection.use('reads', signal, (client) => client.state(domain, signal));
    return state === DomainState.RUNNING;
  };
  await settled((signal) => connection.useFor(domain, 'acts', signal, (client) => client.create(domain, signal)), runs);
}

/** Also where it is not there. */
async function takeAway(client: LibvirtClient, domain: Domain, flags: number, signal: AbortSignal): Promise<void> {
  const found = await findAgain(client, domain, signal);
  if (found === undefined) return;
  if (found.id !== -1) await client.destroyDomain(found, signal);
  await client.definitions.undefine(found, flags, signal);
}

async function afterTakingBack(undo: TakingBack, error: unknown, signal: AbortSignal): Promise<unknown> {
  const left = await undo.run();
  if (left === undefined) return undone(error, signal);
  const words = error instanceof ArgoError && error.detail !== '' ? ` (${error.detail})` : '';
  return new ArgoError('UNCERTAIN', `${left} could not be taken away${words}`, { cause: error });
}

/** Everything that can be known to be in the way, before anything is made. @throws SettingsFault, ArgoError WRONG STATE, FAILED, NOT SUPPORTED */
async function plan(context: ManagementContext, machine: NewMachine, call: WorkCall): Promise<Omit<MachineParts, 'disks'>> {
  const { connection, pools, uses, halfMade } = context;
  const { signal } = call;
  const [contents, used, found] = await Promise.all([
    pools.read(signal),
    uses.read(signal, true),
    connection.use('reads', signal, (client) => lookAtHost(context, client, machine.name, signal)),
  ]);
  const volumes = contents.flatMap((each) => each.volumes);
  await halfMade.sweep(volumes, used);
  const iso = volumes.find((each) => each.volume.pool === pools.isos && each.volume.name === machine.iso && isIso(each));
  const faults: Record<string, string | undefined> = {
    iso: iso === undefined ? `there is no ISO image ${machine.iso} in the storage pool ${pools.isos}` : undefined,
    vcpus: outside(machine.vcpus, found.limits.vcpus),
    memory: outside(machine.memory, found.limits.memory),
    disk: await faultOfDisk(context, machine, used, call),
  };
  const wrong = Object.entries(faults).filter((fault): fault is [string, string] => fault[1] !== undefined);
  if (wrong.length > 0) throw new SettingsFault(Object.fromEntries(wrong));
  if ('size' in machine.disk) await requireRoom(context, diskName(machine), machine.disk.size, signal);
  return {
    name: machine.name, uuid: randomUUID(), vcpus: machine.vcpus, memory: machine.memory, iso: iso!.path,
    needs: needsOf(machine.osVariant, machine.osType), apic: machine.apic, acpi: machine.acpi,
    type: found.type, arch: found.arch, nics: found.network === undefined ? [] : [{ network: found.network }],
  };
}

async function faultOfDisk(
  { logicalVolumes }: ManagementContext,
  { disk }: NewMachine,
  used: readonly DomainUse[],
  call: WorkCall,
): Promise<string | undefined> {
  if ('size' in disk) return disk.size < DISK_LEAST ? `must be at least ${formatBytes(DISK_LEAST)}` : undefined;
  const volume = (await logicalVolumes(call)).find(({ path }) => path === disk.volume);
  if (volume === undefined) return `there is no logical volume ${disk.volume}`;
  const users = [...volume.usedBy, ...used.filter(({ paths }) => paths.has(disk.volume)).map(({ name }) => name)];
  return users.length === 0 ? undefined : `${disk.volume} is in use by ${[...new Set(users)].join(', ')}`;
}
