import { isIP } from 'node:net';
import { Places } from '../../kit/places.js';
import { familyOf, type Family } from './address.js';
import { BACKGROUND_CONNECTIONS, DEFAULT_TIMEOUT, LONGEST_TIMEOUT, MOST_RETRIES, MOST_WAITING, NEXT_ADDRESS_AFTER, SEND_INTERVAL } from './limits.js';
import { Names, type Lookup } from './names.js';
import { Neighbours } from './neighbours.js';
import { CannotTell, type PingResult } from './outcome.js';
import { PingProgram } from './program.js';
import { allSilent, firstAlive, type Way } from './race.js';
import { EchoSession } from './session.js';
import { openSocket, type OnPacket, type PacketSocket } from './socket.js';
import { probeTcp } from './tcp.js';

export interface PingOptions {
  readonly signal: AbortSignal;
  /** requests after an unanswered first one: 0 to 3; 3 unless given */
  readonly retries?: number;
  /** milliseconds for the request and its retries together: 5,000 at the most, 4,000 unless given */
  readonly timeout?: number;
  /** where a host is asked by connections besides, when it has not answered a ping at once; an answer is a sign of life */
  readonly tcpPorts?: readonly number[];
  /** one of a sweep over many: single questions go first */
  readonly background?: boolean;
}

export interface PingerParts {
  /** Told once for each right that is lacking: how hosts are asked instead. */
  readonly note?: (message: string) => void;
  /** milliseconds between two packets on the average */
  readonly interval?: number;
  readonly lookup?: Lookup;
  /** the system's `ping` */
  readonly program?: string;
  readonly open?: (family: Family, onPacket: OnPacket, onLost: (error: Error) => void) => Promise<PacketSocket>;
}

/**
 * Finds out whether hosts are up. One of these serves any number of hosts: they share a socket for
 * each address family, which is opened when it is first needed.
 */
export class Pinger {
  readonly #names: Names;
  readonly #program: PingProgram;
  readonly #sessions = new Map<Family, EchoSession>();
  /** why a family's raw socket may not be opened, once that is known */
  readonly #refused = new Map<Family, CannotTell>();
  readonly #noted = new Set<string>();
  /** of sweeps; questions of people come on top */
  readonly #connections = new Places(BACKGROUND_CONNECTIONS, MOST_WAITING);
  readonly #neighbours = new Neighbours();
  #closed = false;
  readonly #parts: PingerParts;

  constructor(parts: PingerParts = {}) {
    this.#parts = parts;
    this.#names = new Names(parts.lookup);
    this.#program = new PingProgram(parts.program);
  }

