import { ArgoError } from '../../../../kit/errors.js';
import { beforeSending } from '../../../../kit/within.js';
import type { WorkCall } from '../../../management/contract.js';
import type { Template, Templates } from '../../../management/storage.js';
import { machineClaim } from '../claims.js';
import { requireFreeName } from '../look-at-host.js';
import { halfMadeName, requireFileName, requireMachineName } from '../names.js';
import { usedPaths, type TemplatesContext } from './context.js';
import { deployContainer } from './deploy-container.js';
import { deployVm } from './deploy-vm.js';
import type { Descriptor } from './descriptor.js';
import type { Found } from './folder.js';
import { readTemplateDisk } from './images.js';
import { describeTemplate } from './settings.js';

/** Templates on a libvirt's host: of virtual machines or of containers, as the provider has them. */
export function createTemplates(context: TemplatesContext): Templates {
  return {
    list: (_, { signal }) => list(context, signal),
    describe: ({ template }, { signal }) => describe(context, template, signal),
    deploy: (args, call) => deploy(context, args, call),
    delete: ({ template }, call) => remove(context, template, call),
  };
}

async function list({ folder, type }: TemplatesContext, signal: AbortSignal): Promise<{ name: string; type: 'vm' | 'container' }[]> {
  const all = await folder.list(signal);
  return all.filter(({ descriptor }) => descriptor.type === type).map(({ found }) => ({ name: found.name, type }));
}

/** Disks in an archive are looked at when they are unpacked; till then they are what the descriptor says. */
async function describe(context: TemplatesContext, template: string, signal: AbortSignal): Promise<Template> {
  const { found, descriptor } = await open(context, template, signal);
  const { disks, ...rest } = describeTemplate(found.name, descriptor, await context.limits(signal));
  if (found.kind === 'archive' || descriptor.type === 'container') return { ...rest, disks };
  const images = await Promise.all(descriptor.disks.map((disk) => readTemplateDisk(context.files, found.path, disk, signal)));
  return { ...rest, disks: disks.map((disk, index) => ({ ...disk, capacity: images[index]!.capacity })) };
}

async function open({ folder, type }: TemplatesContext, template: string, signal: AbortSignal): Promise<{ found: Found; descriptor: Descriptor }> {
  requireFileName(template);
  const found = await folder.find(template, signal);
  const descriptor = await folder.descriptor(found, signal);
  if (descriptor.type !== type) throw new ArgoError('FAILED', `${template} is a template of ${NAMES[descriptor.type]}, and this provider has ${NAMES[type]}`);
  await folder.check(found, descriptor, signal);
  return { found, descriptor };
}

const NAMES = { vm: 'virtual machines', container: 'containers' } as const;

async function deploy(context: TemplatesContext, { template, name, settings }: Parameters<Templates['deploy']>[0], call: WorkCall): Promise<void> {
  requireMachineName(name);
  await context.claims.during([machineClaim(name)], async () => {
    const { found, descriptor } = await beforeSending(call.signal, async () => {
      await context.connection.use('reads', call.signal, (client) => requireFreeName(client, name, call.signal));
      return open(context, template, call.signal);
    });
    const make = descriptor.type === 'vm' ? deployVm : deployContainer;
    await make(context, { found, descriptor, name, settings }, call);
  });
  context.host.relist();
}

/** It is no template any longer before it is taken away file by file. */
async function remove(context: TemplatesContext, template: string, { signal, task }: WorkCall): Promise<void> {
  const { folder, files } = context;
  requireFileName(template);
  const { path } = await folder.find(template, signal);
  await requireUnused(context, path, signal);
  const gone = halfMadeName(path, task);
  await files.renameFolder(path, gone, signal);
  await files.remove([gone], signal);
}

/** Disks of our making stand for themselves, others need not. @throws ArgoError WRONG STATE */
async function requireUnused(context: TemplatesContext, path: string, signal: AbortSignal): Promise<void> {
  const isIn = (one: string | undefined): boolean => one === path || one?.startsWith(`${path}/`) === true;
  const used = [...await usedPaths(context, signal)].find(isIn);
  if (used !== undefined) throw new ArgoError('WRONG STATE', `a machine has ${used}`);
  if (context.type === 'container') return;
  const made = (await context.pools.readAll(signal)).find(({ backing }) => isIn(backing));
  if (made !== undefined) throw new ArgoError('WRONG STATE', `${made.path} is made on it`);
}
