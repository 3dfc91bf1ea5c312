import { decodeName } from '../../protocols/vim/names.js';
import type { Properties } from '../../protocols/vim/properties.js';
import { at, flagOf, listOf, textOf } from '../../protocols/vim/value.js';
import type { Item } from './inventory.js';

/** What the inventory knows of a host (HostSystem). */

export const isHost = ({ ref }: Item): boolean => ref.type === 'HostSystem';

export const hostName = (item: Item): string => decodeName(textOf(item.properties.get('name')) ?? item.ref.value);

/** What its board says; makers do not always give each board another one. */
export const hostUuid = (item: Item): string | undefined => textOf(item.properties.get('hardware.systemInfo.uuid'));

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
