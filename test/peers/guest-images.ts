import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromRoot } from '../support/paths.js';
import { must } from './enclosure.js';

/** Downloads from a package mirror, ms. */
const DOWNLOAD_TIMEOUT_MS = 180_000;

/** Modules of Debian's cloud kernel that the `dom` guest needs, each after those it depends on. */
const MODULES = [
  'drivers/acpi/button', 'drivers/input/evdev',
  'drivers/virtio/virtio_ring', 'drivers/virtio/virtio', 'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci_modern_dev', 'drivers/virtio/virtio_pci',
  'net/core/failover', 'drivers/net/net_failover', 'drivers/net/virtio_net',
  'drivers/virtio/virtio_balloon', 'drivers/block/virtio_blk',
];

const SOURCES = ['tiny.s', 'dom-init.sh', 'dom-dhcp.sh', 'container-init.sh'];

const source = (name: string): string => fromRoot('test', 'peers', 'guests', name);

/** Files that guests are started from. Shared by all test files: not to be written to. */
export interface GuestImages {
  /** boot sector that obeys the ACPI power button */
  readonly tiny: string;
  /** boot sector that ignores it */
  readonly deaf: string;
  readonly kernel: string;
  readonly initrd: string;
  /** root folder of a container, to be copied */
  readonly rootfs: string;
  /** libvirt's cache of what each emulator can do; libvirt checks its validity itself */
  readonly capabilities: string;
}

/** The images, built where this machine does not have them yet: they are kept under os.tmpdir(). */
export async function guestImages(): Promise<GuestImages> {
  const hash = createHash('sha256');
  for (const file of [...SOURCES.map(source), fileURLToPath(import.meta.url)]) hash.update(readFileSync(file));
  const folder = join(tmpdir(), `argo-guests-${hash.digest('hex').slice(0, 16)}`);
  if (!existsSync(folder)) {
    const draft = mkdtempSync(join(tmpdir(), 'argo-guests-draft-'));
    try {
      await build(draft);
      chmodSync(draft, 0o755);
      renameSync(draft, folder);
    } catch (error) {
      // Another test run may have been faster; its images are as good.
      if (!existsSync(folder)) throw error;
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }
  const file = (name: string): string => join(folder, name);
  return {
    tiny: file('tiny.img'), deaf: file('deaf.img'), kernel: file('vmlinux'), initrd: file('initrd.gz'),
    rootfs: file('rootfs'), capabilities: file('capabilities'),
  };
}

async function build(folder: string): Promise<void> {
  await bootSector(folder, 'tiny', 0);
  await bootSector(folder, 'deaf', 1);
  const kernelPackage = await unpackKernel(folder);
  await vmlinux(kernelPackage, join(folder, 'vmlinux'));
  await initrd(folder, kernelPackage);
  rmSync(kernelPackage, { recursive: true });
  rootfs(join(folder, 'rootfs'));
  mkdirSync(join(folder, 'capabilities'));
}

async function bootSector(folder: string, name: string, deaf: 0 | 1): Promise<void> {
  const object = join(folder, `${name}.o`);
  await must('as', ['--32', '--defsym', `DEAF=${deaf}`, '-o', object, source('tiny.s')]);
  await must('ld', ['-m', 'elf_i386', '-Ttext=0x7c00', '--oformat=binary', '-o', join(folder, `${name}.img`), object]);
  rmSync(object);
}

/** Downloads Debian's cloud kernel and unpacks it without installing it. @returns the folder */
async function unpackKernel(folder: string): Promise<string> {
  const find = (text: string): string | undefined => /Depends: (linux-image-\S+)/.exec(text)?.[1];
  const depends = (): Promise<string> => must('apt-cache', ['depends', 'linux-image-cloud-amd64']);
  const name = find(await depends());
  if (name === undefined) throw new Error('apt knows no linux-image-cloud-amd64');
  await must('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', name], DOWNLOAD_TIMEOUT_MS, folder);
  const archive = readdirSync(folder).find((file) => file.endsWith('.deb'));
  if (archive === undefined) throw new Error(`apt-get download ${name} brought no file`);
  const unpacked = join(folder, 'kernel');
  await must('dpkg-deb', ['-x', join(folder, archive), unpacked]);
  rmSync(join(folder, archive));
  return unpacked;
}

/**
 * Takes the ELF kernel out of a bzImage (Linux, Documentation/arch/x86/boot.rst: setup_sects at
 * 0x1f1, payload_offset at 0x248, payload_length at 0x24c). QEMU boots it directly through its PVH
 * entry, which saves the guest from unpacking itself under emulation.
 */
async function vmlinux(kernelPackage: string, target: string): Promise<void> {
  const boot = join(kernelPackage, 'boot');
  const image = readFileSync(join(boot, readdirSync(boot).find((file) => file.startsWith('vmlinuz')) ?? 'vmlinuz'));
  const start = (image.readUInt8(0x1f1) + 1) * 512 + image.readUInt32LE(0x248);
  // The last four bytes tell the unpacked size and are no part of the LZ4 stream.
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
  const packed = `${target}.lz4`;
  writeFileSync(packed, payload);
  await must('lz4', ['-d', '-q', packed, target]);
  rmSync(packed);
}

async function initrd(folder: string, kernelPackage: string): Promise<void> {
  const root = join(folder, 'initramfs');
  for (const name of ['bin', 'modules', 'proc', 'sys', 'dev', 'sbin']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin', 'busybox'));
  symlinkSync('busybox', join(root, 'bin', 'sh'));
  copyFileSync(source('dom-init.sh'), join(root, 'init'));
  copyFileSync(source('dom-dhcp.sh'), join(root, 'dhcp'));
  chmodSync(join(root, 'init'), 0o755);
  chmodSync(join(root, 'dhcp'), 0o755);
  const versions = join(kernelPackage, 'lib', 'modules');
  const modules = join(versions, readdirSync(versions)[0] ?? '', 'kernel');
  for (const module of MODULES) copyFileSync(join(modules, `${module}.ko`), join(root, 'modules', `${basename(module)}.ko`));
  writeFileSync(join(root, 'modules', 'order'), MODULES.map((module) => `${basename(module)}\n`).join(''));
  await must('sh', ['-c', 'find . | cpio -o -H newc --quiet | gzip -1 > ../initrd.gz'], 60_000, root);
  rmSync(root, { recursive: true });
}

function rootfs(root: string): void {
  for (const name of ['bin', 'sbin', 'proc', 'sys', 'dev', 'tmp', 'run', 'etc']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin', 'busybox'));
  for (const name of ['sh', 'sleep', 'cat', 'ls']) symlinkSync('busybox', join(root, 'bin', name));
  const init = join(root, 'sbin', 'init');
  mkdirSync(dirname(init), { recursive: true });
  copyFileSync(source('container-init.sh'), init);
  chmodSync(init, 0o755);
}
