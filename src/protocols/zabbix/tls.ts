import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect, createSecureContext, createServer, type ConnectionOptions, type SecureContextOptions, type TLSSocket, type TlsOptions } from 'node:tls';
import { authoritiesFault } from '../../kit/certificates.js';
import { ZABBIX_PSK_IDENTITY, ZABBIX_PSK_LEAST, ZABBIX_PSK_MOST } from '../../kit/zabbix-limits.js';
import { formatDuration } from '../../kit/text.js';
import { onAbort } from '../../kit/within.js';
import { ZabbixError } from './errors.js';

/** How a proxy and a server know each other. */
export type TlsSettings = PskSettings | CertificateSettings;

/** By a key that both have. */
interface PskSettings {
  readonly kind: 'psk';
  readonly identity: string;
  readonly key: Buffer;
}

/** By certificates that an authority signed; the server's name plays no part, its certificate's issuer and subject may. */
export interface CertificateSettings {
  readonly kind: 'certificate';
  /** PEM: the authorities of the server, and no others */
  readonly ca: string;
  /** PEM: our own, with what stands between it and its authority */
  readonly cert: string;
  readonly key: string;
  /** as `CN=Signing CA,O=Example,DC=com`: see {@link distinguishedNames}; left out: any */
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
}

/**
 * Those of Zabbix that Node has, and TLS 1.3's with SHA-256, which a pre-shared key needs. A server built with GnuTLS
 * speaks 1.2 alone and refuses what Node offers of itself.
 */
const PSK_CIPHERS = [
  'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-PSK-AES128-CBC-SHA256', 'PSK-AES128-GCM-SHA256', 'PSK-AES128-CBC-SHA256',
].join(':');

const VERSIONS = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const;

/** Of one connection to a server. */
function clientOptions(settings: TlsSettings): ConnectionOptions {
  const common = { ...VERSIONS, checkServerIdentity: () => undefined, rejectUnauthorized: true };
  if (settings.kind === 'certificate') return { ...common, ca: settings.ca, cert: settings.cert, key: settings.key };
  const { identity, key } = settings;
  // without authorities: whoever shows a certificate instead of knowing the key is refused
  return { ...common, ca: [], ciphers: PSK_CIPHERS, pskCallback: () => ({ identity, psk: key }) };
}

/** Of one connection from a server. */
function serverOptions(settings: TlsSettings): TlsOptions {
  const common = VERSIONS;
  // judged by judge(), so that it can be said what was wrong
  if (settings.kind === 'certificate') return { ...common, ca: settings.ca, cert: settings.cert, key: settings.key, requestCert: true, rejectUnauthorized: false };
  const { identity, key } = settings;
  return { ...common, ciphers: PSK_CIPHERS, pskCallback: (_, theirs) => (theirs === identity ? key : null) };
}

/** How an error of a connection is told: in few words, without what was sent. */
export function tlsFault(error: unknown): ZabbixError {
  const { code = '', message, reason } = error as NodeJS.ErrnoException & { readonly reason?: string };
  const what = reason ?? (code === '' ? message : code);
  return new ZabbixError('TLS', `TLS came to nothing (${what}): are the identity, key or certificates those of the other side?`, { cause: error });
}

/** Whether an error is one of TLS, and not of the network. */
export const isTlsError = (error: unknown): boolean => /^(?:ERR_SSL|ERR_TLS|ERR_OSSL|.*CERT|UNABLE_TO_|SELF_SIGNED|HOSTNAME_MISMATCH|CRL_)/.test((error as NodeJS.ErrnoException).code ?? '');

/**
 * Begins TLS to a server. The caller waits for `secureConnect`, and asks {@link judge} before it sends.
 * @throws ZabbixError OWN where the settings are of no use
 */
export function connectSecure(host: string, port: number, settings: TlsSettings): TLSSocket {
  try {
    return connect({ host, port, ...clientOptions(settings) });
  } catch (error) {
    throw own(error);
  }
}

const own = (error: unknown): ZabbixError =>
  new ZabbixError('OWN', `the certificate or key for TLS cannot be used (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`, { cause: error });

/**
 * Accepts TLS on a connection that a server has made. The given socket is not to be used any more.
 * @param ms for the handshake
 * @throws ZabbixError TLS, LATE, OWN, ABORTED; the connection is closed then
 */
export function acceptSecure(plain: Socket, settings: TlsSettings, ms: number, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      forget();
    };
    const fail = (error: ZabbixError): void => {
      leave();
      plain.destroy();
      reject(error);
    };
    // Node's own begins anew with each byte
    const timer = setTimeout(() => fail(new ZabbixError('LATE', `the TLS handshake did not end within ${formatDuration(ms)}`)), ms);
    let forget = (): void => undefined;
    try {
      // one of its own, so that what it tells is of this connection; it listens nowhere
      const server = createServer(serverOptions(settings));
      server.once('secureConnection', (socket) => {
        const refusal = judge(socket, settings);
        if (refusal) {
          socket.destroy();
          fail(refusal);
          return;
        }
        leave();
        resolve(socket);
      });
      server.once('tlsClientError', (error) => fail(tlsFault(error)));
      forget = onAbort(signal, () => fail(new ZabbixError('ABORTED', 'it was given up')));
      if (!signal.aborted) server.emit('connection', plain);
    } catch (error) {
      fail(own(error));
    }
  });
}

