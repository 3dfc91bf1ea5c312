/**
 * Keys of Ed25519 as NATS writes them (nats-io/nkeys, README and strkey.go): base32 without padding of a byte or two that
 * tell the kind, the 32 bytes of the key, and their CRC-16 (XMODEM), lower byte first. `U…` is the public key of a user,
 * `SU…` the seed that makes its private key.
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const KEY_SIZE = 32;
const CHECK_SIZE = 2;
/** Kinds, moved so that the text begins with the letter of each. */
const USER = 20 << 3;
const SEED = 18 << 3;
const PUBLIC_KIND = Buffer.from([USER]);
const SEED_KIND = Buffer.from([SEED | (USER >> 5), (USER & 31) << 3]);

function base32(bytes: Uint8Array): string {
  let text = '';
  let rest = 0;
  let bits = 0;
  for (const byte of bytes) {
    rest = (rest << 8 | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[rest >> (bits - 5) & 31];
  }
  return bits > 0 ? text + ALPHABET[rest << (5 - bits) & 31] : text;
}

/** undefined where it is not what {@link base32} writes for that many bytes */
function fromBase32(text: string, size: number): Buffer | undefined {
  if (text.length !== Math.ceil(size * 8 / 5) || !/^[A-Z2-7]+$/.test(text)) return undefined;
  const bytes = Buffer.alloc(size);
  let rest = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text) {
    rest = (rest << 5 | ALPHABET.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = rest >> bits & 0xff;
      at += 1;
    }
  }
  // What is left must be zero, or two texts would be one key.
  return (rest & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : crc << 1 ^ 0x1021;
    crc &= 0xffff;
  }
  return crc;
}

function encode(kind: Uint8Array, key: Uint8Array): string {
  const content = Buffer.concat([kind, key, Buffer.alloc(CHECK_SIZE)]);
  content.writeUInt16LE(crc16(content.subarray(0, -CHECK_SIZE)), content.length - CHECK_SIZE);
  return base32(content);
}

function decode(kind: Uint8Array, text: string): Buffer | undefined {
  const content = fromBase32(text, kind.length + KEY_SIZE + CHECK_SIZE);
  if (content?.subarray(0, kind.length).equals(kind) !== true) return undefined;
  const check = content.readUInt16LE(content.length - CHECK_SIZE);
  return crc16(content.subarray(0, -CHECK_SIZE)) === check ? content.subarray(kind.length, -CHECK_SIZE) : undefined;
}

/** @param key 32 bytes @returns `U…` */
export const writePublicKey = (key: Uint8Array): string => encode(PUBLIC_KIND, key);

/** The 32 bytes of a user's public key; undefined where the text is none. */
export const readPublicKey = (text: string): Buffer | undefined => decode(PUBLIC_KIND, text);

/** @param key 32 bytes @returns `SU…` */
export const writeSeed = (key: Uint8Array): string => encode(SEED_KIND, key);

/** The 32 bytes of a user's seed; undefined where the text is none. */
export const readSeed = (text: string): Buffer | undefined => decode(SEED_KIND, text);
