import { createConnection, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type * as nats from '@nats-io/transport-node';
import type { NodeTransport } from '@nats-io/transport-node/lib/node_transport.js';
import { NETWORK_WORDS } from '../kit/network-words.js';
import { BUS_CONNECT_TIMEOUT, BUS_GREETING, BUS_NEXT_SERVER } from '../kit/fleet-limits.js';

export type Nats = typeof nats;

/** How a server of the bus is found that answers, and a connection to it is made. */

const DEFAULT_PORT = 4222;
/** Beyond its own deadline, until an attempt of the client counts as given up. */
const GRACE = 1000;

/** Whether the way to a server is not encrypted. */
export const isPlain = (server: string): boolean => server.startsWith('nats://');

function addressOf(server: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(server);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? DEFAULT_PORT : Number(port) };
}

export const placeOf = (server: string): string => new URL(server).host;

/** What a socket's errors mean, by their codes: Node's own words name the address once more, or nothing where a name has several. */
const SOCKET_WORDS: Readonly<Record<string, string>> = {
  ...NETWORK_WORDS, ECONNRESET: 'it has closed the connection', ETIMEDOUT: 'it does not answer',
};

/** What speaks against a server's certificate, by the codes of OpenSSL and Node. */
const CERTIFICATE_WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired', CERT_NOT_YET_VALID: 'its certificate does not hold yet, by the clock here',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is not for this name',
  ...Object.fromEntries(
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT']
      .map((code) => [code, 'its certificate is not signed by the authority of ca-file']),
  ),
};

/** For people, with what they have to do where it is they who can. */
export function wordsFor(error: Error, publicKey: string): string {
  if (error.name === 'AuthorizationError' || error.name === 'UserAuthenticationExpiredError') return `it does not admit the key ${publicKey} (${error.message})`;
  const { message, cause, code } = error as Error & { code?: string };
  const certificate = CERTIFICATE_WORDS[code ?? (cause as { code?: string } | undefined)?.code ?? ''];
  if (certificate !== undefined) return `${certificate} (${cause instanceof Error ? cause.message : message})`;
  const words = code === undefined ? undefined : SOCKET_WORDS[code];
  if (words !== undefined) return words;
  if (cause instanceof Error && cause.message !== '' && cause.message !== message) return `${message} (${cause.message})`;
  return message === '' ? code ?? error.name : message;
}

/**
 * A server of the bus that answers. The others are asked besides when it takes long, so that one that hangs holds nobody up;
 * the client itself would wait for it, and would keep the socket afterwards.
 * @param last asked after all others
 * @throws Error that names the reason of each
 */
export async function firstThatGreets(servers: readonly string[], last: string | undefined, signal: AbortSignal): Promise<string> {
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
    // In one order, so that the same reasons are the same words. What they came from says no more.
    throw new Error((error as AggregateError).errors.map(({ message }: Error) => message).sort().join('; '));
  } finally {
    signal.removeEventListener('abort', end);
    over.abort();
  }
}

/** How large a message may be that a server takes now, in bytes; undefined where that is not known. */
export async function payloadOf(server: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    return (JSON.parse((await greeting(server, signal)).slice('INFO '.length)) as { readonly max_payload?: number }).max_payload;
  } catch {
    return undefined;
  }
}

/** Waits for what a server of NATS says first, before anything else: `INFO {…}` (docs.nats.io, client protocol). @throws Error */
async function greeting(server: string, signal: AbortSignal): Promise<string> {
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      let said = '';
      socket = createConnection(addressOf(server))
        .setEncoding('latin1')
        .on('error', reject)
        .on('close', () => reject(new Error('it has closed the connection')))
        .on('data', (text: string) => {
          said += text;
          if (!'INFO '.startsWith(said.slice(0, 5)) || said.length > BUS_GREETING) reject(new Error('no server of NATS answers there'));
          else if (said.includes('\n')) resolve(said);
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

/** Attempts of the client that may not have ended, and when they began. */
const attempts = new Map<NodeTransport, number>();

/** Takes its sockets from the client where it has given up to connect: it keeps them for as long as the server wants. */
function discardAttempts(): void {
  for (const [transport, began] of attempts) {
    const isOver = performance.now() - began > BUS_CONNECT_TIMEOUT + GRACE;
    if (!transport.connected && isOver) transport.discard();
    if (transport.connected || isOver) attempts.delete(transport);
  }
}

/** Connects by the client. @throws Error */
export async function connectTo(library: Nats, options: nats.ConnectionOptions): Promise<nats.NatsConnection> {
  const { NodeTransport: Transport, nodeResolveHost } = await import('@nats-io/transport-node/lib/node_transport.js');
  library.setTransportFactory({
    factory: () => {
      const transport = new Transport();
      attempts.set(transport, performance.now());
      return transport;
    },
    dnsResolveFn: nodeResolveHost,
  });
  discardAttempts();
  try {
    return await library.NatsConnectionImpl.connect(options);
  } finally {
    discardAttempts();
  }
}
