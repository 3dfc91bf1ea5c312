import wakeOnLan from 'wake_on_lan';
import { parseMac } from './mac.js';

/** The magic packet: AMD, "Magic Packet Technology" (publication 20213); SecureOn is National Semiconductor's. */

const SYNC = 6;
const OCTETS = 6;
const COPIES = 16;
const LENGTH = SYNC + COPIES * OCTETS;

export interface MagicPacket {
  /** as `52:54:00:aa:00:11` */
  readonly mac: string;
  /** 4 or 6 bytes */
  readonly password?: Uint8Array;
}

/** @throws MacError */
export function magicPacket({ mac, password }: MagicPacket): Buffer {
  const packet = wakeOnLan.createMagicPacket(parseMac(mac).replaceAll(':', ''));
  return password ? Buffer.concat([packet, password]) : packet;
}

/**
 * Finds a magic packet, which network cards look for anywhere in a frame.
 * @param bytes of a datagram, or of a whole frame
 * @returns undefined where there is none
 */
export function parseMagicPacket(bytes: Uint8Array): MagicPacket | undefined {
  for (let start = 0; start + LENGTH <= bytes.length; start += 1) {
    if (!isMagic(bytes, start)) continue;
    const mac = Buffer.from(bytes.subarray(start + SYNC, start + SYNC + OCTETS)).toString('hex').match(/../g)?.join(':') ?? '';
    const rest = bytes.subarray(start + LENGTH);
    return rest.length === 4 || rest.length === OCTETS ? { mac, password: Uint8Array.from(rest) } : { mac };
  }
  return undefined;
}

function isMagic(bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < SYNC; index += 1) if (bytes[start + index] !== 0xff) return false;
  const first = start + SYNC;
  // An address that begins with FF is a group's: these bytes still belong to the row of FFs.
  if (bytes[first] === 0xff) return false;
  for (let index = OCTETS; index < COPIES * OCTETS; index += 1) {
    if (bytes[first + index] !== bytes[first + index % OCTETS]) return false;
  }
  return true;
}
