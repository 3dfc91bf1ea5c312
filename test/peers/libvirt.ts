import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/until.js';
import { Enclosure, makeFolders, must, run, type Outcome } from './enclosure.js';
import { guestImages, type GuestImages } from './guest-images.js';
import { containerXml, domXml, NETWORK, networkXml, tinyXml } from './libvirt-guests.js';
import { NETWORK_FOLDERS, ownEtc } from './own-etc.js';
import { accountFiles, startSshd, type SshdOptions, type SshdPeer } from './sshd.js';

export type { Outcome } from './enclosure.js';
export type { SshdPeer } from './sshd.js';
export { writeTestDriverFile } from './libvirt-guests.js';

/** How long libvirtd may take until it answers, ms; its first start asks every emulator what it can do. */
const START_TIMEOUT_MS = 60_000;
/** How long a guest may take to boot by default, ms; generous, since two cores emulate it. */
const BOOT_TIMEOUT_MS = 90_000;
const END_TIMEOUT_MS = 30_000;
const READY = 'argo-guest: ready';

/** Programs that a test with this peer needs; for `lacksRoot` of test/support/peers.ts. */
export const LIBVIRT_PROGRAMS = [
  'libvirtd', 'virtlogd', 'virsh', 'qemu-system-x86_64', 'qemu-img', 'dnsmasq', 'iptables', 'busybox', 'cpio', 'lz4',
  'as', 'ld', 'unshare', 'nsenter', 'ip', 'sshd', 'ssh-keygen',
];

const LIBVIRTD_CONF = `
unix_sock_group = "libvirt"
unix_sock_rw_perms = "0770"
auth_unix_ro = "none"
auth_unix_rw = "none"
`;

/** Two libvirtds of one machine are two hosts to each other, so that guests can move between them. */
const hostUuid = (): string => `host_uuid = "${randomUUID()}"\n`;

/** Everything runs as root inside the enclosure; that is its fence, no further one is wanted. */
const QEMU_CONF = `
user = "root"
group = "root"
security_driver = "none"
namespaces = []
`;

/**
 * Nested machines often have one that does not work, which libvirt finds out only when it starts a guest. Here it is a file
 * that nobody may write to, which is what libvirt looks at.
 */
const KVM = '/dev/kvm';

/** Folders of the scratch folder, and what of libvirt's they stand for. */
const FOLDERS: Readonly<Record<string, string>> = {
  run: '/run', etc: '/etc/libvirt', lib: '/var/lib/libvirt', log: '/var/log/libvirt',
};

/**
 * A real libvirtd with real guests (emulated, without KVM) and containers, in an enclosure: no
 * systemd, no D-Bus, nothing of the machine's own libvirt is touched. It has libvirt's defaults:
 * 5 requests at a time on a connection. Its network has DHCP and no way out.
 */
export class LibvirtPeer {
  /** libvirtd's socket, as it is seen from outside the enclosure */
  readonly socket: string;
  #libvirtd: ChildProcess | undefined;
  #command: readonly string[] = ['libvirtd'];
  #sshds: SshdPeer[] = [];
  readonly #enclosure: Enclosure;
  readonly #images: GuestImages;

  private constructor(enclosure: Enclosure, images: GuestImages) {
    this.#enclosure = enclosure;
    this.#images = images;
    this.socket = this.#scratch('run', 'libvirt', 'libvirt-sock');
  }

