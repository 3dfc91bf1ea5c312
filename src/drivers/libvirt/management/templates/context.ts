import type { Limits } from '../../../management/machine.js';
import type { ManagementContext } from '../context.js';
import type { TemplateFolder } from './folder.js';
import type { HostFiles } from './host-files.js';
import type { Sweeper } from './sweep.js';

/** What making machines from templates, and templates from machines, needs of one libvirt and its host. */
export interface TemplatesContext extends ManagementContext {
  readonly type: 'vm' | 'container';
  readonly files: HostFiles;
  readonly folder: TemplateFolder;
  readonly sweeper: Sweeper;
  /** what machines on this host may have */
  readonly limits: (signal: AbortSignal) => Promise<Limits>;
}

/** All paths that machines have, as they are and as they will be started next. */
export async function usedPaths({ uses }: ManagementContext, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const all = await uses.read(signal, true);
  return new Set(all.flatMap(({ paths }) => [...paths]));
}
