import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { networkTest, sourceOf } from '../auth/networks.js';
import type { TlsFiles } from '../config/config.js';
import type { Endpoint, Network } from '../config/values.js';
import { plainAddress } from '../kit/addresses.js';
import { LINGER, REFUSALS_LINGERING } from '../kit/limits.js';
import type { Log } from '../kit/log.js';
import { PacedLog } from '../kit/paced-log.js';
import { Tally } from '../kit/tally.js';
import { formatEndpoint } from '../kit/text.js';
import type { Change } from './change.js';
import { Listener, type ListenerEvents } from './listener.js';
import type { Serve } from './tls-door.js';

/** Where an entrance listens, and whom it admits. */
export interface EntranceSettings {
  readonly listen: readonly Endpoint[];
  /** the same protocol inside TLS; needs `tls` */
  readonly tlsListen: readonly Endpoint[];
  readonly tls: TlsFiles | undefined;
  /** of `listen`, the places where the gateway itself begins TLS */
  readonly gatewayTls?: readonly Endpoint[];
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** networks that connections may come from; undefined: from anywhere */
  readonly from?: readonly Network[] | undefined;
}

/** Why a client is refused: too many are there, or it comes from a network that is not in `from`. */
export type RefusalReason = 'too many' | 'not from there';

/** What an entrance tells the gateway that it belongs to. */
export interface EntranceEvents {
  /**
   * Somebody was admitted; inside TLS hands have been shaken.
   * @param address the peer's, in its plain form: `10.0.0.7`, without `::ffff:`
   * @param beginsTls whether it came where the gateway itself begins TLS
   */
  connected(socket: Socket, address: string, beginsTls: boolean): void;
  /** What somebody who is refused may read before the connection is closed; cut off without a word where there is nothing to say. */
  refusal?(reason: RefusalReason): string | undefined;
}

/** A place to listen at, and how. */
type Place = Pick<Listener, 'endpoint' | 'tls'>;

/** The places to listen at, by what tells them apart: one that is to ask for certificates is another. */
function placesOf({ listen, tlsListen, tls }: EntranceSettings): Map<string, Place> {
  const asks = tls?.clientCa === undefined ? 'tls' : 'tls with client certificates';
  return new Map([
    ...listen.map((endpoint): [string, Place] => [formatEndpoint(endpoint), { endpoint, tls: undefined }]),
    ...tlsListen.map((endpoint): [string, Place] => [`${asks} ${formatEndpoint(endpoint)}`, { endpoint, tls }]),
  ]);
}

/**
 * The listeners of one gateway, and who may come in through them. A connection has its place from its
 * first packet on, those that are still shaking hands for TLS included.
 */
export class Entrance {
  readonly #listeners = new Map<string, Listener>();
  /** connections by what they are counted by */
  readonly #perSource = new Tally();
  /** connections by the address of the listener through which they came */
  readonly #perListener = new Tally();
  #places = 0;
  /** refused ones that may still read why */
  #refusals = 0;
  #settings: EntranceSettings | undefined;
  #isFrom: (address: string) => boolean = () => true;
  /** the addresses of listeners, as configured, where the gateway itself begins TLS */
  readonly #gatewayTls = new Set<string>();
  readonly #events: EntranceEvents;
  readonly #log: Log;
  readonly #refused: PacedLog;
  readonly #predecessors: () => readonly Entrance[];

  /** what it is to listen to once the change that is being prepared is done; undefined: there is none */
  #next: ReadonlySet<string> | undefined;
  /** its listeners that others take over in the change that is being prepared */
  readonly #promised = new Set<string>();

  /**
   * @param predecessors those whose listeners it takes over where it is to listen there: of the same gateway, loaded
   * anew, and of others that end or move in the same change
   */
  constructor(events: EntranceEvents, log: Log, predecessors: () => readonly Entrance[] = () => []) {
    this.#events = events;
    this.#log = log;
    this.#refused = new PacedLog(log, 'connection refused');
    this.#predecessors = predecessors;
  }

