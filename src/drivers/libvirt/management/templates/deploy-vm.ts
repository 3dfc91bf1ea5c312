import { randomUUID } from 'node:crypto';
import { ArgoError } from '../../../../kit/errors.js';
import { beforeSending } from '../../../../kit/within.js';
import type { WorkCall } from '../../../management/contract.js';
import { lookAtHost } from '../look-at-host.js';
import { machineXml, type Nic } from '../machine-xml.js';
import { needsOf } from '../os-variants.js';
import { halfMadeName } from '../names.js';
import { usedPaths, type TemplatesContext } from './context.js';
import type { Deployment } from './deployment.js';
import { convertImage, readTemplateDisk, shares } from './images.js';
import { define } from './new-machine.js';
import { chooseNics } from './nics.js';
import { describeTemplate, vmFaults, wantedOf } from './settings.js';
import { making, STEP, takenAway, type Making } from './undoing.js';

/** A disk on its way into the pool. Paths on the host. */
interface NewDisk {
  readonly from: string;
  readonly format: string;
  /** while it is half made; then a second name for the whole one, until there is a machine that has it */
  readonly half: string;
  readonly whole: string;
  /** bytes to be read, by which progress is told */
  readonly weight: bigint;
}

/** Makes a virtual machine from a template: its disks are copies that stand for themselves. */
export async function deployVm(context: TemplatesContext, deployment: Deployment, call: WorkCall): Promise<void> {
  const { files, folder, pools } = context;
  const { found, descriptor } = deployment;
  const { signal, task } = call;
  const { machine, pool, root } = await beforeSending(signal, () => prepare(context, deployment, signal));
  const unpackedTo = `${root}/${halfMadeName(found.name, task)}`;
  const made = making();
  try {
    const source = await folder.unpacked(found, descriptor, unpackedTo, signal);
    const disks = await readDisks(context, { deployment, source, pool, task }, signal);
    made.halves.push(...disks.map(({ half }) => half));
    const told = shares(disks.map(({ weight }) => weight), call.progress);
    for (const [index, { from, format, half }] of disks.entries()) await convertImage(files, { from, format, to: half }, told[index]!, signal);
    signal.throwIfAborted();
    const xml = machineXml({ ...machine, disks: disks.map(({ whole }) => ({ file: whole })) });
    await place(context, disks, made, () => define(context, { ...machine, xml }));
  } catch (error) {
    throw await takenAway(files, made, [unpackedTo], error, signal);
  }
  await files.tidy([unpackedTo, ...made.halves]);
  // A later look of libvirt's own finds them too.
  await pools.refresh(AbortSignal.timeout(STEP)).catch(() => undefined);
}

/** What it is to be, and the folders in which it is made, without what an earlier process left in them. */
async function prepare(context: TemplatesContext, deployment: Deployment, signal: AbortSignal) {
  const { folder, pools, sweeper } = context;
  const machine = await plan(context, deployment, signal);
  const pool = await pools.folder(signal);
  await sweeper.sweep(pool, signal, (at) => usedPaths(context, at));
  const root = await folder.root(signal);
  await sweeper.sweep(root, signal);
  signal.throwIfAborted();
  return { machine, pool, root };
}

/** Whatever can be known to be in the way before anything is made. @throws SettingsFault, ArgoError */
async function plan(context: TemplatesContext, { found, descriptor, name, settings }: Deployment, signal: AbortSignal) {
  const { files, connection } = context;
  const [host, { bridges, faults }] = await Promise.all([
    connection.use('reads', signal, (client) => lookAtHost(context, client, name, signal)),
    chooseNics(files, descriptor, settings, signal),
  ]);
  if (!runs(host.arch, descriptor.arch)) throw new ArgoError('FAILED', `the template is for ${descriptor.arch}, and the host is ${host.arch}`);
  const wanted = wantedOf(settings, describeTemplate(found.name, descriptor, host.limits), { ...vmFaults(settings), ...faults });
  const nics = bridges.map((bridge): Nic | undefined =>
    bridge !== undefined ? { bridge } : host.network === undefined ? undefined : { network: host.network },
  );
  return {
    name, uuid: randomUUID(), type: host.type, arch: host.arch, ...wanted, nics: nics.filter((nic) => nic !== undefined),
    iso: undefined, needs: needsOf('', 'linux'), apic: true, acpi: true,
  };
}

/** What is made for 32 bits runs on a machine of 64 too. */
const runs = (host: string, template: string): boolean => host === template || (host === 'x86_64' && /^i[3-6]86$/.test(template));

interface Ways {
  readonly deployment: Deployment;
  /** folder of the template's files */
  readonly source: string;
  readonly pool: string;
  readonly task: string;
}

/** @throws ArgoError FAILED where one cannot be copied, WRONG STATE where there is something of the new one's name */
async function readDisks({ files }: TemplatesContext, { deployment, source, pool, task }: Ways, signal: AbortSignal): Promise<NewDisk[]> {
  const disks: NewDisk[] = [];
  for (const [index, disk] of deployment.descriptor.disks.entries()) {
    const { allocation } = await readTemplateDisk(files, source, disk, signal);
    const name = `${deployment.name}-${index + 1}.qcow2`;
    const whole = `${pool}/${name}`;
    if (await files.realPath(whole, signal) !== undefined) throw new ArgoError('WRONG STATE', `there is an image ${name} already`);
    disks.push({ from: `${source}/${disk.file}`, format: disk.format, half: `${pool}/${halfMadeName(name, task)}`, whole, weight: allocation });
  }
  return disks;
}

/**
 * Gives the disks their names, so that the machine can be defined with them. Each keeps its other name as long as the
 * machine is not there: what is left so by a process that was killed is known by it.
 */
async function place({ files }: TemplatesContext, disks: readonly NewDisk[], made: Making, work: () => Promise<void>): Promise<void> {
  made.isPlacing = true;
  for (const { half, whole } of disks) {
    await files.link(half, whole, AbortSignal.timeout(STEP));
    made.placed.push(whole);
  }
  await work();
}
