import { present } from '../../kit/present.js';
import type { Disk } from '../driver.js';
import { reachable } from '../screen.js';
import { child, children, createReader, text, type Element } from './xml.js';

/** What the description of a domain (https://libvirt.org/formatdomain.html) says of its devices. */

export interface Nic {
  readonly mac?: string;
  /** name of its other end on the host (vnet0); only while the domain runs */
  readonly device?: string;
}

/** Where a running domain shows its screen by RFB. */
export type Screen = { readonly password: string | undefined } & (
  | { readonly socket: string }
  | { readonly host: string; readonly port: number }
);

export interface DomainDescription {
  readonly title?: string;
  readonly nics: readonly Nic[];
  /** whether the agent in the guest is there and listens */
  readonly hasAgent: boolean;
  /** undefined where it has none, or does not run */
  readonly screen?: Screen;
  /** without their sizes, which the description does not hold */
  readonly disks: readonly Disk[];
}

/** The channel to the agent, by the name that all guests know it by. */
const AGENT_CHANNEL = 'org.qemu.guest_agent.0';

const read = createReader(['domain.devices.interface', 'domain.devices.disk', 'domain.devices.filesystem', 'domain.devices.channel', 'domain.devices.graphics', 'domain.devices.graphics.listen']);

/** @throws Error when it is not XML */
export function parseDomainXml(xml: string): DomainDescription {
  const domain = child(read(xml), 'domain');
  const devices = child(domain, 'devices');
  const disks = children(devices, 'disk').map(toDisk).filter((disk) => disk !== undefined);
  return present<DomainDescription>({
    title: text(domain, 'title'),
    nics: children(devices, 'interface').map((nic) => present<Nic>({
      mac: text(child(nic, 'mac'), '@address'),
      device: text(child(nic, 'target'), '@dev'),
    })),
    hasAgent: children(devices, 'channel').map((channel) => child(channel, 'target'))
      .some((target) => text(target, '@name') === AGENT_CHANNEL && text(target, '@state') === 'connected'),
    screen: children(devices, 'graphics').filter((one) => text(one, '@type') === 'vnc').map(toScreen).find((one) => one !== undefined),
    disks: [...disks, ...children(devices, 'filesystem').map(toFilesystem)],
  });
}

/** Where several ways lead to it, a socket goes before a port. */
function toScreen(graphics: Element): Screen | undefined {
  const listens = children(graphics, 'listen');
  const password = text(graphics, '@passwd');
  const socket = text(graphics, '@socket') ?? listens.map((one) => text(one, '@socket')).find((one) => one !== undefined);
  if (socket !== undefined) return { socket, password };
  const port = Number(text(graphics, '@port') ?? -1);
  const host = text(graphics, '@listen') ?? listens.map((one) => text(one, '@address')).find((one) => one !== undefined) ?? '127.0.0.1';
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? { host: reachable(host), port, password } : undefined;
}

/** A disk; not a CD or floppy drive, nor one without a name in the guest. */
function toDisk(element: Element): Disk | undefined {
  const device = text(element, '@device') ?? 'disk';
  const target = text(child(element, 'target'), '@dev');
  if (target === undefined || (device !== 'disk' && device !== 'lun')) return undefined;
  const source = child(element, 'source');
  return present<Disk>({
    target,
    type: text(element, '@type') ?? 'unknown',
    format: text(child(element, 'driver'), '@type'),
    size: undefined,
    source: text(source, '@file') ?? text(source, '@dev') ?? text(source, '@name') ?? text(source, '@volume'),
  });
}

/** A container has no disks: it has folders of the host, mounted at a path. */
function toFilesystem(element: Element): Disk {
  const source = child(element, 'source');
  return present<Disk>({
    target: text(child(element, 'target'), '@dir') ?? '/',
    type: text(element, '@type') ?? 'mount',
    format: text(child(element, 'driver'), '@format'),
    size: undefined,
    source: text(source, '@dir') ?? text(source, '@file') ?? text(source, '@dev') ?? text(source, '@name'),
  });
}
