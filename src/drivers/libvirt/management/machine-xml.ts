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
  readonly disk: { readonly file: string } | { readonly device: string };
  /** path of the disc in its drive */
  readonly iso: string;
  /** a network of libvirt's; undefined: it has none */
  readonly network: string | undefined;
  readonly needs: SystemNeeds;
  readonly apic: boolean;
  readonly acpi: boolean;
}

/** The type of machine that all of them are: PCI Express, as hosts have it today. */
export const MACHINE_TYPE = 'q35';

const KIB = 1024n;
/** Milliseconds for which a person at the screen may choose what it boots from. */
const BOOT_MENU_MS = 3000;

/**
 * The description of a machine that installs itself (https://libvirt.org/formatdomain.html). It boots from its disk, and as
 * long as there is nothing on that, from the disc: so that it does not install itself anew when it restarts. Its screen can be
 * reached on its host only, where the consoles of this server find it.
 */
export function installXml(parts: MachineParts): string {
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

function devices({ disk, iso, network, needs }: MachineParts): (XmlNode | undefined)[] {
  const isVirtio = needs.bus === 'virtio';
  const file = 'file' in disk;
  return [
    element('disk', { type: file ? 'file' : 'block', device: 'disk' }, [
      element('driver', { name: 'qemu', type: file ? 'qcow2' : 'raw', discard: 'unmap' }),
      file ? element('source', { file: disk.file }) : element('source', { dev: disk.device }),
      element('target', { dev: isVirtio ? 'vda' : 'sda', bus: needs.bus }),
      element('boot', { order: '1' }),
    ]),
    element('disk', { type: 'file', device: 'cdrom' }, [
      element('driver', { name: 'qemu', type: 'raw' }),
      element('source', { file: iso }),
      element('target', { dev: isVirtio ? 'sda' : 'sdb', bus: 'sata' }),
      element('readonly'),
      element('boot', { order: '2' }),
    ]),
    network === undefined ? undefined : element('interface', { type: 'network' }, [element('source', { network }), element('model', { type: needs.card })]),
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
