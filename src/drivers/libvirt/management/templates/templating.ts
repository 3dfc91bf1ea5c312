import { ArgoError } from '../../../../kit/errors.js';
import { beforeSending } from '../../../../kit/within.js';
import type { WorkCall } from '../../../management/contract.js';
import type { TemplatePreview, TemplatingAbility, TemplatingDisk } from '../../../management/machine.js';
import { XmlFlag } from '../../../../protocols/libvirt/constants.js';
import type { VmContext } from '../../context.js';
import { readState } from '../../readings.js';
import { outside } from '../host-limits.js';
import { halfMadeName, requireFileName } from '../names.js';
import type { TemplatesContext } from './context.js';
import { packRoot, sizeOfRoot } from './container-root.js';
import { DISKS_MOST, type DiskFormat } from './descriptor.js';
import { convertImage, readImage, shares } from './images.js';
import { readMachine, type DescribedSource, type MachineDescription } from './machine-description.js';
import { descriptorOf } from './names.js';
import { throwFaults } from './settings.js';
import { making, STEP, takenAway } from './undoing.js';
import { writeDescriptor, type WrittenDisk } from './write-descriptor.js';

/** Templates from machines. */
export function createTemplating(context: TemplatesContext, vm: Pick<VmContext, 'domain' | 'hypervisor'>): TemplatingAbility {
  return {
    preview: ({ template }, { signal }) => preview(context, vm, template, signal),
    create: ({ template, settings }, call) => create(context, vm, { template, ...settings }, call),
  };
}

type Vm = Pick<VmContext, 'domain' | 'hypervisor'>;

interface NewTemplate {
  readonly template: string;
  readonly vcpus?: number;
  /** bytes */
  readonly memory?: bigint;
}

const describe = ({ connection }: TemplatesContext, { domain }: Vm, signal: AbortSignal): Promise<MachineDescription> =>
  connection.use('reads', signal, async (client) => readMachine(await client.xml(domain, signal, XmlFlag.INACTIVE)));

async function preview(context: TemplatesContext, vm: Vm, template: string, signal: AbortSignal): Promise<TemplatePreview> {
  requireFileName(template);
  const machine = await describe(context, vm, signal);
  requireCommon(machine);
  const { arch, vcpus, memory, interfaces } = machine;
  return { template, arch, vcpus, memory, interfaces, folder: `${context.folder.path.replace(/\/$/, '')}/${template}`, disks: await planDisks(context, machine, template, signal) };
}

/** The files of a template: NAME1.qcow2, NAME2.qcow2, …; of a container NAME.tar.gz. */
function planDisks({ files }: TemplatesContext, { disks }: MachineDescription, template: string, signal: AbortSignal): Promise<TemplatingDisk[]> {
  if (disks.length === 0) throw new ArgoError('NOT SUPPORTED', 'it has no disk');
  if (disks.length > DISKS_MOST) throw new ArgoError('NOT SUPPORTED', `it has ${disks.length} disks, and a template at most ${DISKS_MOST}`);
  return Promise.all(disks.map(async ({ target, path, format }, index): Promise<TemplatingDisk> => {
    if (format === 'folder') {
      const size = await sizeOfRoot(files, path, signal);
      return { target, path, file: `${template}.tar.gz`, capacity: size, allocation: size };
    }
    const { capacity, allocation } = await readImage(files, path, format, signal, true);
    return { target, path, file: `${template}${index + 1}.qcow2`, capacity, allocation };
  }));
}