  /** Of the connections that have a place: how many came through each listener, by its address as configured. */
  get connectionsByListener(): ReadonlyMap<string, number> {
    const open = [...this.#listeners.values()].map(({ endpoint }) => formatEndpoint(endpoint));
    return new Map([...open.map((address) => [address, 0] as const), ...this.#perListener.entries()]);
  }

  /**
   * Does what can go wrong about new settings: opens further listeners and reads certificates.
   * @throws Error where a listener cannot be opened or a file not be used; everything is then as before
   */
  async prepare(settings: EntranceSettings): Promise<Change> {
    const wanted = placesOf(settings);
    const context = settings.tls && (await import('./tls-door.js')).readTls(settings.tls);
    // a client may be faster than whoever commits
    if (this.#settings === undefined) this.#admitBy(settings);
    const taken = [...wanted.keys()].find((key) => this.#promised.has(key));
    if (taken !== undefined) throw new Error(`another gateway is to listen on ${taken}`);
    const inherited = [...wanted.keys()].filter((key) => !this.#listeners.has(key) && this.#holderOf(key) !== undefined);
    const missing = [...wanted].filter(([key]) => !this.#listeners.has(key) && !inherited.includes(key));
    const ports = new Set(missing.map(([, { endpoint: { port } }]) => port));
    const unwanted = [...this.#listeners].filter(([key]) => !wanted.has(key));
    // a port that moves from one address to another cannot be had while it is still held
    const inTheWay = unwanted.filter(([, { endpoint: { port } }]) => port !== 0 && ports.has(port));
    inTheWay.forEach(([key]) => this.#close(key));
    const opened: string[] = [];
    const settle = this.#announce(wanted, inherited);
    const cancel = async (): Promise<void> => {
      settle();
      opened.forEach((key) => this.#close(key));
      for (const [key, place] of inTheWay) await this.#open(key, place).catch((error: Error) => this.#complain(place.endpoint, error));
    };
    try {
      for (const [key, place] of missing) {
        // a client that comes before the rest is in force is spoken to as it will be
        if (settings.gatewayTls?.some((endpoint) => formatEndpoint(endpoint) === key)) this.#gatewayTls.add(key);
        else this.#gatewayTls.delete(key);
        await this.#open(key, place);
        opened.push(key);
      }
    } catch (error) {
      await cancel();
      throw error;
    }
    return {
      commit: () => {
        inherited.forEach((key) => this.#inherit(key));
        settle();
        this.#adopt(settings, unwanted.map(([key]) => key), context);
      },
      cancel,
    };
  }

  /** Where clients can connect: plain places first. */
  addresses(): string[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /** Takes no further connections; those that are there stay. */
  close(): void {
    [...this.#listeners.keys()].forEach((key) => this.#close(key));
  }

  /** Lets others know what it will hold and what it takes over from them. @returns undoes that */
  #announce(wanted: ReadonlyMap<string, Place>, inherited: readonly string[]): () => void {
    this.#next = new Set(wanted.keys());
    const promises = inherited.map((key) => ({ key, promised: this.#holderOf(key)!.#promised }));
    promises.forEach(({ key, promised }) => promised.add(key));
    return () => {
      this.#next = undefined;
      promises.forEach(({ key, promised }) => promised.delete(key));
    };
  }

  #adopt(settings: EntranceSettings, unwanted: readonly string[], context: SecureContextOptions | undefined): void {
    // who is promised one takes it in a moment
    unwanted.filter((key) => !this.#promised.has(key)).forEach((key) => this.#close(key));
    if (context) for (const listener of this.#listeners.values()) listener.renewTls(context);
    this.#admitBy(settings);
  }

  #admitBy(settings: EntranceSettings): void {
    this.#settings = settings;
    this.#isFrom = settings.from ? networkTest(settings.from) : () => true;
    this.#gatewayTls.clear();
    settings.gatewayTls?.forEach((endpoint) => this.#gatewayTls.add(formatEndpoint(endpoint)));
  }

  #holderOf(key: string): Entrance | undefined {
    return this.#predecessors().find((one) => one !== this && one.#listeners.has(key) && one.#next?.has(key) !== true);
  }

  #inherit(key: string): void {
    const holder = this.#holderOf(key);
    if (holder === undefined) return;
    const listener = holder.#listeners.get(key)!;
    holder.#listeners.delete(key);
    listener.handTo(this.#eventsAt(listener.endpoint));
    this.#listeners.set(key, listener);
  }

  #eventsAt(endpoint: Endpoint): ListenerEvents {
    return { arrived: (socket) => this.#arrived(socket, formatEndpoint(endpoint)), failed: (error) => this.#complain(endpoint, error) };
  }

  async #open(key: string, { endpoint, tls }: Place): Promise<void> {
    const listener = await Listener.open(endpoint, tls, this.#eventsAt(endpoint));
    this.#listeners.set(key, listener);
    this.#log('info', 'listening', { address: listener.address, tls: listener.isTls || this.#gatewayTls.has(key) });
  }

  #close(key: string): void {
    const listener = this.#listeners.get(key);
    if (!listener) return;
    this.#log('info', 'no longer listening', { address: listener.address });
    listener.close();
    this.#listeners.delete(key);
  }

  #complain(endpoint: Endpoint, error: Error): void {
    this.#log('error', 'listener', { address: formatEndpoint(endpoint), reason: error.message });
  }

  /** Gives a client its place, or refuses it. */
  #arrived(socket: Socket, listener: string): Serve | undefined {
    const address = plainAddress(socket.remoteAddress ?? '');
    const { maxConnections = 0, maxConnectionsPerAddress = 0 } = this.#settings ?? {};
    if (!this.#isFrom(address)) return this.#refuse(socket, address, 'not from there');
    const source = sourceOf(address);
    if (this.#places >= maxConnections || this.#perSource.of(source) >= maxConnectionsPerAddress) return this.#refuse(socket, address, 'too many');
    this.#perSource.add(source);
    this.#perListener.add(listener);
    this.#places += 1;
    socket.once('close', () => this.#vacate(source, listener));
    return (open) => this.#events.connected(open, address, this.#gatewayTls.has(listener));
  }

  #vacate(source: string, listener: string): void {
    this.#places -= 1;
    this.#perSource.take(source);
    this.#perListener.take(listener);
  }

  /** A client that is refused may read why, for a moment; inside TLS it has to shake hands within it. */
  #refuse(socket: Socket, address: string, reason: RefusalReason): Serve | undefined {
    this.#refused.add({ address, connections: this.#places, ...(reason === 'too many' ? {} : { reason }) });
    const words = this.#events.refusal?.(reason);
    socket.on('error', () => socket.destroy());
    if (words === undefined || this.#refusals >= REFUSALS_LINGERING) {
      socket.destroy();
      return undefined;
    }
    this.#refusals += 1;
    const timer = setTimeout(() => socket.destroy(), LINGER);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refusals -= 1;
    });
    return (open) => {
      open.on('error', () => open.destroy());
      // with what the client has sent still unread, closing at once would look to it like a broken connection
      open.resume();
      open.end(words);
    };
  }
}