/** Why the other side is not who it should be, once the handshake is done; undefined where it is. */
export function judge(socket: TLSSocket, settings: TlsSettings): ZabbixError | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (settings.kind === 'psk') return certificate === undefined ? undefined : new ZabbixError('TLS', 'the other side shows a certificate instead of using the key');
  if (certificate === undefined) return new ZabbixError('TLS', 'the other side has no certificate');
  if (!socket.authorized) return new ZabbixError('TLS', `the certificate of the other side is not trusted (${String(socket.authorizationError)})`);
  return judgeNames(certificate, settings);
}

function judgeNames(certificate: X509Certificate, wanted: CertificateSettings): ZabbixError | undefined {
  for (const part of ['issuer', 'subject'] as const) {
    const names = distinguishedNames(certificate[part]);
    if (wanted[part] === undefined || names.includes(wanted[part])) continue;
    return new ZabbixError('TLS', `the ${part} of the other side's certificate is ${JSON.stringify(names[0])}, and not ${JSON.stringify(wanted[part])}`);
  }
  return undefined;
}

/** Attributes that GnuTLS calls otherwise than OpenSSL does. */
const GNUTLS_NAMES: Readonly<Record<string, string>> = { emailAddress: 'EMAIL', SN: 'sn', GN: 'givenName' };

/**
 * A certificate's issuer or subject as Zabbix compares it, character by character: as RFC 4514 writes it, the most
 * special first, which is the last that the certificate has. OpenSSL and GnuTLS, with which Zabbix may have been built,
 * differ in some names and in the order of what stands together (`OU=a+OU=b`); either is taken.
 * @param lines as Node has it: each part on a line, escaped as RFC 2253 asks
 */
export function distinguishedNames(lines: string): string[] {
  const parts = (lines ?? '').split('\n').filter((line) => line !== '').reverse().map((line) => line.split(' + '));
  const openssl = parts.map((together) => [...together].reverse().join('+')).join(',');
  const renamed = (part: string): string => part.replace(/^[^=]+/, (name) => GNUTLS_NAMES[name] ?? name);
  const gnutls = parts.map((together) => together.map(renamed).join('+')).join(',');
  return [...new Set([openssl, gnutls, parts.map((together) => together.join('+')).join(',')])];
}

/** Which of the texts for TLS cannot be used, and why, without a word of them; undefined where all can. */
export function certificateFault({ ca, cert, key }: Pick<CertificateSettings, 'ca' | 'cert' | 'key'>): { readonly part: 'ca' | 'cert' | 'key'; readonly reason: string } | undefined {
  const authorities = authoritiesFault(ca);
  if (authorities !== undefined) return { part: 'ca', reason: authorities };
  if (!isOfUse({ cert })) return { part: 'cert', reason: 'holds no certificate that can be used' };
  if (!isOfUse({ key })) return { part: 'key', reason: 'holds no private key that can be used without a password' };
  return isOfUse({ cert, key }) ? undefined : { part: 'key', reason: 'is not the key of the certificate' };
}

function isOfUse(options: SecureContextOptions): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch {
    return false;
  }
}

/** Why a text is no issuer or subject as Zabbix writes it; undefined where it may be one. */
export function distinguishedNameFault(name: string): string | undefined {
  const isOne = /^[A-Za-z\d.]+=/.test(name) && !/(?<!\\),\s/.test(name);
  return isOne ? undefined : 'has to be written as Zabbix does it, without blanks between its parts: CN=zabbix server,O=Example';
}

/**
 * A pre-shared key as Zabbix keeps it: one line of hex digits, of 16 to 256 bytes.
 * @throws ZabbixError OWN, without a word of the key
 */
export function parsePsk(text: string): Buffer {
  const line = text.replace(/\r?\n$/, '');
  const wrong = (reason: string): ZabbixError => new ZabbixError('OWN', `the pre-shared key ${reason}`);
  if (line === '') throw wrong('is empty');
  if (/[\r\n]/.test(line)) throw wrong('has more than one line');
  if (!/^[\da-f]+$/i.test(line)) throw wrong('has other signs than hex digits');
  if (line.length % 2 !== 0) throw wrong('has an odd number of hex digits');
  const bytes = line.length / 2;
  if (bytes < ZABBIX_PSK_LEAST || bytes > ZABBIX_PSK_MOST) throw wrong(`has ${bytes} bytes, and not ${ZABBIX_PSK_LEAST} to ${ZABBIX_PSK_MOST}`);
  return Buffer.from(line, 'hex');
}

/** Why a text cannot be a key's identity; undefined where it can. */
export function pskIdentityFault(identity: string): string | undefined {
  if (identity === '') return 'is empty';
  if (Buffer.byteLength(identity) > ZABBIX_PSK_IDENTITY) return `is longer than ${ZABBIX_PSK_IDENTITY} bytes`;
  return identity.includes('\0') ? 'has a NUL' : undefined;
}
