import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket as WebSocketType } from 'ws';
import { formatEndpoint } from '../../kit/text.js';
import { unlessAborted } from '../../kit/within.js';
import { connectTrusted, noticeDeath, type Trust } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import { VimTransportError } from './errors.js';

/** Bytes of one message: a screen's is some hundred KiB. */
const MOST_MESSAGE = 16 * 1024 * 1024;
/** What ESXi insists on hearing; the other one that it knows, vmware-vvc, is no RFB. */
const SUBPROTOCOL = 'binary';

/** What `AcquireTicket` with `webmks` is answered with (vSphere Web Services API, VirtualMachineTicket). */
export interface Ticket {
  readonly host: string;
  readonly port: number;
  /** good for one connection, within a minute or so; a secret */
  readonly ticket: string;
}

/**
 * The screen of a machine: RFB in the messages of a WebSocket, at the host that carries it. VMware describes the way to
 * the ticket alone; what comes behind it is as others have seen it on ESXi 7.0.
 * @returns paused, at the server's first byte
 * @throws VimTransportError, CertificateError, the signal's reason
 */
export async function openWebmks({ host, port, ticket }: Ticket, trust: Trust, signal: AbortSignal): Promise<Duplex> {
  const place = formatEndpoint({ host, port });
  const { createWebSocketStream, WebSocket } = await import('ws');
  const connecting = connectTrusted(new URL(`https://${place}`), trust);
  connecting.then((late) => { if (signal.aborted) late.destroy(); }, () => undefined);
  const socket = await unlessAborted(connecting, signal).catch((error: unknown) => {
    throw error instanceof ConnectionLostError ? new VimTransportError(`the host of its screen: ${error.message}`, false, false, { cause: error }) : error;
  });
  noticeDeath(socket);
  // The socket speaks TLS already, to whom it should: to the library it is a plain one.
  const web = new WebSocket(`ws://${place}/ticket/${encodeURIComponent(ticket)}`, SUBPROTOCOL, {
    createConnection: () => socket, perMessageDeflate: false, maxPayload: MOST_MESSAGE, followRedirects: false,
  });
  const stream = createWebSocketStream(web, { allowHalfOpen: false });
  // whoever gets it may not listen yet when it fails
  stream.on('error', () => undefined);
  try {
    await unlessAborted(opened(web, socket), signal);
    return stream;
  } catch (error) {
    stream.destroy();
    socket.destroy();
    throw error;
  }
}

/** @throws VimTransportError, in whose words there is no ticket */
function opened(web: WebSocketType, socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (words: string, cause?: unknown): void => reject(new VimTransportError(`the host of its screen ${words}`, false, false, { cause }));
    web.once('open', resolve);
    web.once('unexpected-response', (_request, { statusCode }) => fail(`refuses the ticket with HTTP status ${statusCode}`));
    web.once('error', (error) => fail('does not open it', error));
    socket.once('close', () => fail('cut the connection off'));
  });
}