  /** Use {@link startLibvirt}. */
  static async start(etc: Readonly<Record<string, string>> = {}): Promise<LibvirtPeer> {
    const images = await guestImages();
    const enclosure = await Enclosure.start((scratch) => {
      makeFolders(scratch, ...Object.keys(FOLDERS), 'run/libvirt', 'run/lock', 'run/sshd', 'etc/qemu/networks', 'serial', 'disks', 'rootfs');
      writeFileSync(join(scratch, 'etc', 'libvirtd.conf'), LIBVIRTD_CONF + hostUuid());
      writeFileSync(join(scratch, 'etc', 'qemu.conf'), QEMU_CONF);
      writeFileSync(join(scratch, 'no-kvm'), '');
      const binds = Object.entries(FOLDERS).map(([name, target]) => [join(scratch, name), target]);
      return { ...Object.fromEntries(binds) as Record<string, string>, [images.capabilities]: '/var/cache/libvirt', ...(existsSync(KVM) ? { [join(scratch, 'no-kvm')]: KVM } : {}), ...accountFiles(scratch), ...ownEtc(join(scratch, 'host-etc'), [...NETWORK_FOLDERS, 'ssh/ssh_config.d', 'sudoers.d'], etc) };
    });
    const peer = new LibvirtPeer(enclosure, images);
    try {
      if (existsSync(KVM)) await peer.inside('mount', '-o', 'remount,bind,ro', KVM);
      const virtlogd = enclosure.daemon(['virtlogd'], peer.#scratch('virtlogd.log'));
      await until(() => {
        if (virtlogd.exitCode !== null) throw new Error(`virtlogd ended: ${readFileSync(peer.#scratch('virtlogd.log'), 'utf8')}`);
        return existsSync(peer.#scratch('run', 'libvirt', 'virtlogd-sock'));
      }, START_TIMEOUT_MS, 'virtlogd');
      await peer.restart();
      await peer.#define('network', NETWORK, networkXml());
      await peer.#mustVirsh('net-start', NETWORK);
    } catch (error) {
      await peer.stop();
      throw error;
    }
    return peer;
  }

  #scratch(...parts: readonly string[]): string {
    return join(this.#enclosure.scratch, ...parts);
  }

  #serialLog(name: string): string {
    return this.#scratch('serial', `${name}.log`);
  }

  /** The URI under which virsh reaches a driver of this libvirtd from outside, such as `qemu`. */
  uri(driver: 'qemu' | 'lxc' | 'test'): string {
    return `${driver}+unix:///${driver === 'test' ? 'default' : 'system'}?socket=${this.socket}`;
  }

  /** Runs a virsh command against the QEMU driver, or against another when it begins with `-c URI`. */
  virsh(...args: readonly string[]): Promise<Outcome> {
    const connection = args[0] === '-c' ? [] : ['-c', this.uri('qemu')];
    return run('virsh', ['-q', ...connection, ...args]);
  }

  async #mustVirsh(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.virsh(...args);
    if (code !== 0) throw new Error(`virsh ${args.join(' ')} failed: ${stderr || stdout}`);
    return stdout;
  }

