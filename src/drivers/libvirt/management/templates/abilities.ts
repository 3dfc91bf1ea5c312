import type { MachineAbilities, ProviderAbilities } from '../../../management/contract.js';
import type { VmContext } from '../../context.js';
import type { ManagementContext } from '../context.js';
import { hostLimits } from '../host-limits.js';
import type { TemplatesContext } from './context.js';
import { TemplateFolder } from './folder.js';
import type { HostFiles } from './host-files.js';
import { Sweeper } from './sweep.js';
import { createTemplates } from './templates.js';
import { createTemplating } from './templating.js';

/** Folders on a provider's host. */
export interface TemplateOptions {
  readonly 'template-folder': string;
  readonly 'container-folder': string;
}

/** @returns undefined for a hypervisor on which no machines are made from templates */
export function createTemplatesContext(management: ManagementContext, files: HostFiles, options: TemplateOptions): TemplatesContext | undefined {
  const { connection, hypervisor } = management;
  if (!hypervisor.hasTemplates) return undefined;
  return {
    ...management, files,
    type: hypervisor.type === 'container' ? 'container' : 'vm',
    folder: new TemplateFolder(options['template-folder'], files),
    sweeper: new Sweeper(files),
    limits: (signal) => connection.use('reads', signal, (client) => hostLimits(client, signal)),
  };
}

export const templateAbilities = (context: TemplatesContext | undefined): ProviderAbilities => (context ? { templates: createTemplates(context) } : {});

export const templatingAbilities = (vm: VmContext, context: TemplatesContext | undefined): MachineAbilities =>
  context ? { templating: createTemplating(context, vm) } : {};
