import { connect, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { NETWORK_WORDS } from '../../kit/network-words.js';
import { ZABBIX_ANSWER, ZABBIX_CONFIGURATION_ANSWER, ZABBIX_CONNECT } from '../../kit/zabbix-limits.js';
import { formatDuration, formatEndpoint } from '../../kit/text.js';
import { onAbort } from '../../kit/within.js';
import { ZabbixError } from './errors.js';
import { CONFIGURATION_LIMITS, encodeFrame, MESSAGE_LIMITS, type Frame, type FrameLimits } from './frame.js';
import { readFrame } from './frame-reader.js';
import { connectSecure, isTlsError, judge, tlsFault, type TlsSettings } from './tls.js';

/** Where a server listens, and how it is spoken with. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsSettings | undefined;
}

/** Of one exchange; times in milliseconds. */
export interface ExchangeLimits {
  readonly answer: FrameLimits;
  /** until there is a connection, secured where it is to be */
  readonly connectMs: number;
  /** from then on until all of the answer is there */
  readonly answerMs: number;
}

export const MESSAGE_EXCHANGE: ExchangeLimits = { answer: MESSAGE_LIMITS, connectMs: ZABBIX_CONNECT, answerMs: ZABBIX_ANSWER };
export const CONFIGURATION_EXCHANGE: ExchangeLimits = { answer: CONFIGURATION_LIMITS, connectMs: ZABBIX_CONNECT, answerMs: ZABBIX_CONFIGURATION_ANSWER };

/**
 * Sends one message over a connection of its own, and takes the answer: so it is done in active mode.
 * @param wire the message in its frame
 * @param then what is said to the answer, JSON; left out: nothing. What it throws is thrown
 * @throws ZabbixError with what was wrong; `nothingSent` where the server cannot have had it
 */
export async function exchange(
  where: ServerAddress,
  wire: Buffer,
  limits: ExchangeLimits,
  signal: AbortSignal,
  then?: (answer: Frame) => Promise<string>,
): Promise<Frame> {
  const socket = await open(where, limits.connectMs, signal);
  try {
    socket.write(wire);
    const answer = await readFrame(socket, limits.answer, limits.answerMs, signal);
    if (answer === undefined) throw silent(where);
    if (then !== undefined) await end(socket, await encodeFrame(await then(answer), { packed: answer.packed }), limits.connectMs);
    return answer;
  } catch (error) {
    throw explain(error, where);
  } finally {
    socket.destroy();
  }
}

/** Says the last word of a connection. A server that does not wait for it has closed already, and misses nothing. */
function end(socket: Socket, wire: Buffer, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    socket.once('close', done);
    socket.end(wire, done);
  });
}

/** What a server does that is asked by a proxy which it does not know. */
function silent(where: ServerAddress): ZabbixError {
  return new ZabbixError('SILENT', `${formatEndpoint(where)} closed the connection without an answer, as a server does that has no active proxy of this name, or one with another address or encryption, or that is ending`);
}

/** The connection may have been lost by what TLS found only after its handshake (1.3), or before anything was answered. */
function explain(error: unknown, where: ServerAddress): unknown {
  if (!(error instanceof ZabbixError) || error.code !== 'CUT' || error.cause === undefined) return error;
  if (isTlsError(error.cause)) return tlsFault(error.cause);
  return (error.cause as NodeJS.ErrnoException).code === 'ECONNRESET' ? silent(where) : error;
}

const SOCKET_WORDS: Readonly<Record<string, string>> = {
  ...NETWORK_WORDS, ECONNRESET: 'the connection was cut off', ETIMEDOUT: 'no answer', EADDRNOTAVAIL: 'our own address is not one of this machine',
};

/**
 * @returns a connection that can be written to, whose other side has proved who it is; its errors are listened to
 * @throws ZabbixError UNREACHABLE, TLS, OWN, ABORTED
 */
function open(where: ServerAddress, ms: number, signal: AbortSignal): Promise<Socket> {
  const { host, port, tls } = where;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new ZabbixError('UNREACHABLE', 'it was given up before a connection was made'));
      return;
    }
    const socket = tls ? connectSecure(host, port, tls) : connect({ host, port });
    let isConnected = false;
    const leave = (): void => {
      clearTimeout(timer);
      forget();
      socket.off('close', onClose);
    };
    const fail = (error: ZabbixError): void => {
      leave();
      socket.destroy();
      reject(error);
    };
    const lost = (words: string, cause?: unknown): void => fail(new ZabbixError('UNREACHABLE', `no connection with ${formatEndpoint(where)}: ${words}`, { cause }));
    const onClose = (): void => (tls && isConnected ? fail(tlsFault(new Error('the connection was closed'))) : lost('it was closed'));
    // stays: an error that comes later is also told to whoever reads, and must not end the process
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (tls && isConnected) fail(tlsFault(error));
      else if (isTlsError(error)) fail(tlsFault(error));
      else lost(SOCKET_WORDS[error.code ?? ''] ?? error.code ?? error.message, error);
    });
    socket.on('close', onClose);
    socket.once('connect', () => { isConnected = true; });
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      const refusal = tls && judge(socket as TLSSocket, tls);
      if (refusal) return fail(refusal);
      leave();
      socket.setNoDelay(true);
      resolve(socket);
    });
    const timer = setTimeout(() => lost(`none within ${formatDuration(ms)}`), ms);
    const forget = onAbort(signal, () => lost('it was given up'));
  });
}
