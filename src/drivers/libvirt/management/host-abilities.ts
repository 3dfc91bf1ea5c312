import type { ProviderAbilities } from '../../management/contract.js';
import type { HostCommands } from '../../management/host-commands.js';
import { HostStatistics } from '../../management/host-statistics.js';
import type { LibvirtConnection } from '../connection.js';
import type { Hypervisor } from '../context.js';
import { GuestStatistics } from './statistics.js';
import type { DomainUses } from './uses.js';
import { volumesOf } from './volumes.js';

/** What can be told of a libvirt's host. */
export const hostAbilities = (commands: HostCommands, connection: LibvirtConnection, hypervisor: Hypervisor, uses: DomainUses): Pick<ProviderAbilities, 'volumes' | 'statistics'> => ({
  volumes: volumesOf(commands, uses),
  statistics: { host: new HostStatistics(commands).host, guests: new GuestStatistics(connection, hypervisor.type === 'container').guests },
});
