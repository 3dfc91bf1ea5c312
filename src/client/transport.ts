import { readFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { ArgoError } from '../kit/errors.js';
import { formatEndpoint } from '../kit/text.js';
import { formatFingerprint, type Settings, type TlsSettings } from './settings.js';
import { SettingsError } from './settings-error.js';

/** A peer that is gone is noticed this long after its last sign of life (and ten probes), in milliseconds. */
const KEEPALIVE_DELAY = 30_000;

/** What has to be known of a server to get there, and what is expected to listen. */
export type Way = Pick<Settings, 'address' | 'tls' | 'connectTimeout'> & { readonly program?: string };

/**
 * Opens the way to the server: TCP, and TLS with the server's certificate checked. Nothing is sent
 * before the check is over.
 * @throws ArgoError UNREACHABLE, TIMEOUT, CERTIFICATE REJECTED · SettingsError for unreadable files
 */
export async function openTransport(settings: Way, signal?: AbortSignal): Promise<Socket> {
  const name = formatEndpoint(settings.address);
  const socket = settings.tls === undefined
    ? connectPlain({ ...settings.address, noDelay: true })
    : await startTls(settings, settings.tls);
  try {
    await ready(socket, settings, signal);
    if (settings.tls !== undefined) checkCertificate(socket as TLSSocket, settings.tls, name);
  } catch (error) {
    socket.on('error', () => { /* the first reason has been told */ });
    socket.destroy();
    throw error;
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_DELAY);
  return socket;
}

async function startTls({ address }: Way, { caFile, certFile, keyFile }: TlsSettings): Promise<TLSSocket> {
  const { connect } = await import('node:tls');
  const { isIP } = await import('node:net');
  const files = {
    ...(caFile !== undefined && { ca: readPem(caFile) }),
    ...(certFile !== undefined && { cert: readPem(certFile) }),
    ...((keyFile ?? certFile) !== undefined && { key: readPem((keyFile ?? certFile)!) }),
  };
  try {
    // The check is ours (checkCertificate): only then can an error tell the certificate's fingerprint.
    return connect({ ...address, ...files, rejectUnauthorized: false, minVersion: 'TLSv1.2', ...(isIP(address.host) === 0 && { servername: address.host }) });
  } catch (error) {
    throw new SettingsError(`a certificate or key file is not usable: ${(error as Error).message}`);
  }
}

/** @throws SettingsError */
export function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new SettingsError(`cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

function ready(socket: Socket, settings: Way, signal: AbortSignal | undefined): Promise<void> {
  const name = formatEndpoint(settings.address);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => settle(new ArgoError('TIMEOUT', `no connection to ${name} in ${settings.connectTimeout / 1000} s; nothing was done`)),
      settings.connectTimeout,
    );
    const onError = (error: NodeJS.ErrnoException) => settle(connectError(error, name, settings));
    const onClose = () => settle(new ArgoError('UNREACHABLE', `${name} closed the connection at once; nothing was done`));
    const onAbort = () => settle(signal?.reason as Error);
    const settle = (error?: Error) => {
      clearTimeout(timer);
      socket.off('error', onError).off('close', onClose);
      signal?.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve();
    };
    socket.once('error', onError).once('close', onClose);
    socket.once(settings.tls === undefined ? 'connect' : 'secureConnect', () => settle());
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}

function connectError(error: NodeJS.ErrnoException, name: string, { tls, program = 'argo-server' }: Way): ArgoError {
  const code = error.code ?? '';
  const known: Record<string, string> = {
    ECONNREFUSED: `nothing listens at ${name}; is ${program} running there?`,
    ENOTFOUND: `no host is called ${name.replace(/:\d+$/, '')}`,
    EAI_AGAIN: `the name of ${name} cannot be looked up now`,
    EHOSTUNREACH: `there is no way to ${name}`,
    ENETUNREACH: `there is no way to ${name}`,
    ETIMEDOUT: `${name} does not answer`,
    ECONNRESET: `${name} closed the connection at once${tls !== undefined ? '; does it speak TLS on this port?' : ''}`,
    ERR_SSL_WRONG_VERSION_NUMBER: `${name} does not speak TLS on this port`,
  };
  return new ArgoError('UNREACHABLE', known[code] ?? `${name}: ${code || 'the connection failed'}`, { cause: error });
}

/** @throws ArgoError CERTIFICATE REJECTED with the fingerprint that was seen */
function checkCertificate(socket: TLSSocket, { caFile, pin }: TlsSettings, name: string): void {
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
  const seen = (certificate.fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
  if (pin !== undefined && pin !== seen) {
    throw new ArgoError('CERTIFICATE REJECTED', `${name} shows ${formatFingerprint(seen)}, which is not the fingerprint that is set; nothing was sent`);
  }
  // A pinned certificate needs no authority, unless one is asked for as well.
  if (socket.authorized || (pin !== undefined && caFile === undefined)) return;
  const reason = String((socket.authorizationError as Error | string | undefined) ?? 'not trusted').slice(0, 200);
  throw new ArgoError('CERTIFICATE REJECTED', `${name}: ${reason}; set ca-file, or fingerprint = "${formatFingerprint(seen)}" if that is the server's`);
}
