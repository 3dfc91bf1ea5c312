import { createHash, createHmac } from 'node:crypto';
import { md4 } from './md4.js';
import { utf16 } from './messages.js';

export const hmacMd5 = (key: Buffer, ...parts: readonly Uint8Array[]): Buffer =>
  parts.reduce((mac, part) => mac.update(part), createHmac('md5', key)).digest();

export const md5 = (...parts: readonly Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest();

/** NTOWFv2 ([MS-NLMP] 3.3.2): what stands for the password, as good as it. The domain counts as it is written. */
export function ntowfv2(user: string, password: string, domain: string): Buffer {
  return hmacMd5(md4(utf16(password)), utf16(upperCase(user) + domain));
}

/** As Windows does it: letter by letter, and only where one letter remains, so `ß` stays. */
const upperCase = (text: string): string => text.replace(/./gsu, (letter) => {
  const upper = letter.toUpperCase();
  return upper.length === letter.length ? upper : letter;
});

export interface NtResponse {
  /** NTLMv2_RESPONSE ([MS-NLMP] 2.2.2.8) */
  readonly response: Buffer;
  readonly sessionBaseKey: Buffer;
}

/**
 * ComputeResponse of NTLMv2 ([MS-NLMP] 3.3.2).
 * @param key of {@link ntowfv2}
 * @param time FILETIME, 8 bytes
 * @param clientChallenge 8 bytes
 */
export function computeResponse(key: Buffer, serverChallenge: Buffer, clientChallenge: Buffer, time: Buffer, targetInfo: Buffer): NtResponse {
  const content = Buffer.concat([Buffer.from([1, 1, 0, 0, 0, 0, 0, 0]), time, clientChallenge, Buffer.alloc(4), targetInfo, Buffer.alloc(4)]);
  const proof = hmacMd5(key, serverChallenge, content);
  return { response: Buffer.concat([proof, content]), sessionBaseKey: hmacMd5(key, proof) };
}

/** LMv2_RESPONSE ([MS-NLMP] 3.3.2), for servers that give no time. */
export const computeLmResponse = (key: Buffer, serverChallenge: Buffer, clientChallenge: Buffer): Buffer =>
  Buffer.concat([hmacMd5(key, serverChallenge, clientChallenge), clientChallenge]);
