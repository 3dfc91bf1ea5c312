import { createHash, createHmac } from 'node:crypto';
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

/** The 16-byte blocks of a round: which word each step takes, and by how much it turns (RFC 1320, section 3.4). */
const ROUNDS = [
  {
    constant: 0,
    words: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    turns: [3, 7, 11, 19],
    mix: (x: number, y: number, z: number) => (x & y) | (~x & z),
  },
  {
    constant: 0x5a827999,
    words: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
    turns: [3, 5, 9, 13],
    mix: (x: number, y: number, z: number) => (x & y) | (x & z) | (y & z),
  },
  {
    constant: 0x6ed9eba1,
    words: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
    turns: [3, 9, 11, 15],
    mix: (x: number, y: number, z: number) => x ^ y ^ z,
  },
] as const;

const INITIAL = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;

/**
 * MD4 (RFC 1320): what NTLM makes of a password, and good for nothing else. OpenSSL 3 has it only with
 * its legacy provider, which Node does not load.
 */
export function md4(message: Uint8Array): Buffer {
  const padded = Buffer.alloc(((message.length + 8 >> 6) + 1) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8);
  let state: readonly [number, number, number, number] = INITIAL;
  for (let block = 0; block < padded.length; block += 64) state = compress(state, padded, block);
  const digest = Buffer.alloc(16);
  state.forEach((word, index) => digest.writeUInt32LE(word >>> 0, index * 4));
  return digest;
}

function compress(state: readonly [number, number, number, number], bytes: Buffer, start: number): [number, number, number, number] {
  let [a, b, c, d] = state;
  for (const { constant, words, turns, mix } of ROUNDS) {
    words.forEach((word, step) => {
      const turn = turns[step % 4] as number;
      const sum = a + mix(b, c, d) + bytes.readUInt32LE(start + word * 4) + constant | 0;
      [a, b, c, d] = [d, sum << turn | sum >>> 32 - turn, b, c];
    });
  }
  return [state[0] + a | 0, state[1] + b | 0, state[2] + c | 0, state[3] + d | 0];
}

/**
 * The stream cipher RC4, which NTLM seals with. It is broken as ciphers go; where there is a choice, TLS
 * goes around it. OpenSSL 3 has it only with its legacy provider, which Node does not load.
 */
export class Rc4 {
  readonly #state = new Uint8Array(256);
  #i = 0;
  #j = 0;

  constructor(key: Uint8Array) {
    const state = this.#state;
    for (let i = 0; i < 256; i++) state[i] = i;
    for (let i = 0, j = 0; i < 256; i++) {
      const at = state[i] as number;
      j = (j + at + (key[i % key.length] as number)) & 255;
      state[i] = state[j] as number;
      state[j] = at;
    }
  }

  /** Enciphers or deciphers the next bytes of the stream. */
  update(input: Uint8Array): Buffer {
    const output = Buffer.allocUnsafe(input.length);
    const state = this.#state;
    // Locals, since a private field costs a look-up a byte.
    let i = this.#i;
    let j = this.#j;
    for (let at = 0; at < input.length; at++) {
      i = (i + 1) & 255;
      const left = state[i] as number;
      j = (j + left) & 255;
      const right = state[j] as number;
      state[i] = right;
      state[j] = left;
      output[at] = (input[at] as number) ^ (state[(left + right) & 255] as number);
    }
    this.#i = i;
    this.#j = j;
    return output;
  }
}
