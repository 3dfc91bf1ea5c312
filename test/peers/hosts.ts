import { appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { Enclosure, makeFolders, must, run } from './enclosure.js';
import { freeSubnet } from './free-subnet.js';
import { HOME, hostAccountFiles } from './hosts-accounts.js';

export { ACCOUNTS } from './hosts-accounts.js';

/** How long the standby power and then the hosts may take to be up, ms: two busy cores. */
const START_TIMEOUT_MS = 60_000;
/** How long the standby power may take to carry an order out, ms. */
const ORDER_TIMEOUT_MS = 60_000;
/** Where everything is inside the enclosure. */
const FOLDER = '/run/peers';
const SCRIPTS = ['standby.py', 'init.sh', 'power.sh', 'shell-fault.sh'];
const POWER_WORDS = ['shutdown', 'reboot', 'poweroff', 'halt'];
/** For benchmarks of networks (RFC 2544): nobody routes it, so it meets no network of the machine. */
const NETWORK = '198.18';
const FIRST_ADDRESS = 11;

/** Programs that a test with this peer needs; for `lacksRoot` of test/support/peers.ts. */
export const HOSTS_PROGRAMS = ['sshd', 'ssh-keygen', 'sudo', 'python3', 'perl', 'unshare', 'nsenter', 'ip', 'ping', 'ps'];

export interface HostPeer {
  readonly name: string;
  readonly address: string;
  readonly mac: string;
  /** of its key at the start, as ssh-keygen prints it */
  readonly fingerprint: string;
}

export interface HostsOptions {
  readonly count: number;
  /** further lines of their sshd_config */
  readonly sshd?: readonly string[];
  /** hosts that have the first one's MAC too, by their number from 0; they are off at first, since two on one switch disturb each other */
  readonly sameMac?: readonly number[];
}

/** What may be done to a host by its mains, or happen to it. */
export type HostOrder = 'on' | 'off' | 'reboot' | 'pull' | 'crash' | 'stop' | 'continue' | 'mute' | 'unmute';

let started = 0;

/**
 * Linux hosts in network namespaces on a switch, each with its own sshd and sudo. They really leave
 * the network when they are told to shut down, and come back on a magic packet with another boot id.
 * All of them hang on this process, as the enclosure does.
 */
export class HostsPeer {
  #orders = 0;
  readonly #enclosure: Enclosure;

  private constructor(
    enclosure: Enclosure,
    readonly hosts: readonly HostPeer[],
    /** for magic packets */
    readonly broadcast: string,
    /** the machine's interface on the switch */
    readonly device: string,
  ) {
    this.#enclosure = enclosure;
  }

  /** @throws Error where namespaces can't be made (not root, not Linux) */
  static async start({ count, sshd = [], sameMac = [] }: HostsOptions): Promise<HostsPeer> {
    const subnet = `${NETWORK}.${freeSubnet(NETWORK)}`;
    const enclosure = await Enclosure.start((scratch) => prepare(scratch, subnet, count));
    try {
      const device = `argo${process.pid}x${started += 1}`;
      await enclosure.cable(device, 'uplink');
      await must('ip', ['addr', 'add', `${subnet}.1/24`, 'dev', device]);
      await must('ip', ['link', 'set', device, 'up']);
      const hosts: HostPeer[] = [];
      for (let i = 0; i < count; i += 1) hosts.push(await equip(enclosure.scratch, subnet, i, { macNumber: sameMac.includes(i) ? 0 : i, sshd }));
      writeFileSync(inside(enclosure, 'table'), hosts.map(({ name, address, mac }) => `${name} ${address}/24 ${mac} p-${name}\n`).join(''));
      writeFileSync(inside(enclosure, 'known_hosts'), hosts.map((host) => knownHost(enclosure.scratch, host)).join(''));
      const wired = await enclosure.run('sh', '-ec', WIRING, 'sh', join(FOLDER, 'table'));
      if (wired.code !== 0) throw new Error(`the hosts could not be wired: ${wired.stderr}`);
      const peer = new HostsPeer(enclosure, hosts, `${subnet}.255`, device);
      enclosure.daemon(['python3', join(FOLDER, 'standby.py'), FOLDER], peer.#eventsFile);
      await until(() => peer.#events().includes('ready'), START_TIMEOUT_MS, 'the standby power').catch((error: unknown) => {
        throw new Error(readFileSync(peer.#eventsFile, 'utf8'), { cause: error });
      });
      const atOnce = hosts.filter((_, i) => !sameMac.includes(i));
      await Promise.all(atOnce.map(({ name }) => peer.order('on', name)));
      await until(() => atOnce.every(({ name }) => peer.isReady(name)), START_TIMEOUT_MS, 'the hosts to boot');
      return peer;
    } catch (error) {
      await enclosure.stop();
      throw error;
    }
  }

  get privateKeyFile(): string {
    return inside(this.#enclosure, 'user_key');
  }

  /** holds the hosts' keys under their addresses */
  get knownHostsFile(): string {
    return inside(this.#enclosure, 'known_hosts');
  }

  /** The home of all accounts on all hosts, which it lets them write to. */
  openHome(): string {
    const home = join(this.#enclosure.scratch, HOME);
    chmodSync(home, 0o777);
    return home;
  }

  /** A host's folder; inside it is FOLDER/NAME. */
  folderOf(name: string): string {
    return inside(this.#enclosure, name);
  }

  host(name: string): HostPeer {
    const found = this.hosts.find((host) => host.name === name);
    if (!found) throw new Error(`no host ${name}`);
    return found;
  }

  /** Where the machine itself is, as the hosts see it. */
  get address(): string {
    return this.broadcast.replace(/\d+$/, '1');
  }

  /** Runs a script on a host. @returns what it says */
  async script(name: string, text: string): Promise<string> {
    const { code, stdout, stderr } = await this.#enclosure.run('ip', 'netns', 'exec', name, 'sh', '-c', text);
    if (code !== 0) throw new Error(`${stdout}${stderr}`);
    return stdout;
  }

  /** The file with a host's public key, as its own scripts see it. */
  hostKeyFile(name: string): string {
    return `${FOLDER}/${name}/host_key.pub`;
  }

  /** Whether it has power. */
  isOn(name: string): boolean {
    return this.#events().findLast((line) => [`on ${name}`, `off ${name}`].includes(line)) === `on ${name}`;
  }

  /** Whether its sshd has come up since it got power last. */
  isReady(name: string): boolean {
    const log = inside(this.#enclosure, name, 'log');
    const boots = this.#boots(name);
    return boots > 0 && existsSync(log) && linesOf(readFileSync(log, 'utf8'), 'Server listening on ') === boots;
  }

  /** The calls of shutdown, reboot and poweroff on it, with their arguments. */
  ordersTo(name: string): string[] {
    const file = inside(this.#enclosure, name, 'orders');
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  }

  /** The ethertypes of the frames with magic packets that woke it, in hexadecimal: 0800 (UDP), 0842. */
  wokenBy(name: string): string[] {
    return this.#events().filter((line) => line.startsWith(`magic ${name} `)).map((line) => line.split(' ')[2] ?? '');
  }

  /** Resolves when it has been carried out: of `on`, when the host has begun to boot. */
  async order(order: HostOrder, name: string): Promise<void> {
    const number = this.#orders += 1;
    appendFileSync(inside(this.#enclosure, 'power'), `${order} ${name} ${number}\n`);
    await until(() => this.#events().includes(`did ${number}`), ORDER_TIMEOUT_MS, `${order} ${name}`);
  }

  /** Brings a host up again that is off or about to be, to where it was at the start. */
  async bringUp(name: string): Promise<void> {
    await until(() => !this.isOn(name), START_TIMEOUT_MS, `${name} to be off`);
    await this.order('on', name);
    await until(() => this.isReady(name), START_TIMEOUT_MS, `${name} to boot`);
  }

  /**
   * Keeps its sshd from coming up when it boots.
   * @returns lets it come up
   */
  holdSshd(name: string): () => void {
    const file = inside(this.#enclosure, name, 'hold');
    writeFileSync(file, '');
    return () => rmSync(file);
  }

  /** Pulls a host's network cable, or that between the machine and all of them (`uplink`), or puts it in again. */
  async cable(name: string, state: 'up' | 'down'): Promise<void> {
    const { code, stderr } = await this.#enclosure.run('ip', 'link', 'set', name === 'uplink' ? name : `p-${name}`, state);
    if (code !== 0) throw new Error(stderr);
  }

  /** Gives it another host key, which it shows from its next boot on. */
  async changeHostKey(name: string): Promise<void> {
    const key = inside(this.#enclosure, name, 'host_key');
    await must('sh', ['-c', `yes | ssh-keygen -q -t ed25519 -N '' -f '${key}'`]);
    await this.order('reboot', name);
    await until(() => this.isReady(name), START_TIMEOUT_MS, `${name} to boot`);
  }

  /** Whether the machine's own ping gets an answer from it. */
  async pings(name: string): Promise<boolean> {
    return (await run('ping', ['-n', '-c', '1', '-W', '1', this.host(name).address])).code === 0;
  }

  async stop(): Promise<void> {
    await this.#enclosure.stop();
  }

  get #eventsFile(): string {
    return inside(this.#enclosure, 'events');
  }

  #boots(name: string): number {
    return this.#events().filter((line) => line === `on ${name}`).length;
  }

  #events(): string[] {
    return existsSync(this.#eventsFile) ? readFileSync(this.#eventsFile, 'utf8').split('\n') : [];
  }
}

/**
 * The switch, and for each host of the table a namespace with a card in it. No IPv6: its chatter would
 * have the switch send the frames for one of two hosts with the same MAC to the other.
 */
const WIRING = `
ip link add switch type bridge forward_delay 0
ip link set switch up
ip link set uplink master switch up
while read -r name address mac port; do
  ip netns add "$name"
  ip link add "$port" type veth peer name eth0 address "$mac" netns "$name"
  ip link set "$port" master switch up
  ip netns exec "$name" sh -c '[ ! -d /proc/sys/net/ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6'
  ip -n "$name" link set eth0 up
done < "$1"
`;

/** A file of the peers, as it is seen from outside of the enclosure. */
const inside = ({ scratch }: Enclosure, ...parts: string[]): string => join(scratch, FOLDER, ...parts);

const linesOf = (text: string, beginning: string): number => text.split('\n').filter((line) => line.startsWith(beginning)).length;

/** @returns what is bound over what */
function prepare(scratch: string, subnet: string, number: number): Record<string, string> {
  makeFolders(scratch, 'run/sshd', 'sudo', `.${FOLDER}/sbin`, `.${HOME}`);
  const at = (...parts: string[]): string => join(scratch, FOLDER, ...parts);
  for (const script of SCRIPTS) {
    copyFileSync(fromRoot('test', 'peers', 'hosts', script), at(script));
    chmodSync(at(script), 0o755);
  }
  for (const word of POWER_WORDS) symlinkSync('../power.sh', at('sbin', word));
  // Wherever else the words may lead on this machine, they must never reach its own init.
  const real = POWER_WORDS.flatMap((word) => [`/usr/sbin/${word}`, `/sbin/${word}`]).filter((path) => existsSync(path)).map((path) => realpathSync(path));
  const guards = [...new Set(real)].map((path, i) => {
    copyFileSync(at('power.sh'), at(`guard${i}`));
    chmodSync(at(`guard${i}`), 0o755);
    return [at(`guard${i}`), path];
  });
  const names = Array.from({ length: number }, (_, i) => [addressOf(subnet, i), nameOf(i)] as const);
  return {
    [join(scratch, 'run')]: '/run', [join(scratch, 'sudo')]: '/var/lib/sudo',
    ...Object.fromEntries(guards) as Record<string, string>, ...hostAccountFiles(scratch, names),
  };
}

const nameOf = (i: number): string => `h${i + 1}`;
const addressOf = (subnet: string, i: number): string => `${subnet}.${FIRST_ADDRESS + i}`;

/** The files of one host. */
async function equip(scratch: string, subnet: string, i: number, { macNumber, sshd }: { macNumber: number; sshd: readonly string[] }): Promise<HostPeer> {
  const name = nameOf(i);
  const address = addressOf(subnet, i);
  const folder = join(scratch, FOLDER);
  if (i === 0) {
    await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'user', '-f', join(folder, 'user_key')]);
    chmodSync(join(folder, 'user_key.pub'), 0o644);
  }
  mkdirSync(join(folder, name), { mode: 0o755 });
  const key = join(folder, name, 'host_key');
  await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', key]);
  writeFileSync(join(folder, name, 'sshd_config'), [
    `ListenAddress ${address}:22`, `HostKey ${join(FOLDER, name, 'host_key')}`, `AuthorizedKeysFile ${join(FOLDER, 'user_key.pub')} .ssh/authorized_keys`,
    'PidFile none', 'PasswordAuthentication yes', 'KbdInteractiveAuthentication no', 'UsePAM no', 'UseDNS no', 'StrictModes no', 'MaxStartups 100',
    'LogLevel VERBOSE', ...sshd, '',
  ].join('\n'));
  writeFileSync(join(folder, name, 'orders'), '');
  chmodSync(join(folder, name, 'orders'), 0o666);
  const fingerprint = (await must('ssh-keygen', ['-l', '-f', `${key}.pub`])).split(' ')[1] ?? '';
  const mac = `52:54:00:aa:${Math.floor(macNumber / 256).toString(16).padStart(2, '0')}:${(macNumber % 256).toString(16).padStart(2, '0')}`;
  return { name, address, mac, fingerprint };
}

function knownHost(scratch: string, { name, address }: HostPeer): string {
  const [type = '', key = ''] = readFileSync(join(scratch, FOLDER, name, 'host_key.pub'), 'utf8').split(' ');
  return `${address} ${type} ${key}\n`;
}
