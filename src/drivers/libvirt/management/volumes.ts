import type { HostCommands } from '../../management/host-commands.js';
import { readLogicalVolumes, readVolumeGroups } from '../../management/lvm.js';
import type { Volumes } from '../../management/storage.js';
import type { DomainUses } from './uses.js';

/** LVM of a libvirt's host, with the machines that have its volumes as disks, now or at their next start. */
export const volumesOf = (commands: HostCommands, uses: DomainUses): Volumes => ({
  groups: (_, { signal }) => readVolumeGroups(commands, signal),
  list: async (_, { signal }) => {
    // one that is free may be given away
    const domains = await uses.read(signal, true);
    const usersOf = (paths: readonly string[]): string[] =>
      domains
        .filter(({ sources }) => paths.some((path) => sources.has(path)))
        .map(({ name }) => name)
        .sort();
    return readLogicalVolumes(commands, usersOf, signal);
  },
});
