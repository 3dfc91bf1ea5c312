import { ArgoError } from '../../kit/errors.js';
import { NEXT_ADDRESS_AFTER } from '../../protocols/ping/limits.js';
import { CannotTell, type DoubtKind, type PingResult } from '../../protocols/ping/outcome.js';
import { Pinger } from '../../protocols/ping/pinger.js';
import { allSilent, firstAlive, type Way } from '../../protocols/ping/race.js';
import { destinations, RouteError } from '../../protocols/wol/destinations.js';
import { parseSecureOn } from '../../protocols/wol/mac.js';
import { magicPacket } from '../../protocols/wol/magic-packet.js';
import { sendPackets, type WakeReport } from '../../protocols/wol/wake.js';
import { beforeSending } from '../../kit/within.js';
import type { DriverDefaults } from '../driver.js';
import type { Log } from '../../kit/log.js';
import type { HostSettings } from './options.js';

/** How long a physical host may take to boot or to shut down, ms: the default of a driver's action-timeout. */
export const HOST_ACTION_TIMEOUT = 300_000;
/** Of a driver whose provider may be thousands of hosts: each has a connection of its own, and the pinger its own pace, so none waits for another. */
export const HOSTS_DEFAULTS: DriverDefaults = { actionTimeout: HOST_ACTION_TIMEOUT, concurrency: 1024 };
/** Between two magic packets that status checks send, ms, however many ask at a time. */
const WAKE_AGAIN_AFTER = 1000;
/** For the packet that a status check sends, ms. */
const WAKE_AGAIN_TIMEOUT = 2000;
/** After an order to go down, how long silence must have lasted to be no cable that is out, ms; for as long after the order as an action may take. */
const OFF_AFTER = 15_000;
/** Doubts that any number of hosts have at a time, such as for a firewall, or for a right that is missing, which the pinger tells once. */
const COMMON_DOUBTS: readonly DoubtKind[] = ['no right', 'silent', 'ambiguous'];

export interface HostPowerParts {
  readonly pinger: Pinger;
  readonly log: Log;
  /** milliseconds after an order to start during which status checks send further magic packets */
  readonly wakeFor?: number;
  /** where the host's own service listens: it is asked too, since many a host drops pings */
  readonly port?: number | undefined;
  /** another way to ask, where the service cannot be reached at the host's address */
  readonly otherwise?: Way | undefined;
}

/**
 * The power of one physical host as the network shows it: it is on when it answers in any way, off when
 * it is silent in all in which it can be asked, and is switched on by Wake-on-LAN.
 */
export class HostPower {
  #wakingUntil = 0;
  #lastPacket = 0;
  #doubt: string | undefined;
  /** until when it may be about to go down by an order of ours */
  #goesDownUntil = 0;
  #silentSince: number | undefined;
  /** it has accepted our order to go down, so that its silence is more than that of a filter until it answers after its end */
  #isToGoDown = false;
  readonly #parts: HostPowerParts;
  readonly #ports: readonly number[];

  constructor(readonly host: HostSettings, parts: HostPowerParts) {
    this.#parts = parts;
    this.#ports = [...new Set([parts.port, host.ping['tcp-port']])].filter((port) => port !== undefined);
  }

  /** Whether it can be started at all: its MAC address is known. */
  get canWake(): boolean {
    return this.host.mac !== undefined;
  }

  /**
   * Asks the host. While it is being woken, each question sends one more magic packet. After an order to
   * go down it is `stopping` until its silence has lasted: a link that flaps is silent for a moment, too.
   * It is `unknown` where what answers may be another, and of a host that can be woken also while nobody knows
   * its name: some are known only while the host is on.
   * @param options.background one of a listing: single questions go first
   * @throws ArgoError UNREACHABLE where it cannot be told; the signal's reason
   */
  async status(signal: AbortSignal, options: { background?: boolean } = {}): Promise<'on' | 'off' | 'stopping' | 'unknown'> {
    const asked = performance.now();
    const sign = await this.sign(signal, options);
    if (sign === 'on' || sign === 'unknown') return sign;
    this.#silentSince ??= asked;
    const now = performance.now();
    if (now < this.#goesDownUntil && now - this.#silentSince < (this.host.ping['off-after'] ?? OFF_AFTER)) return 'stopping';
    this.#goesDownUntil = 0;
    return 'off';
  }

  /**
   * Gives an order to go down, for good or to boot again.
   * @throws what the order throws
   */
  async goDown(order: () => Promise<void>): Promise<void> {
    // A magic packet that comes after the shutdown would undo it.
    this.forgetWake();
    this.#goesDownUntil = performance.now() + HOST_ACTION_TIMEOUT;
    this.#silentSince = undefined;
    this.#isToGoDown = false;
    try {
      await order();
      this.#isToGoDown = true;
    } catch (error) {
      if (error instanceof ArgoError && error.phrase !== 'UNCERTAIN') this.#goesDownUntil = 0;
      throw error;
    }
  }

  /** As {@link status}, of this moment alone. @throws as {@link status} */
  async sign(signal: AbortSignal, options: { background?: boolean } = {}): Promise<'on' | 'off' | 'unknown'> {
    try {
      return (await this.check(signal, options)).alive ? 'on' : 'off';
    } catch (error) {
      const doubt = error instanceof ArgoError && error.cause instanceof CannotTell ? error.cause.kind : undefined;
      if (doubt === 'silent' && this.#isToGoDown) return 'off';
      if (doubt === 'unresolved' && this.canWake) return 'unknown';
      // Somebody answers, which may be the host: then orders are not kept from it.
      if (doubt === 'ambiguous') return 'unknown';
      throw error;
    }
  }

  /** As {@link status}, with the round trip or the reason why it counts as off. */
  async check(signal: AbortSignal, { background = false }: { background?: boolean } = {}): Promise<PingResult> {
    this.#wakeAgain();
    const { otherwise } = this.#parts;
    try {
      const ask: Way = (limit) => this.#ping(limit, background);
      const result = await (otherwise === undefined ? ask(signal) : firstAlive([ask, otherwise], NEXT_ADDRESS_AFTER, signal, allSilent));
      if (result.alive) {
        this.forgetWake();
        this.#silentSince = undefined;
        // By then it has not obeyed, or is up again.
        if (performance.now() > this.#goesDownUntil) this.#isToGoDown = false;
      }
      this.#doubt = undefined;
      return result;
    } catch (error) {
      if (!(error instanceof CannotTell)) throw error;
      this.#tellDoubt(error);
      throw new ArgoError('UNREACHABLE', `it cannot be told whether ${this.host.name} is on: ${error.message}`, { cause: error });
    }
  }

  #ping(signal: AbortSignal, background: boolean): Promise<PingResult> {
    const { address, ping } = this.host;
    return this.#parts.pinger.ping(address, {
      signal, background, tcpPorts: this.#ports,
      ...(ping.timeout !== undefined && { timeout: ping.timeout }),
      ...(ping.retries !== undefined && { retries: ping.retries }),
    });
  }

