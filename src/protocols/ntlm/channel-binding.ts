import { createHash } from 'node:crypto';
import { md5 } from './primitives.js';

/** Of signature algorithms, by the content of their OID in hexadecimal: the hash that they use. */
const HASHES: Readonly<Record<string, string>> = {
  // 1.2.840.113549.1.1.*: RSA
  '2a864886f70d010104': 'sha256',
  '2a864886f70d010105': 'sha256',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  // 1.2.840.10045.4.*: ECDSA
  '2a8648ce3d0401': 'sha256',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
};
/** 1.2.840.113549.1.1.10: RSASSA-PSS, whose hash is among its parameters (RFC 4055, section 3.1). */
const PSS = '2a864886f70d01010a';
/** 2.16.840.1.101.3.4.2.* */
const PSS_HASHES: Readonly<Record<string, string>> = { '608648016503040201': 'sha256', '608648016503040202': 'sha384', '608648016503040203': 'sha512' };

interface Der {
  readonly tag: number;
  readonly content: Buffer;
  readonly rest: Buffer;
}

/** The first element of DER (X.690). Certificates come checked from TLS, so nothing is checked here. */
function readDer(bytes: Buffer): Der {
  const first = bytes[1] ?? 0;
  const lengthBytes = first & 0x80 ? first & 0x7f : 0;
  const length = lengthBytes > 0 ? bytes.readUIntBE(2, lengthBytes) : first;
  const start = 2 + lengthBytes;
  return { tag: bytes[0] ?? 0, content: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) };
}

/** The hash that `tls-server-end-point` takes of a certificate: that of its signature; for MD5 and SHA-1, SHA-256 (RFC 5929, section 4.1). */
function endPointHash(certificate: Buffer): string | undefined {
  const toBeSigned = readDer(readDer(certificate).content);
  const algorithm = readDer(readDer(toBeSigned.rest).content);
  const oid = algorithm.content.toString('hex');
  if (oid !== PSS) return HASHES[oid];
  const parameters = readDer(algorithm.rest);
  const hash = readDer(parameters.content);
  // [0] HashAlgorithm; SHA-1 where it is left out
  return hash.tag === 0xa0 ? PSS_HASHES[readDer(readDer(hash.content).content).content.toString('hex')] : 'sha256';
}

/**
 * A TLS channel's `tls-server-end-point` (RFC 5929), as channel bindings carry it.
 * @param certificate the server's, DER
 * @returns undefined where there is no such value for the kind of certificate, such as Ed25519
 */
export function endPoint(certificate: Buffer): Buffer | undefined {
  const hash = endPointHash(certificate);
  return hash === undefined ? undefined : Buffer.concat([Buffer.from('tls-server-end-point:'), createHash(hash).update(certificate).digest()]);
}

/**
 * What binds a login to a TLS channel, so that nobody in between can pass it on: the MD5 of a
 * gss_channel_bindings_struct without addresses ([MS-NLMP] 2.2.2.1, MsvAvChannelBindings; RFC 4121,
 * section 4.1.1.2), whose data is the channel's {@link endPoint}.
 * @returns undefined where the channel has none
 */
export function channelBinding(certificate: Buffer): Buffer | undefined {
  const data = endPoint(certificate);
  if (!data) return undefined;
  const head = Buffer.alloc(20);
  head.writeUInt32LE(data.length, 16);
  return md5(head, data);
}
