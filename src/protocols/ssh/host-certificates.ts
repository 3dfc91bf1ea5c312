import { createECDH, createPublicKey, randomBytes, verify, type KeyObject } from 'node:crypto';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { isAbort, onAbort, within } from '../../kit/within.js';
import { SshConnectionError } from './errors.js';
import { authoritiesOf, matchesPattern, type HostKeyPolicy } from './host-keys.js';

/**
 * Certificates of host keys (OpenSSH's PROTOCOL.certkeys), which ssh2 does not negotiate. They are public, so a
 * handshake of our own that ends when the host has shown its certificate (RFC 4253, RFC 5656) is enough to
 * read it. It proves nothing by itself: that the host has the key which the certificate is about, it
 * proves to ssh2, which is then given just that key to expect.
 */

/** Bytes of a packet before encryption (RFC 4253, 6.1), and of all that a host may send until its certificate. */
const PACKET_SIZE = 35_000;
const MOST_READ = 256 * 1024;

/** Where the caller sets no time, ms. */
const TIMEOUT_MS = 10_000;
/** Characters of a certificate's names in a message. */
const NAMES_TOLD = 200;

const MSG_DISCONNECT = 1;
const MSG_KEXINIT = 20;
const MSG_KEX_ECDH_INIT = 30;
const MSG_KEX_ECDH_REPLY = 31;
const COOKIE = 16;

const CERTIFICATE = '-cert-v01@openssh.com';
/** The types of host keys that ssh2 can expect, the strongest first. */
const KEY_ALGORITHMS = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-512', 'rsa-sha2-256'];
const CERTIFICATE_ALGORITHMS = KEY_ALGORITHMS.map((name) => `${name}${CERTIFICATE}`);

/** A share of ours for each key exchange. The secret is never made, so it may be any. */
const KEY_EXCHANGES: Readonly<Record<string, () => Buffer>> = {
  'curve25519-sha256': () => randomBytes(32),
  'curve25519-sha256@libssh.org': () => randomBytes(32),
  'ecdh-sha2-nistp256': () => createECDH('prime256v1').generateKeys(),
  'ecdh-sha2-nistp384': () => createECDH('secp384r1').generateKeys(),
  'ecdh-sha2-nistp521': () => createECDH('secp521r1').generateKeys(),
};
/** What is negotiated besides, and never used. */
const CIPHERS = 'aes128-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com';
const MACS = 'hmac-sha2-256,hmac-sha2-512,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com';

/** What a certificate says of a host's key. */
export interface HostCertificate {
  /** the certified key and that of the authority, in SSH's own encoding */
  readonly key: Buffer;
  readonly authority: Buffer;
  readonly principals: readonly string[];
  /** seconds since 1970, the end not included */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
}

/** Reads the fields of SSH's encoding (RFC 4251, 5). @throws RangeError beyond the end */
class Fields {
  at = 0;

  constructor(readonly bytes: Buffer) {}

  take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError('it ends too early');
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  number = (): number => this.take(4).readUInt32BE();
  long = (): bigint => this.take(8).readBigUInt64BE();
  string = (): Buffer => this.take(this.number());
  text = (): string => this.string().toString('utf8');
}

