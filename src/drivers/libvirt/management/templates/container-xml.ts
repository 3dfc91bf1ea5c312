import { element, writeXml } from '../../xml.js';
import type { Addressing } from './bridges.js';

/** A container to be defined. */
export interface NewContainer {
  readonly name: string;
  readonly uuid: string;
  readonly arch: string;
  readonly vcpus: number;
  /** bytes */
  readonly memory: bigint;
  /** on the host */
  readonly root: string;
  readonly network?: { readonly bridge: string; readonly address?: Addressing & { readonly address: string } };
}

/** What runs first in every container: the usual place of a system's init. */
const INIT = '/sbin/init';

/**
 * The description of a container of libvirt-lxc (https://libvirt.org/drvlxc.html). It has a network of its own also where
 * it has no interface: libvirt would otherwise let it have the host's.
 */
export function containerXml({ name, uuid, arch, vcpus, memory, root, network }: NewContainer): string {
  return writeXml(element('domain', { type: 'lxc' }, [
    element('name', {}, name),
    element('uuid', {}, uuid),
    element('memory', { unit: 'b' }, String(memory)),
    element('vcpu', {}, String(vcpus)),
    element('os', {}, [element('type', { arch }, 'exe'), element('init', {}, INIT)]),
    element('features', {}, [element('privnet')]),
    element('devices', {}, [
      element('filesystem', { type: 'mount', accessmode: 'passthrough' }, [element('source', { dir: root }), element('target', { dir: '/' })]),
      network && interfaceOf(network),
      element('console', { type: 'pty' }),
    ]),
  ]));
}

function interfaceOf({ bridge, address }: NonNullable<NewContainer['network']>) {
  return element('interface', { type: 'bridge' }, [
    element('source', { bridge }),
    address && element('ip', { family: 'ipv4', address: address.address, prefix: String(address.prefix) }),
    address?.gateway === undefined ? undefined : element('route', { family: 'ipv4', address: '0.0.0.0', prefix: '0', gateway: address.gateway }),
    element('guest', { dev: 'eth0' }),
    address && element('link', { state: 'up' }),
  ]);
}