  /**
   * Whether a host is up. Of a name with several addresses one that answers is enough. It is down only
   * where it is silent in each way in which it can be asked.
   * @param host an address or a name
   * @throws CannotTell where that cannot be found out, or the signal's reason
   */
  async ping(host: string, options: PingOptions): Promise<PingResult> {
    if (this.#closed) throw new CannotTell('not sent', 'the pinger is closed');
    if (isIP(host) !== 0) return this.#ask(host, options);
    const addresses = await this.resolve(host, options.signal);
    const ways = addresses.map((address): Way => (signal) => this.#ask(address, { ...options, signal }));
    return firstAlive(ways, NEXT_ADDRESS_AFTER, options.signal);
  }

  /** The addresses of a host, in the order of the system's resolver. @throws CannotTell, or the signal's reason */
  resolve(host: string, signal: AbortSignal): Promise<readonly string[]> {
    return this.#names.resolve(host, signal);
  }

  /** Rejects what is under way. */
  close(): void {
    this.#closed = true;
    for (const session of this.#sessions.values()) session.close();
  }

  /** At one address. The ports are asked only where a ping is not answered at once, so that a sweep costs no connections. */
  async #ask(address: string, options: PingOptions): Promise<PingResult> {
    const { tcpPorts = [], signal } = options;
    if (tcpPorts.length === 0) return this.#echo(address, options);
    const ways: Way[] = [(rest) => this.#echo(address, { ...options, signal: rest })];
    for (const port of tcpPorts) ways.push((rest) => this.#connect(address, port, { ...options, signal: rest }));
    try {
      return await firstAlive(ways, NEXT_ADDRESS_AFTER, signal, allSilent);
    } catch (error) {
      // Whoever is in a network of ours cannot filter the question who has its address; what refuses for nobody is a firewall of ours.
      const isDoubtful = error instanceof CannotTell && (error.kind === 'silent' || error.kind === 'ambiguous');
      if (isDoubtful && await this.#neighbours.holderOf(address) === 'nobody') {
        return { alive: false, isTold: true, reason: 'nobody in our network has its address' };
      }
      throw error;
    }
  }

  async #connect(address: string, port: number, { signal, timeout, background = false }: PingOptions): Promise<PingResult> {
    const release = background ? await this.#connections.take(signal) : undefined;
    try {
      const result = await probeTcp(address, port, { signal, timeout: limitTimeout(timeout) });
      if (!result.alive) return result;
      if (!result.open) await this.#trustRefusal(address, port);
      return { alive: true, ms: result.ms, address, by: 'tcp' };
    } finally {
      release?.();
    }
  }

  /**
   * A refusal (RST) bears the host's address also where a firewall on the way has made it, for a host that is
   * off as for one that runs: a filter's `reject with tcp reset`. It proves that the host is up only where the
   * frame came from the host's own card: in a network of ours, and not from a router that answers for others.
   * @throws CannotTell `ambiguous`
   */
  async #trustRefusal(address: string, port: number): Promise<void> {
    if (await this.#neighbours.holderOf(address) === 'card') return;
    throw new CannotTell('ambiguous', `port ${port} refuses connections, which a firewall may do in the name of a host that is off`);
  }

  /** By a socket of our own, or by the system's `ping` where we lack the right. */
  async #echo(address: string, options: PingOptions): Promise<PingResult> {
    const retries = Math.min(options.retries ?? MOST_RETRIES, MOST_RETRIES);
    const limits = { signal: options.signal, retries, timeout: limitTimeout(options.timeout) };
    const family = familyOf(address);
    if (!this.#refused.has(family)) {
      try {
        const outcome = await this.#session(family).ask(address, { ...limits, background: options.background ?? false });
        return outcome.alive ? { ...outcome, address, by: 'icmp' } : outcome;
      } catch (error) {
        if (!(error instanceof CannotTell) || error.kind !== 'no right') throw error;
        this.#refused.set(family, error);
      }
    }
    return this.#byProgram(address, family, limits, (options.tcpPorts ?? []).length > 0);
  }

  async #byProgram(
    address: string, family: Family, limits: { signal: AbortSignal; retries: number; timeout: number }, hasTcp: boolean,
  ): Promise<PingResult> {
    const reason = this.#refused.get(family)?.message ?? '';
    try {
      if (this.#program.useless) throw this.#program.useless;
      const result = await this.#program.ask(address, limits);
      this.#note(`${reason}; the system's ping is used instead, which is slow for many hosts`);
      return result;
    } catch (error) {
      if (!(error instanceof CannotTell) || error.kind !== 'no right') throw error;
      this.#note(`${reason}, and the system's ping cannot be used: ${error.message}. `
        + 'Hosts are asked by their service\'s port or tcp-port alone; of others it cannot be told whether they are up');
      throw new CannotTell('no right', hasTcp ? reason : `${reason}, ${error.message}, and there is no tcp-port to ask instead`, { cause: error });
    }
  }

  #session(family: Family): EchoSession {
    const known = this.#sessions.get(family);
    if (known) return known;
    const open = this.#parts.open ?? openSocket;
    const session = new EchoSession(family, (onPacket, onLost) => open(family, onPacket, onLost), this.#parts.interval ?? SEND_INTERVAL);
    this.#sessions.set(family, session);
    return session;
  }

  #note(message: string): void {
    if (this.#noted.has(message)) return;
    this.#noted.add(message);
    this.#parts.note?.(message);
  }
}

const limitTimeout = (timeout = DEFAULT_TIMEOUT): number => Math.min(timeout, LONGEST_TIMEOUT);
