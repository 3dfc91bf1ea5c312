import type { MachineAbilities, ProviderAbilities } from '../../management/contract.js';
import type { VmContext } from '../context.js';
import { Claims } from './claims.js';
import type { ManagementContext } from './context.js';
import { HalfMade } from './half-made.js';
import { createHardware } from './hardware.js';
import { createImages } from './images.js';
import { createMachines } from './machines.js';
import { ImagePools } from './pools.js';
import { createRemoval } from './removal.js';

/** What this libvirt's storage and descriptions of machines are managed by. */
export function createManagement(parts: Pick<ManagementContext, 'connection' | 'host' | 'hypervisor' | 'options' | 'uses' | 'roots' | 'logicalVolumes'>): ManagementContext {
  const pools = new ImagePools(parts.connection, parts.options);
  return { ...parts, pools, halfMade: new HalfMade(pools, parts.host), claims: new Claims() };
}

export function storageAbilities(context: ManagementContext): ProviderAbilities {
  const { hasImages, installs } = context.hypervisor;
  return { ...(hasImages ? { images: createImages(context) } : {}), ...(installs ? { machines: createMachines(context) } : {}) };
}

export const descriptionAbilities = (vm: VmContext, context: ManagementContext): MachineAbilities =>
  ({ hardware: createHardware(vm), removal: createRemoval(vm, context) });