const string = (value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/**
 * Reads a certificate and checks its signature, not who signed it.
 * @throws Error where it is none of a host, or its signature is wrong
 */
export function parseHostCertificate(blob: Buffer): HostCertificate {
  const fields = new Fields(blob);
  const type = fields.text().replace(CERTIFICATE, '');
  fields.string();
  const start = fields.at;
  for (let parts = type === 'ssh-ed25519' ? 1 : 2; parts > 0; parts -= 1) fields.string();
  const key = Buffer.concat([string(type), blob.subarray(start, fields.at)]);
  fields.long();
  if (fields.number() !== 2) throw new Error('it is not of a host');
  fields.string();
  const principals = listOf(fields.string());
  const [validAfter, validBefore] = [fields.long(), fields.long()];
  if (fields.string().length > 0) throw new Error('it has critical options, of which none is known');
  fields.string();
  fields.string();
  const authority = fields.string();
  const signed = blob.subarray(0, fields.at);
  if (!isSignedBy(authority, signed, fields.string())) throw new Error('its signature is wrong');
  return { key, authority, principals, validAfter, validBefore };
}

function listOf(bytes: Buffer): string[] {
  const fields = new Fields(bytes);
  const list: string[] = [];
  while (fields.at < bytes.length) list.push(fields.text());
  return list;
}

/** Not by SHA-1: the type of a signature with an RSA key names its hash (RFC 8332). */
const HASHES: Readonly<Record<string, string | null>> = {
  'ssh-ed25519': null, 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512',
  'ecdsa-sha2-nistp256': 'sha256', 'ecdsa-sha2-nistp384': 'sha384', 'ecdsa-sha2-nistp521': 'sha512',
};
/** Of the keys of these curves (RFC 5656, 10.1): its name in JWK, and the bytes of a coordinate. */
const CURVES: Readonly<Record<string, { readonly crv: string; readonly size: number }>> = {
  nistp256: { crv: 'P-256', size: 32 }, nistp384: { crv: 'P-384', size: 48 }, nistp521: { crv: 'P-521', size: 66 },
};

function isSignedBy(authority: Buffer, signed: Buffer, signature: Buffer): boolean {
  const [keyFields, fields] = [new Fields(authority), new Fields(signature)];
  const [keyType, type, value] = [keyFields.text(), fields.text(), fields.string()];
  const hash = HASHES[type];
  if (hash === undefined || keyType !== (type.startsWith('rsa-') ? 'ssh-rsa' : type)) throw new Error(`it is signed in a way that is not supported (${type})`);
  const size = CURVES[type.replace('ecdsa-sha2-', '')]?.size;
  if (size === undefined) return verify(hash, signed, publicKey(keyType, keyFields), value);
  const halves = new Fields(value);
  const raw = Buffer.concat([padded(halves.string(), size), padded(halves.string(), size)]);
  return verify(hash, signed, { key: publicKey(keyType, keyFields), dsaEncoding: 'ieee-p1363' }, raw);
}

/** A number of SSH's has a zero in front where it would else be negative, and none where its first bytes are zero. */
const padded = (number: Buffer, size: number): Buffer => Buffer.concat([Buffer.alloc(size), number]).subarray(-size);

function publicKey(type: string, fields: Fields): KeyObject {
  const word = (bytes: Buffer): string => bytes.toString('base64url');
  if (type === 'ssh-ed25519') return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: word(fields.string()) } });
  if (type === 'ssh-rsa') return createPublicKey({ format: 'jwk', key: { kty: 'RSA', e: word(fields.string()), n: word(fields.string()) } });
  const { crv, size } = CURVES[fields.text()]!;
  const point = fields.string();
  return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv, x: word(point.subarray(1, 1 + size)), y: word(point.subarray(1 + size)) } });
}

/**
 * Whether a certificate makes a host known, by the @cert-authority lines of known_hosts.
 * @returns the policy with the certified key, or with the reason why there is none
 */
function withCertificate(policy: HostKeyPolicy, host: string, port: number, blob: Buffer | undefined): HostKeyPolicy {
  const refuse = (why: string): HostKeyPolicy => ({ ...policy, certificateFault: why });
  if (blob === undefined) return refuse('it shows no certificate, though known_hosts has an authority for it');
  try {
    const { key, authority, principals, validAfter, validBefore } = parseHostCertificate(blob);
    const now = BigInt(Math.floor(Date.now() / 1000));
    if (!authoritiesOf(policy, host, port).some((known) => known.equals(authority))) return refuse('its certificate is of another authority than that of known_hosts');
    if (now < validAfter) return refuse('its certificate is not valid yet');
    if (now >= validBefore) return refuse('its certificate has expired');
    if (principals.length > 0 && !principals.some((name) => matchesPattern(name.toLowerCase(), host.toLowerCase()))) {
      return refuse(`its certificate is for other names (${principals.join(', ').slice(0, NAMES_TOLD)})`);
    }
    return { ...policy, certified: key };
  } catch (error) {
    return refuse(`its certificate cannot be used: ${(error as Error).message}`);
  }
}

/** What of a connection's options is needed here. */
interface Place {
  readonly host: string;
  readonly port?: number;
  readonly hostKey: HostKeyPolicy;
  readonly timeout?: number;
}

/**
 * Where known_hosts has authorities for a host, asks it for the certificate of its key.
 * @param open connects where the host is reached in another way than by its address
 * @returns the options with what came of it, and with the time that is left
 * @throws SshConnectionError where its time is over; what `open` throws; the signal's reason
 */
