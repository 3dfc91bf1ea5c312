import { element, writeXml, type XmlNode } from '../xml.js';
import type { SystemNeeds } from './os-variants.js';

/** What a new machine is made of. Everything in it has been checked; no text of a caller's is taken for XML. */
export interface MachineParts {
  readonly name: string;
  readonly uuid: string;
  /** `kvm` or `qemu`, whichever the host can run */
  readonly type: string;
  readonly arch: string;
  readonly vcpus: number;
  /** bytes */
  readonly memory: bigint;
  /** images are of the format qcow2 */
  readonly disks: readonly NewDisk[];
  /** path of the disc in its drive; undefined: it has no drive */
  readonly iso: string | undefined;
  readonly nics: readonly Nic[];
  readonly needs: SystemNeeds;
  readonly apic: boolean;
  readonly acpi: boolean;
}

/** A disk: an image, or a device of the host. */
export type NewDisk = { readonly file: string } | { readonly device: string };

/** Where an interface goes: to a network of libvirt's, or to a bridge of the host. */
export type Nic = { readonly network: string } | { readonly bridge: string };

/** The type of machine that all of them are: PCI Express, as hosts have it today. */
export const MACHINE_TYPE = 'q35';

const KIB = 1024n;
/** Milliseconds for which a person at the screen may choose what it boots from. */
const BOOT_MENU_MS = 3000;

/**
 * The description of a machine (https://libvirt.org/formatdomain.html). It boots from its first disk, and as long as there is
 * nothing on that, from the disc, if it has one: so that it does not install itself anew when it restarts. Its screen can be
 * reached on its host only, where the consoles of this server find it.
 */
export function machineXml(parts: MachineParts): string {
  const { name, uuid, type, arch, vcpus, memory, needs, apic, acpi } = parts;
  return writeXml(element('domain', { type }, [
    element('name', {}, name),
    element('uuid', {}, uuid),
    element('memory', { unit: 'KiB' }, String((memory + KIB - 1n) / KIB)),
    element('vcpu', {}, String(vcpus)),
    element('os', {}, [element('type', { arch, machine: MACHINE_TYPE }, 'hvm'), element('bootmenu', { enable: 'yes', timeout: String(BOOT_MENU_MS) })]),
    element('features', {}, [acpi ? element('acpi') : undefined, apic ? element('apic') : undefined]),
    type === 'kvm' ? element('cpu', { mode: 'host-model' }) : undefined,
    element('clock', { offset: needs.isLocalTime ? 'localtime' : 'utc' }),
    element('on_poweroff', {}, 'destroy'),
    element('on_reboot', {}, 'restart'),
    element('on_crash', {}, 'destroy'),
    element('devices', {}, devices(parts)),
  ]));
}

function devices({ disks, iso, nics, needs }: MachineParts): (XmlNode | undefined)[] {
  const isVirtio = needs.bus === 'virtio';
  return [
    ...disks.map((disk, index) => diskOf(disk, index, needs)),
    iso === undefined ? undefined : element('disk', { type: 'file', device: 'cdrom' }, [
      element('driver', { name: 'qemu', type: 'raw' }),
      element('source', { file: iso }),
      element('target', { dev: `sd${letter(isVirtio ? 0 : disks.length)}`, bus: 'sata' }),
      element('readonly'),
      element('boot', { order: '2' }),
    ]),
    ...nics.map((nic) => element('interface', { type: 'network' in nic ? 'network' : 'bridge' }, [element('source', { ...nic }), element('model', { type: needs.card })])),
    element('serial', { type: 'pty' }),
    element('console', { type: 'pty' }),
    element('channel', { type: 'unix' }, [element('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' })]),
    element('controller', { type: 'usb', model: 'qemu-xhci' }),
    // A mouse that is where the pointer of the screen is.
    element('input', { type: 'tablet', bus: 'usb' }),
    element('graphics', { type: 'vnc', port: '-1', autoport: 'yes', listen: '127.0.0.1' }, [element('listen', { type: 'address', address: '127.0.0.1' })]),
    element('video', {}, [element('model', { type: 'vga' })]),
    element('memballoon', { model: 'virtio' }),
    element('rng', { model: 'virtio' }, [element('backend', { model: 'random' }, '/dev/urandom')]),
  ];
}

/** `a` for the first. */
const letter = (index: number): string => String.fromCharCode('a'.charCodeAt(0) + index);

function diskOf(disk: NewDisk, index: number, { bus }: SystemNeeds): XmlNode {
  const file = 'file' in disk;
  return element('disk', { type: file ? 'file' : 'block', device: 'disk' }, [
    element('driver', { name: 'qemu', type: file ? 'qcow2' : 'raw', discard: 'unmap' }),
    file ? element('source', { file: disk.file }) : element('source', { dev: disk.device }),
    element('target', { dev: `${bus === 'virtio' ? 'vd' : 'sd'}${letter(index)}`, bus }),
    index === 0 ? element('boot', { order: '1' }) : undefined,
  ]);
}
