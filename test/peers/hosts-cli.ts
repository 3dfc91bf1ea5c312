/** The clients ping and wol, and a driver of hosts, as a process, so that they can be run inside a network of its own. */
import { CannotTell } from '../../src/protocols/ping/outcome.js';
import { Pinger, type PingOptions } from '../../src/protocols/ping/pinger.js';
import { destinations, type WakeRoute } from '../../src/protocols/wol/destinations.js';
import { parseSecureOn } from '../../src/protocols/wol/mac.js';
import { magicPacket } from '../../src/protocols/wol/magic-packet.js';
import { sendPackets } from '../../src/protocols/wol/wake.js';
import { openLinux } from '../drivers/linux/open-driver.js';

const DEADLINE_MS = 50_000;

export interface PingRequest {
  readonly hosts: readonly string[];
  readonly options?: Omit<PingOptions, 'signal'>;
}

/** The results by host; of a host of which nothing can be told, kind and message. */
export interface PingReport {
  readonly results: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

export interface WakeRequest {
  readonly mac: string;
  readonly password?: string;
  readonly route: WakeRoute;
  readonly hosts?: readonly string[];
  readonly packets?: number;
}

async function ping({ hosts, options }: PingRequest): Promise<PingReport> {
  const notes: string[] = [];
  const pinger = new Pinger({ note: (message) => notes.push(message) });
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const entries = await Promise.all(hosts.map(async (host) => {
    try {
      return [host, await pinger.ping(host, { ...options, signal })] as const;
    } catch (error) {
      if (!(error instanceof CannotTell)) throw error;
      return [host, { kind: error.kind, message: error.message }] as const;
    }
  }));
  pinger.close();
  return { results: Object.fromEntries(entries), notes };
}

function wake({ mac, password, route, hosts = [], packets = 1 }: WakeRequest) {
  const packet = magicPacket({ mac, ...(password !== undefined && { password: parseSecureOn(password) }) });
  return sendPackets(packet, destinations(route, hosts), { signal: AbortSignal.timeout(DEADLINE_MS), packets });
}

/** The states of a provider's hosts; and then starts them. */
export interface StartRequest {
  readonly keys: Readonly<Record<string, unknown>>;
}

async function start({ keys }: StartRequest): Promise<Record<string, string>> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const { driver } = openLinux(keys);
  const hosts = (await driver.list(signal)).map(({ machine }) => machine);
  const states = await Promise.all(hosts.map(async (host) => [host.name, await host.status(signal)] as const));
  for (const host of hosts) await host.start!(signal);
  await driver.close(signal);
  return Object.fromEntries(states);
}

const [, , command, request = ''] = process.argv;
const COMMANDS: Readonly<Record<string, (given: never) => Promise<unknown>>> = { ping, wake, start };
const result = await COMMANDS[command ?? '']!(JSON.parse(request) as never);
process.stdout.write(JSON.stringify(result));
