import { ArgoError } from '../../../kit/errors.js';
import { formatBytes, inOrder } from '../../../kit/text.js';
import { beforeSending } from '../../../kit/within.js';
import type { Pool } from '../../../protocols/libvirt/storage.js';
import type { WorkCall } from '../../management/contract.js';
import type { ImageFile, Images } from '../../management/storage.js';
import { ErrorCode } from '../../../protocols/libvirt/errors.js';
import { parseUuid, type Domain } from '../../../protocols/libvirt/types.js';
import { refusalOf } from '../errors.js';
import { imageClaim } from './claims.js';
import type { ManagementContext } from './context.js';
import { findUsers, madeOn, namesOf } from './image-users.js';
import { requireFileName } from './names.js';
import { insist, settled, undone } from './steps.js';
import type { DomainUse } from './uses.js';
import { emptyVolumeXml, type VolumeDescription } from './volume-xml.js';

/** Images in a pool of libvirt's. */
export function createImages(context: ManagementContext): Images {
  return {
    list: (_, { signal }) => list(context, signal),
    create: async (image, call) => {
      requireFileName(image.name);
      await context.claims.during([imageClaim(image.name)], () => create(context, image, call));
    },
    delete: async ({ name }, { signal }) => {
      requireFileName(name);
      await context.claims.during([imageClaim(name)], () => remove(context, name, signal));
    },
  };
}

/** One name, one image: where both pools have one of a name, it is that of the pool of images. */
async function list({ pools, halfMade, uses }: ManagementContext, signal: AbortSignal): Promise<ImageFile[]> {
  const [contents, used] = await Promise.all([pools.read(signal), uses.read(signal)]);
  const volumes = contents.flatMap((each) => each.volumes);
  const users = findUsers(volumes, used);
  const byName = new Map<string, VolumeDescription>();
  for (const each of halfMade.whole(volumes, used)) if (!byName.has(each.volume.name)) byName.set(each.volume.name, each);
  return inOrder([...byName.values()], ({ volume }) => volume.name).map((each) => ({
    name: each.volume.name, kind: isIso(each) ? 'iso' : 'disk', format: each.format, capacity: each.capacity, allocation: each.allocation,
    usedBy: users.get(each) ?? [],
  }));
}

/** libvirt calls a disc's image so by its content, and one that it does not know raw. */
export const isIso = ({ format, volume }: VolumeDescription): boolean => format === 'iso' || (format === 'raw' && /\.iso$/i.test(volume.name));

type NewImage = Parameters<Images['create']>[0];

async function create(context: ManagementContext, image: NewImage, call: WorkCall): Promise<void> {
  const { pools } = context;
  const { signal } = call;
  const { name, size, format } = image;
  const pool = await beforeSending(signal, () => prepare(context, image, signal));
  call.progress(0.5);
  const isWhole = async (at: AbortSignal): Promise<boolean> => {
    const made = await pools.describe(name, at);
    return made !== undefined && made.format === format && made.capacity >= size;
  };
  await settled((at) => pools.create(pool, name, emptyVolumeXml(name, size, format), at), isWhole).catch((error: unknown) => { throw asExisting(error); });
  if (!signal.aborted) return;
  const made = await insist((at) => pools.describe(name, at));
  if (made !== undefined) await insist((at) => pools.delete(made.volume, at));
  throw undone(signal.reason, signal);
}

async function prepare(context: ManagementContext, { name, size }: NewImage, signal: AbortSignal): Promise<Pool> {
  const [contents, used] = await Promise.all([context.pools.read(signal), context.uses.read(signal)]);
  await context.halfMade.sweep(contents.flatMap(({ volumes }) => volumes), used);
  const pool = await requireRoom(context, name, size, signal);
  signal.throwIfAborted();
  return pool;
}

/**
 * The pool of images, if it has no image of a name yet and room for one.
 * @throws ArgoError WRONG STATE, FAILED
 */
