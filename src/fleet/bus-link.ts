import { setTimeout as pause } from 'node:timers/promises';
import type * as nats from '@nats-io/transport-node';
import { readAuthorities } from '../kit/certificates.js';
import { BUS_CONNECT_TIMEOUT, BUS_PAYLOAD, BUS_PAYLOAD_LOOK, BUS_PING_INTERVAL, BUS_PINGS_UNANSWERED, BUS_RECONNECT_PAUSE } from '../kit/fleet-limits.js';
import { connectTo, firstThatGreets, isPlain, payloadOf, placeOf, wordsFor, type Nats } from './bus-dial.js';
import type { NkeySigner } from './signer.js';

export type { Nats } from './bus-dial.js';

/** Of each pause between two attempts, what chance adds at most: so that not all come at once when a server is back. */
const JITTER = 0.5;

export interface LinkOptions {
  /** `tls://bus1.example:4222`; `nats://` is not encrypted, and then none of them is */
  readonly servers: readonly string[];
  /** who has signed the servers' certificates; undefined: those whom Node trusts */
  readonly caFile: string | undefined;
  readonly signer: NkeySigner;
  /** by which the bus knows this client in what it tells of its clients */
  readonly name: string;
  readonly inboxPrefix: string;
  /** whether it has an account of its own on the bus, as sites have that are no fronts: isApart in parts.ts */
  readonly isApart: boolean;
}

export interface LinkListener {
  up(connection: nats.NatsConnection, library: Nats): void;
  /** The connection was lost, or was not made. @param why for people @param server that has answered and did not take us; undefined where `why` names those that it is about */
  down(why: string, server?: string): void;
  /** The server takes no messages as large as some are. @param most bytes that it takes */
  tooSmall(most: number): void;
  /** Something was refused that the connection outlives. */
  refused(error: Error): void;
}

/**
 * Keeps one connection to the bus. The client's own ways to make it anew are not used: they hold back what is sent
 * meanwhile and send it later, when an order would be too late; and they say neither why it fails nor that it does.
 */
export class BusLink {
  readonly #options: LinkOptions;
  readonly #listener: LinkListener;
  readonly #closing = new AbortController();
  #connection: nats.NatsConnection | undefined;

  constructor(options: LinkOptions, listener: LinkListener) {
    this.#options = options;
    this.#listener = listener;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    // The one that was lost is the last to be asked: it may hang, and take long to be given up.
    let lost: string | undefined;
    while (!signal.aborted) {
      const began = performance.now();
      let why: string;
      let refusing: string | undefined;
      try {
        const library = await import('@nats-io/transport-node');
        refusing = lost = await firstThatGreets(this.#options.servers, lost, signal);
        why = await this.#hold(library, lost);
        refusing = undefined;
      } catch (error) {
        why = wordsFor(error as Error, this.#options.signer.publicKey);
      }
      if (signal.aborted) return;
      this.#listener.down(why, refusing && placeOf(refusing));
      const rest = Math.max(0, BUS_RECONNECT_PAUSE - (performance.now() - began));
      await pause(rest + Math.random() * JITTER * BUS_RECONNECT_PAUSE, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Connects to a server, until that is over. @returns why it is @throws where there was no connection */
  async #hold(library: Nats, server: string): Promise<string> {
    const { signer, caFile, name, inboxPrefix } = this.#options;
    const connection = await connectTo(library, {
      servers: [server], name, inboxPrefix, reconnect: false, ignoreClusterUpdates: true, noAsyncTraces: true,
      timeout: BUS_CONNECT_TIMEOUT, pingInterval: BUS_PING_INTERVAL, maxPingOut: BUS_PINGS_UNANSWERED,
      // A client without this would go on unencrypted where the server offers no TLS.
      ...(isPlain(server) ? {} : { tls: caFile === undefined ? {} : { ca: readAuthorities(caFile) } }),
      authenticator: (nonce?: string) => ({ nkey: signer.publicKey, sig: nonce === undefined ? '' : signer.signLogin(nonce) }),
    });
    if (this.#closing.signal.aborted) {
      await connection.close();
      return 'it is closed';
    }
    this.#connection = connection;
    const ended = new AbortController();
    try {
      const over = this.#over(connection);
      this.#listener.up(connection, library);
      const most = connection.info?.max_payload ?? Infinity;
      if (most < BUS_PAYLOAD) this.#listener.tooSmall(most);
      return `${placeOf(server)}: ${await (most < BUS_PAYLOAD ? Promise.race([over, this.#largerThan(most, server, ended.signal)]) : over)}`;
    } finally {
      ended.abort();
      this.#connection = undefined;
      // Not waited for: to one that hangs, the client would wait until what it has written is out.
      void connection.close().catch(() => undefined);
    }
  }

  /** Until a server takes larger messages than it said to us: a client is not told of that. @returns why the connection is made anew */
  async #largerThan(most: number, server: string, signal: AbortSignal): Promise<string> {
    do await pause(BUS_PAYLOAD_LOOK, undefined, { signal }).catch(() => undefined);
    while (!signal.aborted && (await payloadOf(server, signal) ?? most) <= most);
    return 'it takes larger messages now';
  }

  /** @returns why the connection ended */
  async #over(connection: nats.NatsConnection): Promise<string> {
    const { publicKey } = this.#options.signer;
    const closed = connection.closed().then((error) => (error instanceof Error ? wordsFor(error, publicKey) : 'it has closed the connection'));
    const stale = (async () => {
      for await (const status of connection.status()) {
        if (status.type === 'staleConnection') return 'it does not answer any more';
        if (status.type === 'error') this.#listener.refused(status.error);
      }
      return closed;
    })();
    return Promise.race([closed, stale]);
  }

  /** Ends it: nothing is told from then on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connection?.close();
  }
}