  async #define(kind: 'domain' | 'network', name: string, xml: string, driver: 'qemu' | 'lxc' = 'qemu'): Promise<void> {
    const file = this.#scratch(`${kind}-${name}.xml`);
    writeFileSync(file, xml);
    await this.#mustVirsh('-c', this.uri(driver), kind === 'network' ? 'net-define' : 'define', file);
  }

  /** Defines, without starting it, a guest of one boot sector that obeys the ACPI power button. */
  defineTiny(name: string): Promise<void> {
    return this.#define('domain', name, tinyXml(name, this.#images.tiny, this.#serialLog(name)));
  }

  /** As {@link defineTiny}, with a change to its description. */
  defineChanged(name: string, change: (xml: string) => string): Promise<void> {
    return this.#define('domain', name, change(tinyXml(name, this.#images.tiny, this.#serialLog(name))));
  }

  /** As {@link defineChanged}, of many by one virsh. */
  async defineMany(names: readonly string[], change: (xml: string) => string): Promise<void> {
    const files = names.map((name) => this.#scratch(`domain-${name}.xml`));
    names.forEach((name, index) => writeFileSync(files[index]!, change(tinyXml(name, this.#images.tiny, this.#serialLog(name)))));
    await this.#mustVirsh(files.map((file) => `define ${file}`).join('; '));
  }

  /** A file of the peer's own, seen inside and outside under the same path. */
  file(name: string): string {
    return this.#scratch(name);
  }

  /** Stops or continues the emulator of a guest, as a hung one is stopped. */
  async signalEmulator(guest: string, name: 'STOP' | 'CONT'): Promise<void> {
    const { code } = await this.inside('sh', '-c', `kill -${name} "$(cat /run/libvirt/qemu/${guest}.pid)"`);
    if (code !== 0) throw new Error(`no emulator of ${guest}`);
  }

  /** As {@link defineTiny}, of a guest that ignores the power button. */
  defineDeaf(name: string): Promise<void> {
    return this.#define('domain', name, tinyXml(name, this.#images.deaf, this.#serialLog(name)));
  }

  /**
   * Defines a Linux guest with virtio network (DHCP), disk (qcow2, 64 MiB, `vda`) and balloon.
   * @param change of its description
   */
  async defineDom(name: string, change: (xml: string) => string = (xml) => xml): Promise<void> {
    const disk = this.#scratch('disks', `${name}.qcow2`);
    await must('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '64M']);
    const { kernel, initrd } = this.#images;
    await this.#define('domain', name, change(domXml(name, { kernel, initrd, disk, serialLog: this.#serialLog(name) })));
  }

  /** Defines a container of libvirt-lxc; its init ends at SIGTERM (shutdown by signal). */
  async defineContainer(name: string): Promise<void> {
    const rootfs = this.#scratch('rootfs', name);
    cpSync(this.#images.rootfs, rootfs, { recursive: true, verbatimSymlinks: true });
    await this.#define('domain', name, containerXml(name, rootfs), 'lxc');
  }

  /** How often a guest has said that it is ready since it was last switched on: once a boot. */
  boots(name: string): number {
    const log = this.#serialLog(name);
    return existsSync(log) ? readFileSync(log, 'latin1').split(READY).length - 1 : 0;
  }

  /**
   * Waits until a guest listens to the power button.
   * @param times how many boots since it was switched on: 2 waits for the end of its first reboot
   */
  guestReady(name: string, withinMs = BOOT_TIMEOUT_MS, times = 1): Promise<void> {
    return until(() => this.boots(name) >= times, withinMs, `guest ${name} to be ready`);
  }

  /** Makes a bridge of which libvirt knows nothing, 192.168.198.1 on it, with a DHCP server that is not libvirt's. */
  async startBridge(name: string): Promise<void> {
    const script = 'ip link add "$1" type bridge && ip address add 192.168.198.1/24 dev "$1" && ip link set "$1" up';
    const { code, stderr } = await this.inside('sh', '-c', script, 'sh', name);
    if (code !== 0) throw new Error(`the bridge ${name}: ${stderr}`);
    this.#enclosure.daemon([
      'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--leasefile-ro', '--pid-file=',
      `--interface=${name}`, '--bind-interfaces', '--except-interface=lo', '--dhcp-range=192.168.198.10,192.168.198.250',
    ], this.#scratch(`dnsmasq-${name}.log`));
  }

  /** Joins its network with that of another one. @returns the addresses of both */
  async cableTo(other: LibvirtPeer): Promise<{ readonly here: string; readonly there: string }> {
    await this.#enclosure.cableTo(other.#enclosure, 'cable', 'cable');
    const addresses = { here: '192.168.197.1', there: '192.168.197.2' };
    for (const [peer, address] of [[this, addresses.here], [other, addresses.there]] as const) {
      const { code, stderr } = await peer.inside('sh', '-c', 'ip address add "$1/24" dev cable && ip link set cable up', 'sh', address);
      if (code !== 0) throw new Error(`the cable: ${stderr}`);
    }
    return addresses;
  }

  /** A cable between its network and this machine's, with an interface at each end. */
  cable(outer: string, inner: string): Promise<void> {
    return this.#enclosure.cable(outer, inner);
  }

  /**
   * Makes a storage pool of a folder of its own, which is seen under its path inside the enclosure, and outside where
   * it is no tmpfs.
   * @param tmpfs options of mount(8) for a tmpfs that it is, such as `size=1m`
   * @returns the folder
   */
  async startPool(name: string, tmpfs?: string): Promise<string> {
    const folder = this.#scratch('pools', name);
    makeFolders(this.#enclosure.scratch, join('pools', name));
    if (tmpfs !== undefined) {
      const { code, stderr } = await this.inside('mount', '-t', 'tmpfs', '-o', tmpfs, 'tmpfs', folder);
      if (code !== 0) throw new Error(`the tmpfs of ${name}: ${stderr}`);
    }
    await this.#mustVirsh('pool-define-as', name, 'dir', '--target', folder);
    await this.#mustVirsh('pool-start', name);
    return folder;
  }

  /** Runs a program inside the enclosure, such as `tcpdump` or `ip`. */
  inside(...args: readonly string[]): Promise<Outcome> {
    return this.#enclosure.run(...args);
  }

  /**
   * Starts a real sshd whose user may use libvirt's socket, at its usual place for him,
   * and virt-ssh-helper. Every call makes new host keys: on the port of one that was stopped, it is a
   * host whose key has changed.
   */
  async startSshd(options: SshdOptions = {}): Promise<SshdPeer> {
    const sshd = await startSshd(this.#enclosure, options);
    this.#sshds.push(sshd);
    return sshd;
  }

  /** Sends libvirtd a signal: STOP makes it fall silent with its connections open, CONT wakes it. */
  async signal(name: 'STOP' | 'CONT' | 'HUP' | 'TERM' | 'KILL'): Promise<void> {
    await this.#enclosure.run('sh', '-c', `kill -${name} "$(cat /run/libvirtd.pid)"`);
  }

  /** Kills libvirtd as kill -9 does. Guests, containers and the network stay. */
  async kill(): Promise<void> {
    await this.signal('KILL');
    if (this.#libvirtd !== undefined) await this.#enclosure.ended(this.#libvirtd);
  }

  /** Starts libvirtd anew, listening to the network too. @param lines of its libvirtd.conf that say how */
  async listen(lines: readonly string[]): Promise<void> {
    appendFileSync(this.#scratch('etc', 'libvirtd.conf'), lines.map((line) => `${line}\n`).join(''));
    this.#command = ['libvirtd', '--listen'];
    await this.kill();
    await this.restart();
  }

  /** Starts libvirtd, after {@link kill}; resolves when it answers. */
  async restart(): Promise<void> {
    const daemon = this.#enclosure.daemon(this.#command, this.#scratch('libvirtd.log'));
    this.#libvirtd = daemon;
    const answers = async (): Promise<boolean> => {
      if (daemon.exitCode !== null) throw new Error(`libvirtd ended: ${readFileSync(this.#scratch('libvirtd.log'), 'utf8')}`);
      return existsSync(this.socket) && (await this.virsh('list', '--name')).code === 0;
    };
    await until(answers, START_TIMEOUT_MS, 'libvirtd');
  }

  /** Ends guests, containers, daemons and the network, and removes every file. */
  async stop(): Promise<void> {
    await this.#enclosure.stop();
    await until(() => this.#sshds.every((sshd) => sshd.ended()), END_TIMEOUT_MS, 'the end of sshd');
  }
}

/**
 * Starts libvirtd in an enclosure of its own. Needs root and {@link LIBVIRT_PROGRAMS}; takes a second or two, the first on a machine half a minute.
 * @param etc files below /etc that are the host's own: of its network's tools, `ssh/ssh_config.d`, `sudoers.d`
 */
export const startLibvirt = (etc?: Readonly<Record<string, string>>): Promise<LibvirtPeer> => LibvirtPeer.start(etc);