export async function requireRoom({ pools }: ManagementContext, name: string, size: bigint, signal: AbortSignal): Promise<Pool> {
  if (await pools.describe(name, signal) !== undefined) throw new ArgoError('WRONG STATE', `there is ${name} already`);
  const { pool, available } = await pools.room(signal);
  if (size > available) throw new ArgoError('FAILED', `the storage pool ${pool.name} has room for ${formatBytes(available)}, and ${name} may take ${formatBytes(size)}`);
  return pool;
}

const EXISTING: ReadonlySet<number | undefined> = new Set([ErrorCode.OPERATION_INVALID, ErrorCode.OPERATION_FAILED]);

/** What somebody else has made meanwhile, or a file of which libvirt did not know. */
export const asExisting = (error: unknown): unknown => (error instanceof ArgoError && EXISTING.has(refusalOf(error)) && error.detail.includes('already exists')
  ? new ArgoError('WRONG STATE', error.detail, { cause: error }) : error);

/**
 * A disk in no pool may be a link to an image. libvirt tells only how large it is and how much it takes, so one that is
 * alike in all of that is taken for the same.
 * @throws ArgoError WRONG STATE
 */
async function requireNoOtherName(
  connection: ManagementContext['connection'], image: VolumeDescription, volumes: readonly VolumeDescription[], used: readonly DomainUse[], signal: AbortSignal,
): Promise<void> {
  const known = new Set(volumes.map(({ path }) => path));
  for (const { id, name, sources } of used) {
    const domain: Domain = { name, uuid: parseUuid(id), id: -1 };
    for (const source of [...sources].filter((each) => !known.has(each))) {
      const info = await connection.useFor(domain, 'reads', signal, (client) => client.blockInfo(domain, source, signal)).catch(unlessRefused);
      if (info?.capacity === image.capacity && info.allocation === image.allocation && info.physical === image.physical) {
        throw new ArgoError('WRONG STATE', `it may be ${source}, which ${name} has, under another name`);
      }
    }
  }
}

/** What is no disk, or is not there. */
function unlessRefused(error: unknown): undefined {
  if (refusalOf(error) === undefined) throw error;
}

async function remove(context: ManagementContext, name: string, signal: AbortSignal): Promise<void> {
  const { pools } = context;
  const image = await beforeSending(signal, () => findFree(context, name, signal));
  const isGone = async (at: AbortSignal): Promise<boolean> => !(await pools.readAll(at)).some(({ path }) => path === image.path);
  await settled((at) => pools.delete(image.volume, at), isGone);
}

/** An image that nobody has and nothing is made on. @throws ArgoError WRONG STATE, also where there is none */
async function findFree({ pools, uses, halfMade, connection }: ManagementContext, name: string, signal: AbortSignal): Promise<VolumeDescription> {
  const [volumes, used] = await Promise.all([pools.readAll(signal), uses.read(signal, true)]);
  await halfMade.sweep(volumes, used);
  const whole = halfMade.whole(volumes, used);
  const of = (pool: string): VolumeDescription | undefined => whole.find(({ volume }) => volume.pool === pool && volume.name === name);
  const image = of(pools.images) ?? of(pools.isos);
  if (image === undefined) throw new ArgoError('WRONG STATE', `there is no image ${name}`);
  const users = findUsers(volumes, used);
  for (const each of namesOf(image, volumes)) {
    const machines = users.get(each) ?? [];
    if (machines.length > 0) throw new ArgoError('WRONG STATE', `it is in use by ${machines.join(', ')}${each === image ? '' : `, under the name ${each.path}`}`);
    const [made] = madeOn(each, volumes);
    if (made !== undefined) throw new ArgoError('WRONG STATE', `${made.volume.name} is made on it`);
  }
  await requireNoOtherName(connection, image, volumes, used, signal);
  signal.throwIfAborted();
  return image;
}
