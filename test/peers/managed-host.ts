import { must } from './enclosure.js';
import { freeSubnet } from './free-subnet.js';
import { networkBy, routesBy } from './host-state.js';
import { startLibvirt, type LibvirtPeer, type SshdPeer } from './libvirt.js';

/**
 * A libvirt's host in a network of its own, which this machine manages over a cable: by a real sshd in there, to which the host
 * has a route of its own for its answers. It has a second card with its default way, at whose end there is nobody, and a third.
 */

/** For benchmarks of networks (RFC 2544), beside those of test/peers/hosts.ts: nobody routes it. */
const NETWORK = '198.19';

/** What sets the cards up that the cable is not in: `lan0` with an address and the default way, `lan1` with nothing. */
const CARDS = `set -e
for n in 0 1; do ip link add lan$n type veth peer name far$n; ip link set far$n up; done
ip address add 10.99.2.2/24 broadcast + dev lan0
ip link set lan0 up
ip route add default via 10.99.2.1 dev lan0`;

let started = 0;

export class ManagedHost {
  private constructor(
    readonly peer: LibvirtPeer,
    readonly sshd: SshdPeer,
    /** the network of the route by which the host answers us, and its line in `ip route` */
    readonly way: { readonly network: string; readonly gateway: string; readonly line: string },
    /** the interface of this machine at its end of the cable */
    readonly cable: string,
  ) {}

  /** Needs what libvirt's peer needs. @param etc as of {@link startLibvirt} */
  static async start(etc: Readonly<Record<string, string>> = {}): Promise<ManagedHost> {
    const peer = await startLibvirt(etc);
    try {
      const subnet = `${NETWORK}.${freeSubnet(NETWORK)}`;
      const cable = `argh${process.pid}x${started += 1}`;
      const [here, host, manager, network] = [`${subnet}.1`, `${subnet}.2`, `${subnet}.129`, `${subnet}.128/25`];
      await peer.cable(cable, 'uplink');
      for (const line of [`address add ${here}/25 dev ${cable}`, `address add ${manager}/32 dev ${cable}`, `link set ${cable} up`, `route add ${host}/32 dev ${cable} src ${manager}`]) {
        await must('ip', line.split(' '));
      }
      const inside = `${CARDS}\nip address add ${host}/25 dev uplink\nip link set uplink up\nip route add ${network} via ${here} dev uplink`;
      const { code, stderr } = await peer.inside('sh', '-c', inside);
      if (code !== 0) throw new Error(`the host's network could not be made: ${stderr}`);
      const sshd = await peer.startSshd({ address: host });
      return new ManagedHost(peer, sshd, { network, gateway: here, line: `${network} via ${here} dev uplink` }, cable);
    } catch (error) {
      await peer.stop();
      throw error;
    }
  }

  /** The connection URI of its libvirt. */
  uri(user: string, driver: 'qemu' | 'lxc' = 'qemu'): string {
    return `${driver}+ssh://${user}@${this.sshd.host}/system`;
  }

  /** `ip` on the host. @throws Error where it fails */
  async ip(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.peer.inside('ip', ...args);
    if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  routes(): Promise<string[]> {
    return routesBy((...args) => this.ip(...args));
  }

  /** All of its network that a change may concern, to be compared. */
  network(): Promise<string> {
    return networkBy((...args) => this.ip(...args));
  }

  /** Lets no new connection to its sshd in; those that there are go on. @returns the way of letting them in again */
  async admitNobodyNew(): Promise<() => Promise<void>> {
    const rule = ['INPUT', '-p', 'tcp', '--syn', '--dport', '22', '-j', 'DROP'];
    const set = async (how: '-I' | '-D'): Promise<void> => {
      const { code, stderr } = await this.peer.inside('iptables', how, ...rule);
      if (code !== 0) throw new Error(`iptables: ${stderr}`);
    };
    await set('-I');
    return () => set('-D');
  }

  stop(): Promise<void> {
    return this.peer.stop();
  }
}