  /**
   * Sends magic packets, and lets status checks send more until the host answers.
   * @throws ArgoError NOT SUPPORTED without a MAC address; UNREACHABLE where none could be sent
   */
  async wake(signal: AbortSignal): Promise<void> {
    if (!this.canWake) throw new ArgoError('NOT SUPPORTED', `${this.host.name} has no mac in the configuration, so it cannot be woken`);
    this.#goesDownUntil = 0;
    this.#isToGoDown = false;
    this.#wakingUntil = performance.now() + (this.#parts.wakeFor ?? HOST_ACTION_TIMEOUT);
    this.#lastPacket = performance.now();
    const { sent, failures } = await beforeSending(signal, () => this.#send(signal)).catch((error: unknown) => {
      this.forgetWake();
      throw error;
    });
    if (sent === 0) {
      this.forgetWake();
      throw new ArgoError('UNREACHABLE', `no magic packet could be sent to ${this.host.name}: ${failures.join('; ')}`);
    }
    if (failures.length > 0) this.#parts.log('warn', 'not all magic packets could be sent', { host: this.host.name, failures });
  }

  /** Ends the sending of further packets: before an order to shut down, which they would undo. */
  forgetWake(): void {
    this.#wakingUntil = 0;
  }

  #wakeAgain(): void {
    const now = performance.now();
    if (now > this.#wakingUntil || now - this.#lastPacket < WAKE_AGAIN_AFTER) return;
    this.#lastPacket = now;
    this.#send(AbortSignal.timeout(WAKE_AGAIN_TIMEOUT), 1).catch((error: unknown) => {
      this.#parts.log('debug', 'a further magic packet could not be sent', { host: this.host.name, error: String(error) });
    });
  }

  async #send(signal: AbortSignal, packets?: number): Promise<WakeReport> {
    const { address, mac = '', wol } = this.host;
    const password = wol.password === undefined ? undefined : parseSecureOn(wol.password.reveal());
    try {
      const hosts = await this.#parts.pinger.resolve(address, signal).catch((error: unknown) => {
        if (error instanceof CannotTell) return [];
        throw error;
      });
      const to = destinations(wol, hosts);
      return await sendPackets(magicPacket({ mac, ...(password && { password }) }), to, { signal, ...(packets !== undefined && { packets }) });
    } catch (error) {
      if (error instanceof RouteError) throw new ArgoError('UNREACHABLE', `no magic packet could be sent to ${this.host.name}: ${error.message}`);
      throw error;
    }
  }

  /** Each doubt is told once, not at every poll. */
  #tellDoubt(error: CannotTell): void {
    if (this.#doubt === error.message) return;
    this.#doubt = error.message;
    this.#parts.log(COMMON_DOUBTS.includes(error.kind) ? 'debug' : 'warn', 'it cannot be told whether a host is on', { host: this.host.name, reason: error.message });
  }
}

/**
 * The one pinger of all providers: however many hosts there are, they share its sockets and its pace.
 */
let shared: { readonly pinger: Pinger; users: number } | undefined;

export interface PingerLease {
  readonly pinger: Pinger;
  /** Gives it back; the last user's closes it. */
  release(): void;
}

/** @param log told where hosts have to be asked in another way than by our own ICMP socket */
export function leasePinger(log: Log): PingerLease {
  const current = shared ??= { pinger: new Pinger({ note: (message) => log('warn', message) }), users: 0 };
  current.users += 1;
  let released = false;
  return {
    pinger: current.pinger,
    release: () => {
      if (released) return;
      released = true;
      current.users -= 1;
      if (current.users > 0) return;
      current.pinger.close();
      shared = undefined;
    },
  };
}