async function create(context: TemplatesContext, vm: Vm, wanted: NewTemplate, call: WorkCall): Promise<void> {
  const { files } = context;
  const { signal, task, progress } = call;
  const { template } = wanted;
  requireFileName(template);
  const { machine, root, planned } = await beforeSending(signal, () => prepare(context, vm, wanted, signal));
  const half = `${root}/${halfMadeName(template, task)}`;
  const made = making(half);
  try {
    await files.makeFolder(half, signal);
    const told = shares(planned.map(({ allocation }) => allocation), progress);
    const disks: WrittenDisk[] = [];
    for (const [index, disk] of planned.entries())
      disks.push(await copyDisk(context, { disk, source: machine.disks[index]!, folder: half, told: told[index]! }, signal));
    await files.write(`${half}/${descriptorOf(template)}`, writeDescriptor(template, describeNew(context, machine, wanted, disks)), signal);
    await files.act(['chmod', '0755', '--', half], signal);
    signal.throwIfAborted();
    made.isPlacing = true;
    await files.renameFolder(half, `${root}/${template}`, AbortSignal.timeout(STEP));
  } catch (error) {
    throw await takenAway(files, made, [], error, signal);
  }
}

/** What it is to be made of, and the folder in which it is made. @throws ArgoError NOT SUPPORTED, WRONG STATE; SettingsFault */
async function prepare(context: TemplatesContext, vm: Vm, wanted: NewTemplate, signal: AbortSignal) {
  const { folder, sweeper } = context;
  await requireOff(context, vm, signal);
  const machine = await describe(context, vm, signal);
  requireCommon(machine);
  await checkSettings(context, wanted, signal);
  const root = await folder.makeRoot(signal);
  await folder.requireFree(wanted.template, signal);
  await sweeper.sweep(root, signal);
  const planned = await planDisks(context, machine, wanted.template, signal);
  signal.throwIfAborted();
  return { machine, root, planned };
}

/** Its disks would be those of a moment in the midst of something otherwise. @throws ArgoError WRONG STATE */
async function requireOff({ connection }: TemplatesContext, vm: Vm, signal: AbortSignal): Promise<void> {
  const state = await connection.use('reads', signal, (client) => readState(client, vm, signal));
  if (state !== 'off') throw new ArgoError('WRONG STATE', `it is ${state}, and must be off`);
}

/** @throws ArgoError NOT SUPPORTED where it starts by what no template has */
function requireCommon({ lacks }: MachineDescription): void {
  if (lacks !== undefined) throw new ArgoError('NOT SUPPORTED', `${lacks}; a machine made from a template starts from its first disk by a BIOS`);
}

async function checkSettings(context: TemplatesContext, { vcpus, memory }: NewTemplate, signal: AbortSignal): Promise<void> {
  if (vcpus === undefined && memory === undefined) return;
  const limits = await context.limits(signal);
  const faults = {
    vcpus: vcpus === undefined ? undefined : outside(vcpus, limits.vcpus),
    memory: memory === undefined ? undefined : outside(memory, limits.memory),
  };
  throwFaults(Object.fromEntries(Object.entries(faults).filter((fault): fault is [string, string] => fault[1] !== undefined)));
}

const describeNew = ({ type }: TemplatesContext, machine: MachineDescription, wanted: NewTemplate, disks: readonly WrittenDisk[]) => {
  const vcpus = wanted.vcpus ?? machine.vcpus;
  const memory = wanted.memory ?? machine.memory;
  return {
    type, arch: machine.arch, disks,
    vcpus: { min: 1, normal: vcpus, max: undefined },
    memory: { min: memory, normal: memory, max: undefined },
    bridges: machine.interfaces.map((one) => (one.type === 'bridge' ? one.bridge : '')),
  };
};

interface Copying {
  readonly disk: TemplatingDisk;
  readonly source: DescribedSource;
  /** into which it goes */
  readonly folder: string;
  readonly told: (part: number) => void;
}

async function copyDisk(
  { files }: TemplatesContext,
  { disk: { file, path, capacity }, source: { format }, folder, told }: Copying,
  signal: AbortSignal,
): Promise<WrittenDisk> {
  const to = `${folder}/${file}`;
  const made: DiskFormat = format === 'folder' ? 'tar' : 'qcow2';
  if (made === 'tar') await packRoot(files, { root: path, archive: to, capacity }, signal);
  else await convertImage(files, { from: path, format, to, compressed: true }, told, signal);
  const size = BigInt((await files.readAsRoot(['stat', '-c', '%s', '--', to], signal)).trim());
  return { file, format: made, capacity, size };
}
