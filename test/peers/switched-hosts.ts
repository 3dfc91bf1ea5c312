import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import type { WmiDouble } from './wmi/index.js';

/** Programs that a test with these needs; for `lacksRoot` of test/support/peers.ts. */
export const SWITCHED_PROGRAMS = ['ip', 'ping', 'openssl'];

/** For benchmarks of networks (RFC 2544): nobody routes it, so it meets no network of the machine. */
const NETWORK = '198.19';
const PREFIX = 'argow';
/** How often it is looked whether a host has gone down, ms. */
const LOOK_EVERY_MS = 20;
const FLAG_REBOOT = 2;

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
/** Whether echo requests to an address are dropped, in the machine's own firewall. */
const firewall = (what: '-I' | '-D', address: string): void => {
  execFileSync('iptables', ['-w', what, 'INPUT', '-d', address, '-p', 'icmp', '--icmp-type', 'echo-request', '-j', 'DROP']);
};

/**
 * Doubles of hosts that leave the network when they are told to go down, and come back on a magic
 * packet. Their addresses are at one end of a cable, whose other end leads nowhere: who asks for an
 * address that is not there gets no answer.
 */
export class SwitchedHosts {
  readonly #device = `${PREFIX}${process.pid}`;
  readonly #subnet = `${NETWORK}.${process.pid % 256}`;
  readonly #hosts = new Map<string, { readonly double: WmiDouble; readonly address: string; isThere: boolean }>();
  readonly #socket: Socket = createSocket('udp4');
  readonly #mute = new Set<string>();
  readonly #remove = (): void => {
    for (const address of this.#mute) firewall('-D', address);
    ip('link', 'del', this.#device);
  };

  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  /** @throws Error where interfaces can't be made (not root, not Linux) */
  static async start(): Promise<SwitchedHosts> {
    const hosts = new SwitchedHosts();
    removeForgotten();
    ip('link', 'add', hosts.#device, 'type', 'veth', 'peer', 'name', `${hosts.#device}p`);
    process.once('exit', hosts.#remove);
    ip('addr', 'add', `${hosts.#subnet}.1/24`, 'dev', hosts.#device);
    for (const end of [`${hosts.#device}p`, hosts.#device]) ip('link', 'set', end, 'up');
    await new Promise<void>((resolve) => { hosts.#socket.bind(0, '127.0.0.1', resolve); });
    hosts.#socket.on('message', (packet) => { void hosts.#wake(packet); });
    hosts.#timer = setInterval(() => hosts.#look(), LOOK_EVERY_MS);
    return hosts;
  }

  /** Where magic packets go: a UDP port of 127.0.0.1. */
  get wolPort(): number {
    return this.#socket.address().port;
  }

  /** An address for a host, which is on from now on. */
  take(): string {
    this.#count += 1;
    const address = `${this.#subnet}.${10 + this.#count}`;
    ip('addr', 'add', `${address}/32`, 'dev', this.#device);
    return address;
  }

  /** From now on it drops pings, as a firewall on it may, and answers on its ports. Needs iptables as well. */
  dropPings(address: string): void {
    firewall('-I', address);
    this.#mute.add(address);
  }

  /** It leaves the network. */
  pull(address: string): void {
    ip('addr', 'del', `${address}/32`, 'dev', this.#device);
  }

  /** @param mac as in `52:54:00:aa:00:11` */
  watch(mac: string, address: string, double: WmiDouble): void {
    this.#hosts.set(mac.replaceAll(':', ''), { double, address, isThere: true });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.close();
    process.removeListener('exit', this.#remove);
    this.#remove();
  }

  /** Those that go down for good leave the network. */
  #look(): void {
    for (const host of this.#hosts.values()) {
      const order = host.double.world.windows.orders.at(-1) ?? 0;
      if (!host.isThere || host.double.isUp || (order & FLAG_REBOOT) !== 0) continue;
      host.isThere = false;
      ip('addr', 'del', `${host.address}/32`, 'dev', this.#device);
    }
  }

  async #wake(packet: Buffer): Promise<void> {
    const host = this.#hosts.get(packet.toString('hex', 6, 12));
    if (!host || host.isThere) return;
    host.isThere = true;
    ip('addr', 'add', `${host.address}/32`, 'dev', this.#device);
    await host.double.wake();
  }
}

/** Interfaces of runs that crashed. */
function removeForgotten(): void {
  for (const [, name = '', pid] of ip('-o', 'link').matchAll(new RegExp(`^\\d+: (${PREFIX}(\\d+))[:@]`, 'gm'))) {
    try {
      process.kill(Number(pid), 0);
    } catch {
      ip('link', 'del', name);
    }
  }
}
