import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Descriptions in libvirt's XML of what tests start. */

/** The isolated network of the `dom` guests. */
export const NETWORK = 'argo-net';
const BRIDGE = 'virbr-argo';

/** Text for an element or an attribute. */
const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** Full emulation: nested machines often have a /dev/kvm that does not work. */
const domain = (name: string, memoryMiB: number, rest: string): string => `<domain type='qemu'>
  <name>${escape(name)}</name>
  <memory unit='MiB'>${memoryMiB}</memory>
  <vcpu>1</vcpu>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
${rest}
</domain>`;

/** A guest of one boot sector; ready about 50 ms after its start. */
export const tinyXml = (name: string, image: string, serialLog: string): string => domain(name, 8, `
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><tcg><tb-cache unit='MiB'>1</tb-cache></tcg></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='${escape(image)}'/><target dev='hda' bus='ide'/><shareable/>
    </disk>
    <serial type='file'><source path='${escape(serialLog)}'/></serial>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>`);

/** A Linux guest with network, disk and balloon; ready about 3 s after its start. */
export const domXml = (name: string, files: { kernel: string; initrd: string; disk: string; serialLog: string }): string => domain(name, 96, `
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${escape(files.kernel)}</kernel>
    <initrd>${escape(files.initrd)}</initrd>
    <cmdline>console=ttyS0 quiet panic=1 nokaslr mitigations=off</cmdline>
  </os>
  <features><acpi/><tcg><tb-cache unit='MiB'>32</tb-cache></tcg></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='${escape(files.disk)}'/><target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'><source network='${NETWORK}'/><model type='virtio'/></interface>
    <serial type='file'><source path='${escape(files.serialLog)}'/></serial>
    <controller type='usb' model='none'/>
    <memballoon model='virtio'/>
  </devices>`);

/** A container of libvirt-lxc. */
export const containerXml = (name: string, rootfs: string): string => `<domain type='lxc'>
  <name>${escape(name)}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type>exe</type><init>/sbin/init</init></os>
  <devices>
    <filesystem type='mount'><source dir='${escape(rootfs)}'/><target dir='/'/></filesystem>
    <console type='pty'/>
  </devices>
</domain>`;

/** Isolated: guests get addresses by DHCP and reach nothing but this machine. */
export const networkXml = (): string => `<network>
  <name>${NETWORK}</name>
  <bridge name='${BRIDGE}' stp='off' delay='0'/>
  <ip address='192.168.199.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.199.10' end='192.168.199.250'/></dhcp>
  </ip>
</network>`;

/**
 * A file for libvirt's test driver with many domains, named d0001 on, all running: listings at scale
 * without guests. Needs no libvirtd of its own: `test://` and this path is its URI.
 * @returns the path; its folder is the caller's to remove
 */
export function writeTestDriverFile(count: number): string {
  const path = join(mkdtempSync(join(tmpdir(), 'argo-test-driver-')), 'node.xml');
  const domains = Array.from({ length: count }, (_, index) => `  <domain type='test'>
    <name>d${String(index + 1).padStart(4, '0')}</name>
    <memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os>
  </domain>`);
  writeFileSync(path, `<node>\n${domains.join('\n')}\n</node>\n`);
  return path;
}
