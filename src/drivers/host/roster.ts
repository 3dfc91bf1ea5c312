import { ArgoError } from '../../kit/errors.js';
import { giveWay } from '../../kit/slices.js';
import { inOrder } from '../../kit/text.js';
import { MacError, parseMac } from '../../protocols/wol/mac.js';
import type { DriverHost, Machine, PowerState, Sighting, Sightings as Listing } from '../driver.js';
import { withBoard, type BoardParts } from './board.js';
import { boardOf } from './boards.js';
import { hostSettings, type HostEntry, type HostSettings, type SharedOptions } from './options.js';
import { HostPower, leasePinger, type PingerLease } from './power.js';
import { Sightings } from './sightings.js';

/** Until a manager that was off at the start is asked again, ms. */
const TRY_AGAIN_MS = 5000;

export interface RosterOptions extends SharedOptions {
  /** what the configuration says of hosts, over what their manager says */
  readonly hosts: readonly HostEntry[];
  /** where a host's own service listens, which is asked beside ping: many a host drops pings */
  readonly port?: number;
}

/** A host as its manager, such as a pool or a vCenter, tells of it. */
export interface FoundHost {
  readonly name: string;
  readonly address: string;
  /** as the manager writes it; one that is none does not count */
  readonly mac: string | undefined;
  /** what the manager knows it by, unique among its hosts */
  readonly uuid: string;
  /** it has just answered, so that no ping is needed */
  readonly answers: boolean;
}

/** What a driver makes a machine of. */
export interface RosterEntry {
  readonly id: string;
  readonly settings: HostSettings;
  /** undefined for a host that only the configuration knows */
  readonly uuid: string | undefined;
  readonly power: HostPower;
}

interface Known extends RosterEntry {
  readonly machine: Machine;
  readonly board: BoardParts | undefined;
}

/** The physical hosts of a hypervisors' manager, together with those of the configuration. */
export class HostRoster {
  readonly #lease: PingerLease;
  readonly #sightings: Sightings;
  #known = new Map<string, Known>();
  #hasListed = false;
  #again: NodeJS.Timeout | undefined;
  readonly #options: RosterOptions;
  readonly #host: DriverHost;
  readonly #create: (entry: RosterEntry) => Machine;

  /** @param create makes the machine of a host; asked again only when what is known of the host has changed */
  constructor(options: RosterOptions, host: DriverHost, create: (entry: RosterEntry) => Machine) {
    this.#options = options;
    this.#host = host;
    this.#create = create;
    this.#lease = leasePinger(host.log);
    this.#sightings = new Sightings(host);
  }

