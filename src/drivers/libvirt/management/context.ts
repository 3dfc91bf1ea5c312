import type { DriverHost } from '../../driver.js';
import type { LogicalVolume } from '../../management/storage.js';
import type { WorkCall } from '../../management/contract.js';
import type { LibvirtConnection } from '../connection.js';
import type { Hypervisor } from '../context.js';
import type { Claims } from './claims.js';
import type { HalfMade } from './half-made.js';
import type { ImagePools, PoolOptions } from './pools.js';
import type { ContainerRoots } from './templates/container-roots.js';
import type { DomainUses } from './uses.js';

/** Which of libvirt's pools and networks the management uses. */
export interface ManagementOptions extends PoolOptions {
  /** undefined: `default` where it is active */
  readonly network?: string | undefined;
}

/** What the abilities of one libvirt share. */
export interface ManagementContext {
  readonly connection: LibvirtConnection;
  readonly host: DriverHost;
  readonly hypervisor: Hypervisor;
  readonly options: ManagementOptions;
  readonly uses: DomainUses;
  readonly pools: ImagePools;
  readonly halfMade: HalfMade;
  readonly claims: Claims;
  /** of containers, on the host */
  readonly roots: ContainerRoots;
  /** the logical volumes of the host */
  readonly logicalVolumes: (call: WorkCall) => Promise<readonly LogicalVolume[]>;
}
