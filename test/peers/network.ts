import { join } from 'node:path';
import { fromRoot } from '../support/paths.js';
import { Enclosure, makeFolders, type Outcome } from './enclosure.js';

/**
 * A network of its own: the enclosure is the machine that asks, `h` another one at the other end of
 * two cables. Every address behaves in another way.
 */
export const NETWORK_PROGRAMS = ['ip', 'iptables', 'nsenter', 'unshare', 'sysctl'] as const;

export const ADDRESSES = {
  alive: '10.77.0.2', alive6: 'fd77::2',
  /** drops every ICMP packet; its TCP ports refuse */
  drops: '10.77.1.3',
  /** so does this, whose card is the router's */
  shares: '10.77.0.3',
  /** off, behind a router that drops ICMP packets and refuses connections in its name, as in the name of one in our network that nobody has */
  forged: '10.77.5.5', forgedHere: '10.77.1.99',
  /** its firewall refuses echo requests, in its own name */
  rejects: '10.77.0.4',
  /** our own firewall lets nothing out to it */
  forbidden: '10.77.0.5',
  /** loses three of four packets, the fourth arrives */
  lossy: '10.77.0.6',
  /** drops all */
  silent: '10.77.0.7',
  /** as firewalld: what is not allowed is prohibited, pings too; or those are dropped */
  walled: '10.77.0.8', halfWalled: '10.77.0.9',
  /** nobody has these */
  nobody: '10.77.0.99', nobody6: 'fd77::99',
  /** a router says: unreachable, time to live exceeded, prohibited */
  unreachable: '10.77.9.5', unreachable6: 'fd77:9::5', tooFar: '10.77.8.5', prohibited: '10.77.7.5',
  /** our own system has no way to it */
  noRoute: '10.77.6.5',
} as const;

/** Our interfaces, with their networks' broadcast addresses. */
export const CABLES = { first: { name: 'c0', broadcast: '10.77.0.255' }, second: { name: 'c1', broadcast: '10.77.1.255' } } as const;

/**
 * Without duplicate address detection: until it has ended, the kernel sends nothing from an address,
 * also from those that it gives to the interfaces by itself.
 */
const SETUP = `set -e
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
ip netns add h
ip netns exec h sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
for n in 0 1; do
  ip link add c$n type veth peer name h$n netns h
  ip addr add 10.77.$n.1/24 broadcast 10.77.$n.255 dev c$n
  ip link set c$n up
  ip -n h link set h$n up
done
ip addr add fd77::1/64 dev c0 nodad
ip -n h link set lo up
for last in 2 3 4 5 6 7 8 9; do ip -n h addr add 10.77.0.$last/24 dev h0; done
for last in 2 3; do ip -n h addr add 10.77.1.$last/24 dev h1; done
ip -n h addr add fd77::2/64 dev h0 nodad
ip route add default via 10.77.0.2
ip -6 route add default via fd77::2
ip route add unreachable 10.77.6.0/24
ip netns exec h sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n h route add unreachable 10.77.9.0/24
ip -n h -6 route add unreachable fd77:9::/64
ip -n h route add 10.77.8.0/24 via 10.77.0.1
ip -n h route add prohibit 10.77.7.0/24
ip netns exec h iptables -t mangle -A PREROUTING -d 10.77.8.0/24 -j TTL --ttl-set 1
for address in 10.77.0.3 10.77.1.3; do ip netns exec h iptables -A INPUT -p icmp -d $address -j DROP; done
ip -n h route add 10.77.5.0/24 via 10.77.1.1
ip netns exec h iptables -A FORWARD -p icmp -d 10.77.5.0/24 -j DROP
ip netns exec h iptables -A FORWARD -p tcp -d 10.77.5.0/24 -j REJECT --reject-with tcp-reset
iptables -A OUTPUT -p tcp -d 10.77.1.99 -j REJECT --reject-with tcp-reset
ip netns exec h iptables -A INPUT -p icmp -d 10.77.0.4 -j REJECT
ip netns exec h iptables -A INPUT -p icmp -d 10.77.0.6 -m statistic --mode nth --every 4 --packet 3 -j ACCEPT
ip netns exec h iptables -A INPUT -p icmp -d 10.77.0.6 -j DROP
ip netns exec h iptables -A INPUT -d 10.77.0.7 -j DROP
ip netns exec h iptables -A INPUT -d 10.77.0.8 -j REJECT --reject-with icmp-host-prohibited
ip netns exec h iptables -A INPUT -p icmp -d 10.77.0.9 -j DROP
ip netns exec h iptables -A INPUT -d 10.77.0.9 -j REJECT --reject-with icmp-host-prohibited
iptables -A OUTPUT -p icmp -d 10.77.0.5 -j DROP`;

export class Network {
  private constructor(readonly enclosure: Enclosure) {}

  static async start(): Promise<Network> {
    const enclosure = await Enclosure.start((scratch) => {
      makeFolders(scratch, 'run');
      return { [join(scratch, 'run')]: '/run' };
    });
    const { code, stderr } = await enclosure.run('sh', '-c', SETUP);
    if (code === 0) return new Network(enclosure);
    await enclosure.stop();
    throw new Error(`the network could not be made: ${stderr}`);
  }

  /** Runs a program at our end. */
  run(...args: readonly string[]): Promise<Outcome> {
    return this.enclosure.run(...args);
  }

  /** What a command of hosts-cli.ts comes to at our end. @param prefix a program that it is run by */
  async ask<T>(command: string, request: unknown, prefix: readonly string[] = []): Promise<T> {
    const cli = fromRoot('dist', 'test', 'peers', 'hosts-cli.js');
    const { code, stdout, stderr } = await this.run(...prefix, process.execPath, cli, command, JSON.stringify(request));
    if (code !== 0) throw new Error(`hosts-cli ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  stop(): Promise<void> {
    return this.enclosure.stop();
  }
}
