/** The 16-byte blocks of a round: which word each step takes, and by how much it turns (RFC 1320, section 3.4). */
const ROUNDS = [
  { constant: 0, words: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], turns: [3, 7, 11, 19], mix: (x: number, y: number, z: number) => (x & y) | (~x & z) },
  { constant: 0x5a827999, words: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], turns: [3, 5, 9, 13], mix: (x: number, y: number, z: number) => (x & y) | (x & z) | (y & z) },
  { constant: 0x6ed9eba1, words: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], turns: [3, 9, 11, 15], mix: (x: number, y: number, z: number) => x ^ y ^ z },
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
