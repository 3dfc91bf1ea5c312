import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { XmlFlag } from '../../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../../protocols/libvirt/errors.js';
import type { Domain } from '../../../protocols/libvirt/types.js';
import type { HostCommands } from '../../management/host-commands.js';
import { readLogicalVolumes, readVolumeGroups } from '../../management/lvm.js';
import type { Volumes } from '../../management/storage.js';
import type { LibvirtConnection } from '../connection.js';
import { parseDomainXml } from '../domain-xml.js';

/** LVM of a libvirt's host, with the machines that have its volumes as disks. */
export const volumesOf = (commands: HostCommands, connection: LibvirtConnection): Volumes => ({
  groups: (_, { signal }) => readVolumeGroups(commands, signal),
  list: async (_, { signal }) => {
    const users = await connection.use('reads', signal, (client) => readUsers(client, signal));
    return readLogicalVolumes(commands, (paths) => [...new Set(paths.flatMap((path) => users.get(path) ?? []))].sort(), signal);
  },
});

/** Names of the machines that have a disk from a path on the host, now or at their next start. */
async function readUsers(client: LibvirtClient, signal: AbortSignal): Promise<Map<string, string[]>> {
  const users = new Map<string, string[]>();
  const domains = await client.domains(0, signal);
  await Promise.all(domains.map(async (domain) => {
    for (const source of await sourcesOf(client, domain, signal)) users.set(source, [...users.get(source) ?? [], domain.name]);
  }));
  return users;
}

async function sourcesOf(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<Set<string>> {
  try {
    const descriptions = [await client.xml(domain, signal), await client.xml(domain, signal, XmlFlag.INACTIVE)];
    return new Set(descriptions.flatMap((xml) => parseDomainXml(xml).disks.map(({ source }) => source)).filter((source) => source !== undefined));
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_DOMAIN) return new Set();
    throw error;
  }
}