  /**
   * At the start a manager may be off, and with it the hosts that carry it: then the hosts of the
   * configuration are listed alone, so that they can be woken, and the listing says that it is
   * incomplete. Later what was listed before still stands, so that a failure is one.
   * @param manager what it is called: `pool`
   * @param ask yields the hosts that it knows
   * @throws what `ask` throws
   */
  async list(manager: string, ask: () => Promise<readonly FoundHost[]>): Promise<Listing> {
    clearTimeout(this.#again);
    try {
      const found = await ask();
      this.#hasListed = true;
      await giveWay();
      return await this.#sight(found);
    } catch (error) {
      const isOff = error instanceof ArgoError && error.phrase === 'UNREACHABLE';
      if (this.#hasListed || !isOff || this.#options.hosts.length === 0) throw error;
      this.#host.log('warn', `the ${manager} does not answer: only the hosts of the configuration are listed`, { reason: error.detail });
      this.#again = setTimeout(() => this.#host.relist(), TRY_AGAIN_MS).unref();
      const incomplete = `the ${manager} does not answer, so that only the hosts of the configuration are listed: ${error.detail}`;
      return Object.assign(inOrder(await this.#sight([]), ({ machine }) => machine.name), { incomplete });
    }
  }

  close(): void {
    clearTimeout(this.#again);
    this.#sightings.close();
    this.#lease.release();
    for (const { board } of this.#known.values()) void board?.board.close();
  }

  async #sight(found: readonly FoundHost[]): Promise<Sighting[]> {
    const settled = found.map((host) => ({ known: this.#settle(host), answers: host.answers }));
    const named = new Set(settled.map(({ known }) => known.settings.name));
    const others = this.#options.hosts.filter(({ name }) => !named.has(name))
      .map((given) => ({ known: this.#know(hostSettings(given, this.#options), undefined), answers: false }));
    const all = [...settled, ...others];
    const before = this.#known;
    this.#known = new Map(all.map(({ known }) => [known.id, known]));
    for (const [id, { board }] of before) if (this.#known.get(id)?.board !== board) void board?.board.close();
    const seen = await this.#sightings.list(all.filter(({ answers }) => !answers).map(({ known }) => known.machine));
    const states = new Map(seen.map(({ machine, state }) => [machine, state]));
    return all.map(({ known: { machine } }) => ({ machine, state: states.get(machine) ?? 'on' }));
  }

  #settle({ uuid, name, address, mac }: FoundHost): Known {
    const given = this.#options.hosts.find((each) => each.name === name || (each.address ?? each.name) === address);
    const card = validMac(mac);
    return this.#know(hostSettings({ name, address, ...(card !== undefined && { mac: card }), ...given }, this.#options), uuid);
  }

  /** A host of the configuration keeps its name as its mark: it is there before its manager can be asked. */
  #know(settings: HostSettings, uuid: string | undefined): Known {
    const id = uuid === undefined || this.#options.hosts.some(({ name }) => name === settings.name) ? `host ${settings.name}` : uuid;
    const before = this.#known.get(id);
    if (before && before.uuid === uuid && JSON.stringify(before.settings) === JSON.stringify(settings)) return before;
    const power = new HostPower(settings, { pinger: this.#lease.pinger, log: this.#host.log, port: this.#options.port });
    const entry = { id, settings, uuid, power };
    // The button is not for a hypervisor whose manager cannot say what runs on it.
    const board = boardOf(power, this.#host.log, false);
    return { ...entry, board, machine: withBoard(this.#create(entry), board) };
  }
}

/** A hypervisor that cannot be asked for its machines now, but perhaps for a sign of life. */
export interface SilentHypervisor {
  readonly machine: Machine;
  readonly state: PowerState;
  /** what was listed of its machines before; they are `unknown` */
  readonly guests: readonly Machine[];
  /** there was a listing before this one */
  readonly hasListed: boolean;
  /** its machines have been listed */
  readonly areGuestsKnown: boolean;
}

/**
 * The listing of a hypervisor that tells nothing. One that is off is no fault: it is there to be started.
 * One that is on is a fault, and what is known of its machines is out of date; but at first it is listed
 * all the same, so that it can be named. Where its machines are not known, the listing says that it is incomplete.
 * @param error why it tells nothing
 * @throws the error
 */
export function listSilentHypervisor({ machine, state, guests, hasListed, areGuestsKnown }: SilentHypervisor, host: DriverHost, error: Error): Listing {
  if (state !== 'off' && hasListed) {
    host.changed(machine.id, state);
    throw error;
  }
  if (state !== 'off') host.log('warn', 'the virtual machines cannot be listed', { reason: error.message });
  const listing: Listing = [{ machine, state }, ...guests.map((guest) => ({ machine: guest, state: 'unknown' as const }))];
  if (areGuestsKnown) return listing;
  return Object.assign(listing, { incomplete: `the virtual machines could not be listed yet: ${state === 'off' ? 'the host is off' : error.message}` });
}

function validMac(mac: string | undefined): string | undefined {
  try {
    return mac === undefined ? undefined : parseMac(mac);
  } catch (error) {
    if (error instanceof MacError) return undefined;
    throw error;
  }
}
