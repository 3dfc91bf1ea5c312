import { Tally } from '../../kit/tally.js';
import { within, unlessAborted } from '../../kit/within.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { MAX_IN_FLIGHT, MAX_SLOW_IN_FLIGHT } from '../../protocols/libvirt/rpc.js';
import type { DriverHost } from '../driver.js';

/**
 * Connections beside the first one. With it, and {@link MAX_SLOW_IN_FLIGHT} calls on each, they stay below the 20
 * workers that libvirtd has by default.
 */
const MOST_FURTHER = 5;

/** What ends a guest by force is worked on by other workers of libvirtd, so it may have further ones. */
const MOST_FURTHER_FORCED = 7;

/** Milliseconds that opening one may take; after a failure none is tried for so long. */
const OPEN_MS = 5_000;

/** Milliseconds after which one that is not needed is closed. */
const IDLE_MS = 60_000;

/** What questions are counted under that wait for no guest. */
const QUESTIONS = 'questions';

/** A connection, and the guests for which calls are under way on it. */
class GuestConnection {
  /** how many works are under way, by the place that they are counted under */
  readonly works = new Tally();
  idle: NodeJS.Timeout | undefined;

  constructor(readonly client: LibvirtClient) {}

  /** Places that are held: one a guest, also by calls that were given up. */
  get held(): Set<string> {
    return new Set([...this.works.keys(), ...this.client.abandoned]);
  }

  begin(place: string): void {
    clearTimeout(this.idle);
    this.works.add(place);
  }

  end(place: string): void {
    this.works.take(place);
  }
}

/** Whether a question is sent at once on it, and no guest's calls will come to hold it up. */
const isForQuestions = ({ client, held, works }: GuestConnection): boolean =>
  client.hasPlace && works.of(QUESTIONS) < MAX_IN_FLIGHT && [...held].every((place) => place === QUESTIONS);

/** A place on a connection. */
export interface GuestPlace {
  readonly client: LibvirtClient;
  readonly free: () => void;
}

/**
 * Spreads calls that may wait for a guest over connections, so that guests that hang hold nobody but themselves:
 * libvirtd reads nothing more on a connection whose calls all hang. A guest's calls stay on one connection, where
 * they wait for each other; further connections are opened only where all places are held.
 */
export class GuestConnections {
  readonly #open: (signal: AbortSignal) => Promise<LibvirtClient>;
  readonly #log: DriverHost['log'];
  readonly #mayOpen: boolean;
  #first: GuestConnection | undefined;
  readonly #further = new Set<GuestConnection>();
  #opening: Promise<void> | undefined;
  #failedAt = -Infinity;
  readonly #closing = new AbortController();

  /**
   * @param open makes a connection that hears no events
   * @param mayOpen whether there may be further ones
   */
  constructor(open: (signal: AbortSignal) => Promise<LibvirtClient>, log: DriverHost['log'], mayOpen: boolean) {
    this.#open = open;
    this.#log = log;
    this.#mayOpen = mayOpen;
  }

  /**
   * A place for a work on one guest.
   * @param first the connection that is there anyhow
   * @param place what the work's calls are counted under
   * @throws the signal's reason
   */
  async take(first: LibvirtClient, place: string, isForced: boolean, signal: AbortSignal): Promise<GuestPlace> {
    if (this.#first?.client !== first) this.#first = new GuestConnection(first);
    for (;;) {
      const connection = this.#connectionFor(place);
      if (connection) return this.#begin(connection, place);
      if (!this.#mayOpenOne(isForced ? MOST_FURTHER_FORCED : MOST_FURTHER)) return this.#begin(this.#emptiest, place);
      await unlessAborted(this.#openOne(), signal);
    }
  }

  /**
   * A connection for questions that wait for no guest: the first one, unless what hangs holds all its places. Even
   * such questions hang, about a guest whose emulator libvirtd is killing.
   * @param first the connection that is there anyhow
   * @param isLast whether to wait on a crowded one where there is no other; else a CrowdedError is to be expected
   * @throws the signal's reason
   */
  async takeForQuestion(first: LibvirtClient, isLast: boolean, signal: AbortSignal): Promise<GuestPlace> {
    if (this.#first?.client !== first) this.#first = new GuestConnection(first);
    if (!first.isCrowded) return { client: isLast ? first : first.impatient, free: () => undefined };
    for (;;) {
      const connection = this.#all.find(isForQuestions);
      if (connection) return this.#begin(connection, QUESTIONS);
      if (!this.#mayOpenOne(MOST_FURTHER)) return this.#begin(this.#all.find(({ client }) => client.hasPlace) ?? this.#emptiest, QUESTIONS);
      await unlessAborted(this.#openOne(), signal);
    }
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closing.abort(new Error('closed'));
    await this.#opening;
    await Promise.all([...this.#further].map(async (connection) => {
      clearTimeout(connection.idle);
      await connection.client.close(signal).catch(() => undefined);
    }));
  }

  #mayOpenOne(most: number): boolean {
    return this.#mayOpen && this.#further.size < most && performance.now() - this.#failedAt >= OPEN_MS;
  }

  get #all(): GuestConnection[] {
    return [this.#first!, ...this.#further];
  }

  #connectionFor(place: string): GuestConnection | undefined {
    const hasPlace = ({ held }: GuestConnection): boolean => held.size < MAX_SLOW_IN_FLIGHT && !held.has(QUESTIONS);
    return this.#all.find(({ held }) => held.has(place)) ?? this.#all.find(hasPlace);
  }

  get #emptiest(): GuestConnection {
    return this.#all.reduce((best, connection) => (connection.held.size < best.held.size ? connection : best));
  }

  #begin(connection: GuestConnection, place: string): GuestPlace {
    connection.begin(place);
    return {
      client: connection.client,
      free: () => {
        connection.end(place);
        if (this.#further.has(connection) && connection.works.size === 0) this.#closeLater(connection);
      },
    };
  }

  #closeLater(connection: GuestConnection): void {
    clearTimeout(connection.idle);
    connection.idle = setTimeout(() => {
      if (connection.held.size > 0) return this.#closeLater(connection);
      this.#further.delete(connection);
      connection.client.close(AbortSignal.timeout(OPEN_MS)).catch(() => undefined);
    }, IDLE_MS).unref();
  }

  #openOne(): Promise<void> {
    this.#opening ??= this.#tryToOpen().finally(() => { this.#opening = undefined; });
    return this.#opening;
  }

  async #tryToOpen(): Promise<void> {
    try {
      const client = await within(OPEN_MS, [this.#closing.signal], this.#open);
      const connection = new GuestConnection(client);
      this.#further.add(connection);
      void client.closed.then(() => {
        clearTimeout(connection.idle);
        this.#further.delete(connection);
      });
      this.#log('debug', 'a further connection to libvirt, beside guests that do not answer', { connections: this.#further.size + 1 });
    } catch (error) {
      this.#failedAt = performance.now();
      this.#log('debug', 'a further connection to libvirt could not be made', { error: String(error) });
    }
  }
}
