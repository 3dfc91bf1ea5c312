import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { onAbort } from '../../kit/within.js';
import { HttpStatusError } from '../http/errors.js';
import { connectTrusted, describe, noticeDeath, type Trust } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import { ForeignAnswerError, TOO_MANY_CONSOLES, XapiError } from './errors.js';

/** Bytes of the head of an answer: xapi's has some hundred. */
const MOST_HEAD = 8 * 1024;
const HEAD_END = '\r\n\r\n';

export interface TunnelWay {
  /** the host that carries what the path names: others refuse */
  readonly origin: URL;
  readonly trust: Trust;
  /** with its query, as xapi has named it */
  readonly path: string;
  readonly session: string;
}

/**
 * Has a host connect us to a console of a VM: CONNECT with the path of its `location`, after whose answer the
 * connection is the console's (XenServer Management API, class `console`; xapi's console.ml). A path is none that HTTP
 * has for CONNECT, so the request is written by hand. The session goes into a cookie: paths are logged.
 * @returns paused, at the console's first byte
 * @throws XapiError, HttpStatusError, ForeignAnswerError, ConnectionLostError, CertificateError, the signal's reason
 */
export async function openTunnel({ origin, trust, path, session }: TunnelWay, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  const connecting = connectTrusted(origin, trust);
  let forget = (): void => undefined;
  const given = new Promise<never>((_, reject) => { forget = onAbort(signal, reject); });
  try {
    const socket = await Promise.race([connecting, given]);
    // whoever gets it may not listen yet when it fails
    socket.on('error', () => undefined);
    noticeDeath(socket);
    try {
      socket.write(`CONNECT ${path} HTTP/1.0\r\nHost: ${origin.host}\r\nCookie: session_id=${session}\r\n\r\n`);
      judge(await Promise.race([readHead(socket), given]));
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  } catch (error) {
    void connecting.then((late) => late.destroy(), () => undefined);
    throw error;
  } finally {
    forget();
  }
}

/** The lines before the console's first byte, which stays in the socket. */
function readHead(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const settle = (act: () => void): void => {
      socket.off('readable', look).off('close', ended).off('end', ended).off('error', failed);
      act();
    };
    const look = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf(HEAD_END);
        if (end >= 0) {
          const rest = head.subarray(end + HEAD_END.length);
          return settle(() => {
            if (rest.length > 0) socket.unshift(rest);
            resolve(head.toString('latin1', 0, end));
          });
        }
        if (head.length > MOST_HEAD) return settle(() => reject(new ForeignAnswerError('its answer is no HTTP')));
      }
    };
    const ended = (): void => settle(() => reject(new ConnectionLostError('the connection was cut off', true)));
    const failed = (error: Error): void => settle(() => reject(new ConnectionLostError(describe(error), true, { cause: error })));
    socket.on('readable', look).on('close', ended).on('end', ended).on('error', failed);
  });
}

/** What xapi's refusals mean, which are statuses alone. */
function judge(head: string): void {
  const status = Number(/^HTTP\/1\.[01] (\d{3})\b/.exec(head)?.[1] ?? NaN);
  if (status === 200) return;
  if (Number.isNaN(status)) throw new ForeignAnswerError('its answer is no HTTP');
  if (status === 401) throw new XapiError('SESSION_INVALID', []);
  // by the name that xapi's roles have for it
  if (status === 403) throw new XapiError('RBAC_PERMISSION_DENIED', ['http/connect_console']);
  if (status === 503) throw new XapiError(TOO_MANY_CONSOLES, []);
  throw new HttpStatusError(status);
}
