import { randomUUID } from 'node:crypto';
import { ArgoError } from '../../../../kit/errors.js';
import { formatBytes } from '../../../../kit/text.js';
import { beforeSending } from '../../../../kit/within.js';
import type { WorkCall } from '../../../management/contract.js';
import { halfMadeName } from '../names.js';
import { readAddressing } from './bridges.js';
import { freeBytes, readRootArchive, rootFaults, unpackRoot, writeSettings } from './container-root.js';
import { containerXml, type NewContainer } from './container-xml.js';
import { usedPaths, type TemplatesContext } from './context.js';
import type { Deployment } from './deployment.js';
import { define } from './new-machine.js';
import { chooseNics, type Nics } from './nics.js';
import { describeTemplate, wantedOf } from './settings.js';
import { making, STEP, takenAway, type Making } from './undoing.js';

/** Digits of a container's uuid that its folder has in its name, so that no two containers ever have one. */
const DIGITS = 8;

/** How far it is when the archive has been looked at, and when it is unpacked. */
const LOOKED = 0.3;
const UNPACKED = 0.9;

/** Makes a container from a template: its root is unpacked into a folder of the host. */
export async function deployContainer(context: TemplatesContext, deployment: Deployment, call: WorkCall): Promise<void> {
  const { files, folder } = context;
  const { found, descriptor, name, settings } = deployment;
  const { signal, task, progress } = call;
  const uuid = randomUUID();
  const { network, faults, limits, roots, templates } = await beforeSending(signal, () => prepare(context, deployment, signal));
  const root = `${roots}/${name}-${uuid.slice(0, DIGITS)}`;
  const half = halfMadeName(root, task);
  const unpackedTo = `${templates}/${halfMadeName(found.name, task)}`;
  const made = making(half);
  try {
    const [disk] = descriptor.disks;
    const archive = `${await folder.unpacked(found, descriptor, unpackedTo, signal)}/${disk!.file}`;
    const members = await readRootArchive(files, archive, disk!.capacity, signal);
    progress(LOOKED);
    const wanted = wantedOf(settings, describeTemplate(found.name, descriptor, limits), { ...faults, ...rootFaults(members, settings) });
    await requireRoom(context, roots, members.reduce((sum, { size }) => sum + size, 0n), signal);
    await files.makeFolder(half, signal);
    await files.makeFolder(`${half}/root`, signal, '0755');
    await unpackRoot(files, archive, `${half}/root`, signal);
    progress(UNPACKED);
    await writeSettings(files, `${half}/root`, settings, signal);
    signal.throwIfAborted();
    const xml = containerXml({ name, uuid, root, arch: descriptor.arch, ...wanted, ...network });
    await place(context, { half, root }, made, () => define(context, { name, uuid, xml }));
  } catch (error) {
    throw await takenAway(files, made, [unpackedTo], error, signal);
  }
  await files.tidy([unpackedTo, half]);
}

/** What it may have, and the folders in which it is made, without what an earlier process left in them. */
async function prepare(context: TemplatesContext, deployment: Deployment, signal: AbortSignal) {
  const { network, faults } = await chooseNetwork(context, deployment, signal);
  const limits = await context.limits(signal);
  const roots = await context.roots.make(signal);
  await context.sweeper.sweep(roots, signal, (at) => usedPaths(context, at));
  const templates = await context.folder.root(signal);
  await context.sweeper.sweep(templates, signal);
  signal.throwIfAborted();
  return { network, faults, limits, roots, templates };
}

async function requireRoom({ files }: TemplatesContext, folder: string, size: bigint, signal: AbortSignal): Promise<void> {
  const free = await freeBytes(files, folder, signal);
  if (size > free) throw new ArgoError('FAILED', `${folder} has room for ${formatBytes(free)}, and the container takes ${formatBytes(size)}`);
}

/** Gives the root its name. An empty folder stays under the other one until there is a machine that has it. */
async function place(
  { files }: TemplatesContext,
  { half, root }: { readonly half: string; readonly root: string },
  made: Making,
  work: () => Promise<void>,
): Promise<void> {
  made.isPlacing = true;
  await files.renameFolder(`${half}/root`, root, AbortSignal.timeout(STEP));
  made.placed.push(root);
  await work();
}

interface ContainerNetwork extends Pick<Nics, 'faults'> {
  readonly network: Pick<NewContainer, 'network'>;
}

/** A container has at most one interface: on the bridge that was asked for, else on the template's where the host has it. */
async function chooseNetwork({ files }: TemplatesContext, { descriptor, settings }: Deployment, signal: AbortSignal): Promise<ContainerNetwork> {
  const { bridges: [bridge], faults } = await chooseNics(files, descriptor, settings, signal);
  const { address } = settings;
  if (bridge === undefined || Object.keys(faults).length > 0) {
    const needed = address === undefined ? {} : { address: 'it has no network interface: a bridge of the host is needed' };
    return { network: {}, faults: { ...needed, ...faults } };
  }
  if (address === undefined) return { network: { network: { bridge } }, faults };
  const addressing = await readAddressing(files, bridge, address, signal);
  if (addressing === undefined) return { network: {}, faults: { address: `the bridge ${bridge} is in no network of that address` } };
  return { network: { network: { bridge, address: { address, ...addressing } } }, faults };
}