export async function learnHostKey<Options extends Place>(
  options: Options,
  signal: AbortSignal,
  open?: (signal: AbortSignal) => Promise<Duplex>,
): Promise<Options> {
  const { host, port = 22, hostKey, timeout = TIMEOUT_MS } = options;
  if (authoritiesOf(hostKey, host, port).length === 0) return options;
  const began = performance.now();
  try {
    const blob = await within(timeout, [signal], async (limit) =>
      readCertificate((await open?.(limit)) ?? connect({ host, port }), limit),
    );
    return {
      ...options,
      hostKey: withCertificate(hostKey, host, port, blob),
      timeout: Math.max(1, timeout - (performance.now() - began)),
    };
  } catch (error) {
    signal.throwIfAborted();
    if (isAbort(error)) throw new SshConnectionError(`${host} does not show a key (waited ${timeout} ms)`, { cause: error });
    throw error;
  }
}

/** @returns undefined where it offers none, or nobody is there, which the next attempt to connect tells. @throws the signal's reason */
async function readCertificate(socket: Duplex, signal: AbortSignal): Promise<Buffer | undefined> {
  const forget = onAbort(signal, (reason) => socket.destroy(reason as Error));
  // It may fail before anybody reads of it.
  socket.on('error', () => undefined);
  try {
    signal.throwIfAborted();
    return await shake(socket);
  } catch {
    signal.throwIfAborted();
    return undefined;
  } finally {
    forget();
    socket.destroy();
  }
}

/** The handshake, up to the host's reply. */
async function shake(socket: Duplex): Promise<Buffer | undefined> {
  socket.write('SSH-2.0-argo\r\n');
  for await (const packet of packetsOf(socket)) {
    if (packet[0] === MSG_DISCONNECT) return undefined;
    if (packet[0] === MSG_KEX_ECDH_REPLY) return new Fields(packet.subarray(1)).string();
    if (packet[0] !== MSG_KEXINIT) continue;
    const fields = new Fields(packet.subarray(1 + COOKIE));
    const [exchanges, keys] = [fields.text().split(','), fields.text().split(',')];
    const exchange = Object.keys(KEY_EXCHANGES).find((name) => exchanges.includes(name));
    const algorithms = CERTIFICATE_ALGORITHMS.filter((name) => keys.includes(name));
    if (exchange === undefined || algorithms.length === 0) return undefined;
    const lists = [exchange, algorithms.join(','), CIPHERS, CIPHERS, MACS, MACS, 'none', 'none', '', ''];
    socket.write(packetOf(Buffer.concat([Buffer.from([MSG_KEXINIT]), randomBytes(COOKIE), ...lists.map(string), Buffer.alloc(5)])));
    socket.write(packetOf(Buffer.concat([Buffer.from([MSG_KEX_ECDH_INIT]), string(KEY_EXCHANGES[exchange]!())])));
  }
  return undefined;
}

/** RFC 4253, 6: its length, that of the padding, the payload, the padding; the whole a multiple of 8. */
function packetOf(payload: Buffer): Buffer {
  const padding = 8 + (8 - (payload.length + 5) % 8) % 8;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(1 + payload.length + padding);
  head[4] = padding;
  return Buffer.concat([head, payload, randomBytes(padding)]);
}

/** The payloads of what a host sends, behind its lines of greeting (RFC 4253, 4.2). */
async function* packetsOf(socket: Duplex): AsyncGenerator<Buffer> {
  let greeted = false;
  let rest = Buffer.alloc(0);
  let read = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    read += chunk.length;
    if (read > MOST_READ) throw new Error('it says far too much');
    rest = Buffer.concat([rest, chunk]);
    while (!greeted) {
      const end = rest.indexOf('\n');
      if (end < 0) break;
      greeted = rest.subarray(0, end).toString('latin1').startsWith('SSH-');
      rest = rest.subarray(end + 1);
    }
    while (greeted && rest.length > 4) {
      const length = rest.readUInt32BE();
      if (length > PACKET_SIZE) throw new Error('it does not speak SSH');
      if (rest.length < 4 + length) break;
      yield Buffer.from(rest.subarray(5, 4 + length - rest[4]!));
      rest = rest.subarray(4 + length);
    }
  }
}
