import { createConnection, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUS_CONNECT_TIMEOUT, BUS_GREETING, BUS_NEXT_SERVER, BUS_PING_INTERVAL, BUS_PINGS_UNANSWERED, BUS_RECONNECT_PAUSE } from '../kit/fleet-limits.js';
import type { NkeySigner } from './signer.js';

export type Nats = typeof import('@nats-io/transport-node');

/** Of each pause between two attempts, what chance adds at most: so that not all come at once when a server is back. */
const JITTER = 0.5;
const DEFAULT_PORT = 4222;

export interface LinkOptions {
  /** `tls://bus1.example:4222`; `nats://` is not encrypted, and then none of them is */
  readonly servers: readonly string[];
  /** who has signed the servers' certificates; undefined: those whom Node trusts */
  readonly caFile: string | undefined;
  readonly signer: NkeySigner;
  /** by which the bus knows this client in what it tells of its clients */
  readonly name: string;
  readonly inboxPrefix: string;
}

export interface LinkListener {
  up(connection: NatsConnection, nats: Nats): void;
  /** The connection was lost, or was not made. @param why for people */
  down(why: string): void;
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
  #connection: NatsConnection | undefined;

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
      try {
        const nats = await import('@nats-io/transport-node');
        lost = await firstThatGreets(this.#options.servers, lost, signal);
        why = await this.#hold(nats, lost);
      } catch (error) {
        why = wordsFor(error as Error, this.#options.signer.publicKey);
      }
      if (signal.aborted) return;
      this.#listener.down(why);
      const rest = Math.max(0, BUS_RECONNECT_PAUSE - (performance.now() - began));
      await pause(rest + Math.random() * JITTER * BUS_RECONNECT_PAUSE, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Connects to a server, until that is over. @returns why it is @throws where there was no connection */
  async #hold(nats: Nats, server: string): Promise<string> {
    const { signer, caFile, name, inboxPrefix } = this.#options;
    const connection = await nats.connect({
      servers: [server], name, inboxPrefix, reconnect: false, ignoreClusterUpdates: true, noAsyncTraces: true,
      timeout: BUS_CONNECT_TIMEOUT, pingInterval: BUS_PING_INTERVAL, maxPingOut: BUS_PINGS_UNANSWERED,
      // A client without this would go on unencrypted where the server offers no TLS.
      ...(isPlain(server) ? {} : { tls: caFile === undefined ? {} : { caFile } }),
      authenticator: (nonce?: string) => ({ nkey: signer.publicKey, sig: nonce === undefined ? '' : signer.signLogin(nonce) }),
    });
    if (this.#closing.signal.aborted) {
      await connection.close();
      return 'it is closed';
    }
    this.#connection = connection;
    try {
      const over = this.#over(connection);
      this.#listener.up(connection, nats);
      return `${placeOf(server)}: ${await over}`;
    } finally {
      this.#connection = undefined;
      // Not waited for: to one that hangs, the client would wait until what it has written is out.
      void connection.close().catch(() => undefined);
    }
  }

  /** @returns why the connection ended */
  async #over(connection: NatsConnection): Promise<string> {
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

const isPlain = (server: string): boolean => server.startsWith('nats://');

function addressOf(server: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(server);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? DEFAULT_PORT : Number(port) };
}

const placeOf = (server: string): string => new URL(server).host;

/** For people, with what they have to do where it is they who can. */
function wordsFor(error: Error, publicKey: string): string {
  if (error.name === 'AuthorizationError' || error.name === 'UserAuthenticationExpiredError') return `it does not admit the key ${publicKey} (${error.message})`;
  const { message, cause, code } = error as Error & { code?: string };
  if (cause instanceof Error && cause.message !== '' && cause.message !== message) return `${message} (${cause.message})`;
  return message === '' ? code ?? error.name : message;
}

/**
 * A server of the bus that answers. The others are asked besides when it takes long, so that one that hangs holds nobody up;
 * the client itself would wait for it, and would keep the socket afterwards.
 * @param last asked after all others
 * @throws Error that names the reason of each
 */
async function firstThatGreets(servers: readonly string[], last: string | undefined, signal: AbortSignal): Promise<string> {
  const over = new AbortController();
  const end = (): void => over.abort();
  signal.addEventListener('abort', end);
  const order = servers.map((server) => ({ server, rank: server === last ? 1 : Math.random() })).sort((one, other) => one.rank - other.rank);
  try {
    return await Promise.any(order.map(async ({ server }, at) => {
      await pause(at * BUS_NEXT_SERVER, undefined, { signal: over.signal });
      try {
        await greeting(server, over.signal);
      } catch (error) {
        throw new Error(`${placeOf(server)}: ${wordsFor(error as Error, '')}`, { cause: error });
      }
      return server;
    }));
  } catch (error) {
    // In one order, so that the same reasons are the same words.
    throw new Error((error as AggregateError).errors.map(({ message }: Error) => message).sort().join('; '), { cause: error });
  } finally {
    signal.removeEventListener('abort', end);
    over.abort();
  }
}

/** Waits for what a server of NATS says first, before anything else: `INFO {…}` (docs.nats.io, client protocol). @throws Error */
async function greeting(server: string, signal: AbortSignal): Promise<void> {
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      let said = '';
      socket = createConnection(addressOf(server))
        .setEncoding('latin1')
        .on('error', reject)
        .on('close', () => reject(new Error('it has closed the connection')))
        .on('data', (text: string) => {
          said += text;
          if (!'INFO '.startsWith(said.slice(0, 5)) || said.length > BUS_GREETING) reject(new Error('no server of NATS answers there'));
          else if (said.includes('\n')) resolve();
        });
      timer = setTimeout(() => reject(new Error('it does not answer')), BUS_CONNECT_TIMEOUT);
      stop = () => reject(new Error('it was not waited for'));
      signal.addEventListener('abort', stop);
    });
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) signal.removeEventListener('abort', stop);
    socket?.destroy();
  }
}
