import { ArgoError } from '../../kit/errors.js';
import type { Properties } from '../../protocols/vim/properties.js';
import { at, decodeName, flagOf, listOf, textOf, type Ref, type VimValue } from '../../protocols/vim/value.js';

/** The objects of a server's inventory, and what is held of them. */

/** What tells one virtual machine from another, besides its reference. */
export const VM_UUID = 'config.instanceUuid';
/** Templates are not shown. */
export const IS_TEMPLATE = 'config.template';
/** What tells one host from another. */
export const HOST_UUID = 'hardware.systemInfo.uuid';

/** What is held of each machine; the rest is asked for when somebody wants it. */
export const PATHS = {
  VirtualMachine: [
    'name', IS_TEMPLATE, VM_UUID, 'config.managedBy', 'config.changeVersion', 'runtime.powerState', 'runtime.connectionState',
    'runtime.host', 'runtime.bootTime', 'runtime.question', 'guest.guestState', 'guest.hostName', 'guest.ipAddress',
  ],
  HostSystem: [
    'name', HOST_UUID, 'runtime.powerState', 'runtime.connectionState', 'runtime.inMaintenanceMode', 'runtime.bootTime',
    'config.network.pnic', 'config.network.vnic',
  ],
} as const;

/** With vApps. Not their summary's fields: it is declared to be a plain resource pool's. */
export const PATHS_WITH_VAPPS = { ...PATHS, VirtualApp: ['name', 'parentVApp', 'summary'] } as const;

const isSame = (one: VimValue, other: VimValue): boolean =>
  one === other || (typeof one === 'object' && typeof other === 'object' && JSON.stringify(one) === JSON.stringify(other));

/** One object of the inventory, kept current. */
export class Item {
  readonly properties = new Map<string, VimValue>();
  /** how often its guest came up again, as far as it was seen */
  boots = 0;
  /** when anything was last taken on (performance.now) */
  touched = 0;

  constructor(readonly ref: Ref) {}

  /** Takes on all that there is of it: what is absent is no longer set. @returns the paths that differ now */
  replace(now: Properties): Set<string> {
    const unset = [...this.properties.keys()].filter((path) => !now.has(path)).map((path) => [path, null] as const);
    return this.apply(new Map([...now, ...unset]));
  }

  /** Takes on what is new. @returns the paths that differ now */
  apply(changes: Properties): Set<string> {
    const different = new Set<string>();
    this.touched = performance.now();
    for (const [path, value] of changes) {
      const before = this.properties.get(path);
      if (before !== undefined && isSame(before, value)) continue;
      if (path === 'guest.guestState' && value === 'running' && before !== undefined && before !== null) this.boots += 1;
      this.properties.set(path, value);
      different.add(path);
    }
    return different;
  }
}

/** What an object is known by: the server's name for it, and what it tells of it. */
interface Told {
  readonly ref: Ref;
  readonly properties: Properties;
}

/** Names are not unique, and references are reused after a restore from backup: both together are. */
export const vmId = ({ ref, properties }: Told): string => `${ref.value}:${textOf(properties.get(VM_UUID)) ?? 'unknown'}`;

export const vAppId = ({ ref, properties }: Told): string => `${ref.value}:${textOf(at(properties.get('summary'), 'instanceUuid')) ?? 'vapp'}`;

/** @throws ArgoError where an object is not, or no longer, the machine that people were shown */
export function refuseAnother(found: string | undefined, shown: string | undefined): void {
  if (found !== shown) throw new ArgoError('NO SUCH INSTANCE', 'another machine has taken its place');
}

export const isHost = ({ ref }: Item): boolean => ref.type === 'HostSystem';

/** As people gave it. */
export const objectName = (item: Item): string => decodeName(textOf(item.properties.get('name')) ?? item.ref.value);

/** What its board says; makers do not always give each board another one. */
export const hostUuid = ({ properties }: Pick<Told, 'properties'>): string | undefined => textOf(properties.get(HOST_UUID));

export const isConnectedHost = (properties: Properties): boolean =>
  properties.get('runtime.connectionState') === 'connected' && properties.get('runtime.powerState') === 'poweredOn';

/** MAC addresses of its network cards (PhysicalNic). */
export const macsOf = (item: Item): string[] =>
  listOf(item.properties.get('config.network.pnic')).map((nic) => textOf(at(nic, 'mac'))).filter((mac) => mac !== undefined);

/** Addresses of its own ports, such as the management network's (HostVirtualNic). */
export const ipsOf = (item: Item): string[] =>
  listOf(item.properties.get('config.network.vnic')).map((port) => textOf(at(port, 'spec', 'ip', 'ipAddress'))).filter((address) => address !== undefined);

/** The card to wake it by: the one whose address a port of the host itself has taken over, as the management network's does; else one that can. */
export function wakingMac(item: Item): string | undefined {
  const cards = listOf(item.properties.get('config.network.pnic'));
  const ports = new Set(listOf(item.properties.get('config.network.vnic')).map((port) => textOf(at(port, 'spec', 'mac'))?.toLowerCase()));
  const card = cards.find((nic) => ports.has(textOf(at(nic, 'mac'))?.toLowerCase())) ?? cards.find((nic) => flagOf(at(nic, 'wakeOnLanSupported'))) ?? cards[0];
  return textOf(at(card, 'mac'));
}
