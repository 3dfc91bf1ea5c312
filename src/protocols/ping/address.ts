import { SocketAddress } from 'node:net';

export type Family = 4 | 6;

const ZERO = '0'.charCodeAt(0);

/** @param address one that node:net's isIP accepts */
export const familyOf = (address: string): Family => (address.includes(':') ? 6 : 4);

/**
 * The bytes of an address, 4 or 16, so that its spellings compare equal. A zone (`%eth0`) does not count.
 * @param address one that node:net's isIP accepts
 */
export function addressBytes(address: string): Uint8Array {
  if (familyOf(address) === 4) return ipv4Bytes(address);
  const bytes = new Uint8Array(16);
  const [head = '', tail] = withoutDots(address.split('%')[0] ?? '').split('::');
  writeGroups(bytes, 0, head);
  if (tail !== undefined) writeGroups(bytes, 16 - 2 * groupsOf(tail).length, tail);
  return bytes;
}

/** Written out, since it is done for every host of every sweep. */
function ipv4Bytes(address: string): Uint8Array {
  const bytes = new Uint8Array(4);
  let index = 0;
  for (let at = 0; at < address.length; at += 1) {
    const digit = address.charCodeAt(at) - ZERO;
    if (digit < 0) index += 1;
    else bytes[index] = (bytes[index] ?? 0) * 10 + digit;
  }
  return bytes;
}

/** An address of 4 or 16 bytes as text, RFC 5952. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

const groupsOf = (text: string): string[] => text.split(':').filter((group) => group !== '');

function writeGroups(bytes: Uint8Array, start: number, text: string): void {
  groupsOf(text).forEach((group, index) => {
    const value = Number.parseInt(group, 16);
    bytes[start + 2 * index] = value >> 8;
    bytes[start + 2 * index + 1] = value & 0xff;
  });
}

/** `::ffff:10.0.0.1` with its last part as two groups. */
function withoutDots(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
}

/** Whether bytes stand in a packet at a place. */
export function standsAt(packet: Uint8Array, offset: number, bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index += 1) {
    if (packet[offset + index] !== bytes[index]) return false;
  }
  return true;
}
