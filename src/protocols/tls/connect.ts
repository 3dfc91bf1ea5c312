import { constants, createHash } from 'node:crypto';
import { connect as connectPlain, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import { beginSlice, giveWay } from '../../kit/slices.js';
import { onAbort } from '../../kit/within.js';
import { CertificateError, ConnectionLostError } from './errors.js';

/** Whom we take for the server that is meant. */
export type Trust =
  /** those whom an authority vouches for: one of the given (PEM), or one that this machine trusts */
  | { readonly kind: 'authorities'; readonly ca?: string }
  /** those with one of these certificates: SHA-256 of its DER form, as {@link parseFingerprint} yields it */
  | { readonly kind: 'fingerprints'; readonly fingerprints: readonly string[] }
  /** the one with this certificate, by the SHA-1 of its DER form as {@link parseThumbprint} yields it: for where an older protocol tells no better */
  | { readonly kind: 'thumbprint'; readonly sha1: string }
  | { readonly kind: 'anyone' };

/** From the first packet to the end of the TLS handshake, ms. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A fingerprint as people have it, in one form: `SHA256:` and base64 as ssh-keygen prints it, or
 * hexadecimal with or without colons as openssl and XenCenter do.
 * @returns base64 without padding; undefined for anything else
 */
export function parseFingerprint(text: string): string | undefined {
  const content = text.replace(/^SHA-?256[:\s]?/i, '').trim();
  const hex = content.replaceAll(':', '');
  if (/^[\da-f]{64}$/i.test(hex)) return unpadded(Buffer.from(hex, 'hex'));
  return /^[A-Za-z\d+/]{43}=?$/.test(content) ? content.slice(0, 43) : undefined;
}

/** A SHA-1 thumbprint, as vSphere writes it, with colons. @returns hexadecimal in lower case; undefined for anything else */
export function parseThumbprint(text: string): string | undefined {
  const hex = text.replaceAll(':', '').toLowerCase();
  return /^[\da-f]{40}$/.test(hex) ? hex : undefined;
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

/** Those that are not asked need not be loaded. */
const authorities = (trust: Trust): { ca?: string | string[] } => (trust.kind !== 'authorities' ? { ca: [] } : trust.ca === undefined ? {} : { ca: trust.ca });

/**
 * Connects, and resolves only when the server has proved who it is: whatever is written comes after.
 * @param address where the server is, for one with a zone (`fe80::1%eth0`), which a URL cannot hold
 * @throws CertificateError, ConnectionLostError
 */
export async function connectTrusted(origin: URL, trust: Trust, address?: string): Promise<Socket> {
  const host = address ?? origin.hostname.replace(/^\[|\]$/g, '');
  const secure = origin.protocol === 'https:';
  const port = Number(origin.port) || (secure ? 443 : 80);
  beginSlice();
  const secureContext = secure ? createSecureContext(authorities(trust)) : undefined;
  await giveWay();
  return new Promise((resolve, reject) => {
    const socket = secure
      ? connectTls({
          host, port, secureContext,
          ...(isIP(host) === 0 && { servername: host }),
          // Judged below, so that a certificate that is refused can be named.
          rejectUnauthorized: false,
        })
      : connectPlain({ host, port });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new ConnectionLostError(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`, false)), CONNECT_TIMEOUT_MS);
    const onError = (error: Error): void => fail(new ConnectionLostError(describe(error), false, { cause: error }));
    socket.once('error', onError);
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      const refusal = secure ? judge(socket as TLSSocket, trust) : undefined;
      if (refusal !== undefined) return fail(new CertificateError(refusal));
      clearTimeout(timer);
      socket.removeListener('error', onError);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/**
 * Which TLS will do: what this machine's library takes today, or any that it can speak still, for servers of before 2008, whose
 * keys and signatures are as old and which know no safe renegotiation (RFC 5746).
 */
export type TlsAge = 'today' | 'any';

const ANY_TLS = { minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0', secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT } as const;

/**
 * Speaks TLS from now on over a connection that was begun in the clear. Resolves only when the server has
 * proved who it is. Whether it does so or not, the given socket is not to be used any more.
 * @param host to whom it leads
 * @throws CertificateError, ConnectionLostError
 */
export function secureTrusted(plain: Socket, host: string, trust: Trust, age: TlsAge = 'today'): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: plain, ...(age === 'any' && ANY_TLS), ...(isIP(host) === 0 && { servername: host }),
      ...authorities(trust),
      // With the address, since there is no server name from which it would be taken.
      checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
      rejectUnauthorized: false,
    });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      plain.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new ConnectionLostError(`no TLS within ${CONNECT_TIMEOUT_MS / 1000} s`, false)), CONNECT_TIMEOUT_MS);
    const onError = (error: Error): void => fail(new ConnectionLostError(describe(error), false, { cause: error }));
    const onClose = (): void => fail(new ConnectionLostError('the connection was cut off', false));
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      const refusal = judge(socket, trust);
      if (refusal !== undefined) return fail(new CertificateError(refusal));
      clearTimeout(timer);
      socket.removeListener('error', onError);
      socket.removeListener('close', onClose);
      resolve(socket);
    });
  });
}

/** Milliseconds without a byte after which the system asks whether the other side is still there. */
const KEEPALIVE_MS = 30_000;

/** For a connection on which nothing may be said for hours, as of a screen that stands still: a dead host is noticed all the same. */
export const noticeDeath = (socket: Socket): Socket => socket.setKeepAlive(true, KEEPALIVE_MS);

/** A plain connection on which an error brings nobody down before somebody listens for himself. @throws the error of connect(2); the signal's reason */
export function connectTo(where: NetConnectOpts, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connectPlain(where);
    const forget = onAbort(signal, (reason) => {
      socket.destroy();
      reject(reason as Error);
    });
    socket.once('error', (error) => { forget(); reject(error); });
    socket.once('connect', () => {
      forget();
      socket.removeAllListeners('error');
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** Why a server is not to be trusted, in words; undefined where it is. */
function judge(socket: TLSSocket, trust: Trust): string | undefined {
  if (trust.kind === 'anyone') return undefined;
  const { raw } = socket.getPeerCertificate();
  const shown = unpadded(createHash('sha256').update(raw).digest());
  if (trust.kind === 'fingerprints') return trust.fingerprints.includes(shown) ? undefined : `its fingerprint is SHA256:${shown}`;
  if (trust.kind === 'thumbprint') return createHash('sha1').update(raw).digest('hex') === trust.sha1 ? undefined : `it is another than was told of; its fingerprint is SHA256:${shown}`;
  if (socket.authorized) return undefined;
  return `${String(socket.authorizationError)}; its fingerprint is SHA256:${shown}`;
}

/** An error of a socket in few words, without what it was sent. */
export function describe(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'ECONNRESET') return 'the connection was cut off';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'there is no such host';
  return code ?? message;
}
