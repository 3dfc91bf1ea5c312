import { isIP } from 'node:net';
import { DISCOVERY_RANGES } from '../../../kit/zabbix-collecting-limits.js';
import { addressBytes } from '../../../protocols/ping/address.js';

/** Bytes of an IPv4 address, or groups of an IPv6 address: the least and the most of each. */
interface Range {
  readonly family: 4 | 6;
  readonly parts: readonly (readonly [number, number])[];
}

/**
 * A test for the addresses of a rule: `10.0.0.1-254,10.1.0.0/24,192.168.1-4.1-255,2001:db8::1-ff`
 * (https://www.zabbix.com/documentation/6.0/en/manual/discovery/network_discovery/rule). A part that cannot be read
 * covers nothing.
 */
export function rangeTest(text: string): (address: string) => boolean {
  const ranges = text.split(',').slice(0, DISCOVERY_RANGES).map((part) => parseRange(part.trim())).filter((range) => range !== undefined);
  return (address) => {
    const version = isIP(address);
    if (version === 0) return false;
    const values = partsOf(address);
    return ranges.some(({ family, parts }) => family === version && parts.every(([least, most], index) => values[index]! >= least && values[index]! <= most));
  };
}

/** Bytes, or groups of 16 bits. */
function partsOf(address: string): number[] {
  const bytes = addressBytes(address);
  if (bytes.length === 4) return [...bytes];
  return Array.from({ length: 8 }, (_, index) => bytes[2 * index]! * 256 + bytes[2 * index + 1]!);
}

function parseRange(text: string): Range | undefined {
  const [address = '', prefix, more] = text.split('/');
  if (more !== undefined) return undefined;
  if (prefix !== undefined) return networkRange(address, prefix);
  const first = text.replace(/-[\da-fA-F]+/g, '');
  const family = isIP(first) as 0 | 4 | 6;
  if (family === 0) return undefined;
  if (family === 6) return lastGroupRange(text, first);
  const parts = text.split('.').map((part) => part.split('-').map(Number));
  const isRight = parts.every(([least, most = least]) => Number.isInteger(least) && Number.isInteger(most) && least! <= most! && most! <= 255);
  return isRight ? { family, parts: parts.map(([least, most = least]) => [least!, most!]) } : undefined;
}

/** Of an IPv6 address the last group may be a range. */
function lastGroupRange(text: string, first: string): Range | undefined {
  const parts = partsOf(first).map((part): [number, number] => [part, part]);
  const [, most] = /:[\da-fA-F]*-([\da-fA-F]{1,4})$/.exec(text) ?? [];
  if (most !== undefined) parts[7]![1] = Number.parseInt(most, 16);
  else if (text !== first) return undefined;
  return parts[7]![0] <= parts[7]![1] ? { family: 6, parts } : undefined;
}

function networkRange(address: string, prefix: string): Range | undefined {
  const family = isIP(address) as 0 | 4 | 6;
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
  if (family === 0 || !(bits <= (family === 4 ? 32 : 128))) return undefined;
  const size = family === 4 ? 8 : 16;
  return {
    family,
    parts: partsOf(address).map((part, index) => {
      const free = 2 ** Math.max(0, Math.min(size, (index + 1) * size - bits)) - 1;
      const least = part - part % (free + 1);
      return [least, least + free];
    }),
  };
}
