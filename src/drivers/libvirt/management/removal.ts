import { ArgoError } from '../../../kit/errors.js';
import { beforeSending } from '../../../kit/within.js';
import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { XmlFlag } from '../../../protocols/libvirt/constants.js';
import { ErrorCode } from '../../../protocols/libvirt/errors.js';
import { formatUuid, type Domain } from '../../../protocols/libvirt/types.js';
import type { WorkCall } from '../../management/contract.js';
import type { RemovalAbility } from '../../management/machine.js';
import type { VmContext } from '../context.js';
import { refusalOf } from '../errors.js';
import { readState } from '../readings.js';
import { imageClaim, machineClaim } from './claims.js';
import type { ManagementContext } from './context.js';
import { findUsers, madeOn, namesOf } from './image-users.js';
import { parseOwnDisks } from './own-disks.js';
import { insist, settled } from './steps.js';
import type { VolumeDescription } from './volume-xml.js';

/** The taking away of one domain. */
export function createRemoval(vm: VmContext, context: ManagementContext): RemovalAbility {
  return { delete: ({ disks }, call) => context.claims.during([machineClaim(vm.domain.name)], () => remove(vm, context, disks, call)) };
}

/** What goes with a domain: an image, or the root of a container. */
interface OwnThing {
  /** on the host */
  readonly path: string;
  /** an image's, so that nobody else works on it meanwhile */
  readonly claim?: string;
  remove(signal: AbortSignal): Promise<void>;
}

/** A domain as it is now; undefined where it is gone. */
export async function findAgain(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<Domain | undefined> {
  try {
    return await client.lookup(domain.uuid, signal);
  } catch (error) {
    if (refusalOf(error) === ErrorCode.NO_DOMAIN) return undefined;
    throw error;
  }
}

async function remove(vm: VmContext, context: ManagementContext, withDisks: boolean, call: WorkCall): Promise<void> {
  const { domain, connection, hypervisor } = vm;
  const { signal } = call;
  const find = hypervisor.type === 'container' ? findRoot : findDisks;
  const things = await beforeSending(signal, async () => {
    await requireOff(vm, signal);
    return withDisks ? find(vm, context, call) : [];
  });
  await context.claims.during(things.flatMap(({ claim }) => claim ?? []), async () => {
    await beforeSending(signal, () => requireOff(vm, signal));
    const isGone = async (at: AbortSignal): Promise<boolean> => await connection.use('reads', at, (client) => findAgain(client, domain, at)) === undefined;
    await settled((at) => connection.useFor(domain, 'acts', at, (client) => client.definitions.undefine(domain, hypervisor.undefine, at)), isGone);
    // One that was started in this moment goes on without a description, and has its disks.
    if (!await insist(isGone)) throw new ArgoError('FAILED', 'it was started meanwhile: its description is removed, it goes on until it ends, and its disks stay');
    context.uses.forget();
    context.host.relist();
    await removeThings(context, things);
  });
}

/** @throws ArgoError WRONG STATE; `unknown` is not off */
async function requireOff({ domain, connection, hypervisor }: VmContext, signal: AbortSignal): Promise<void> {
  const state = await connection.use('reads', signal, (client) => readState(client, { domain, hypervisor }, signal));
  if (state === 'off') return;
  const hint = state === 'suspended' ? '; stop --force throws what is saved of it away' : '';
  throw new ArgoError('WRONG STATE', `it is ${state}, and only what is off can be removed${hint}`);
}

/**
 * Its disks that nobody else has.
 * @throws ArgoError FAILED for one that libvirt cannot remove, since it is in none of its pools
 */
async function findDisks({ domain, connection }: VmContext, { pools, uses }: ManagementContext, { signal }: WorkCall): Promise<OwnThing[]> {
  const [volumes, used, description] = await Promise.all([
    pools.readAll(signal),
    uses.read(signal, true),
    connection.use('reads', signal, (client) => client.xml(domain, signal, XmlFlag.INACTIVE)),
  ]);
  const users = findUsers(volumes, used.filter(({ id }) => id !== formatUuid(domain.uuid)));
  const isFree = (one: VolumeDescription): boolean => namesOf(one, volumes).every((each) => !users.has(each) && madeOn(each, volumes).length === 0);
  return parseOwnDisks(description).flatMap((disk) => {
    const found = volumes.find(({ path, volume }) => ('path' in disk ? path === disk.path : volume.pool === disk.pool && volume.name === disk.volume));
    if (found === undefined) throw new ArgoError('FAILED', `${disk.target} (${disk.words}) is in no storage pool that is active, so libvirt cannot remove it; remove the machine without its disks`);
    const { volume, path } = found;
    return isFree(found) ? [{ path, claim: imageClaim(volume.name), remove: (at) => pools.delete(volume, at) }] : [];
  });
}

/** @throws ArgoError NOT SUPPORTED where its root was not made here */
async function findRoot({ domain, connection }: VmContext, { roots, uses }: ManagementContext, { signal, task }: WorkCall): Promise<OwnThing[]> {
  const [used, description] = await Promise.all([
    uses.read(signal, true),
    connection.use('reads', signal, (client) => client.xml(domain, signal, XmlFlag.INACTIVE)),
  ]);
  const path = await roots.ownRoot(description, used.filter(({ id }) => id !== formatUuid(domain.uuid)), signal);
  return [{ path, remove: (at) => roots.remove(path, task, at) }];
}

async function removeThings({ host }: ManagementContext, things: readonly OwnThing[]): Promise<void> {
  const left: string[] = [];
  for (const { path, remove: away } of things) {
    await insist(away).catch((error: unknown) => {
      left.push(path);
      host.log('warn', 'a disk of a removed machine could not be removed', { path, error: String(error) });
    });
  }
  if (left.length > 0) throw new ArgoError('FAILED', `the machine is removed, and of its disks these could not be: ${left.join(', ')}`);
}
