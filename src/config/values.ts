import { isIP } from 'node:net';
import * as v from 'valibot';
import { parseDuration, UNIT_MS } from '../kit/text.js';

export { parseDuration };

/** The kinds of values that argo-server.conf knows, as schemas for the daemon's and the drivers' tables. */

/** No timer runs longer: it would go off at once. Milliseconds. */
const LONGEST_DURATION = 24 * 86_400_000;

/** `"30s"` in the file, milliseconds in the program. */
export const duration = v.pipe(
  v.string('a duration in quotes is expected, such as "30s"'),
  v.check((text) => parseDuration(text) !== undefined, 'not a duration; write "500ms", "30s", "10m", "2h" or "7d"'),
  v.transform((text) => parseDuration(text) ?? 0),
  v.maxValue(LONGEST_DURATION, 'must be at most "24d"'),
);

/** A {@link duration} for what must not be over before it has begun. */
export const positiveDuration = v.pipe(duration, v.minValue(1, 'must be more than zero'));

/** A time to keep things for, in milliseconds: days and years, or for ever, which is undefined. */
export const longDuration = v.pipe(
  v.string('a duration in quotes is expected, such as "400d", or "forever"'),
  v.check((text) => text === 'forever' || (parseDuration(text) ?? 0) >= UNIT_MS.d!, 'write "forever", or a duration of at least "1d"'),
  v.transform((text) => (text === 'forever' ? undefined : parseDuration(text))),
);

const SIZE_UNITS: Readonly<Record<string, number>> = { MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };

/** `"500MiB"` in the file, bytes in the program. */
export const size = v.pipe(
  v.string('a size in quotes is expected, such as "500MiB"'),
  v.regex(/^[1-9]\d{0,5}(?:MiB|GiB|TiB)$/, 'not a size; write "500MiB", "1GiB" or "2TiB"'),
  v.transform((text) => Number.parseInt(text, 10) * SIZE_UNITS[text.slice(-3)]!),
);

/** A whole number within limits, both included. */
export const whole = (least: number, most: number) => v.pipe(
  v.number('a number is expected'),
  v.integer('a whole number is expected'),
  v.minValue(least, `must be at least ${least}`),
  v.maxValue(most, `must be at most ${most}`),
);

/** Text that is not empty. */
export const text = v.pipe(v.string('text in quotes is expected'), v.minLength(1, 'must not be empty'));

export const texts = v.array(text, 'a list of texts is expected, such as ["a", "b"]');

export const flag = v.boolean('true or false is expected');

/** Where to listen or connect: a host name or address, and a port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * `host:port` or `[v6]:port`.
 * @returns undefined for anything else
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match && port <= 65_535 ? { host: match[1] ?? match[2] ?? '', port } : undefined;
}

export const endpoint = v.pipe(
  text,
  v.check((value) => parseEndpoint(value) !== undefined, 'write host:port, such as "127.0.0.1:20203" or "[::1]:20203"'),
  v.transform((value) => parseEndpoint(value)!),
);

export const endpoints = v.array(endpoint, 'a list is expected, such as ["127.0.0.1:20203"]');

/** A network: address family, address and length of the prefix. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/**
 * `10.0.0.0/8`, `::1`, `fe80::/10`.
 * @returns undefined for anything else
 */
export function parseNetwork(value: string): Network | undefined {
  const [address = '', length, ...rest] = value.split('/');
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  const prefix = length === undefined ? most : Number(length);
  if (version === 0 || rest.length > 0 || !/^\d*$/.test(length ?? '') || length === '' || prefix > most) return undefined;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

export const network = v.pipe(
  text,
  v.check((value) => parseNetwork(value) !== undefined, 'not a network; write "10.0.0.0/8", "192.168.1.7" or "::1"'),
  v.transform((value) => parseNetwork(value)!),
);

export const networks = v.array(network, 'a list is expected, such as ["10.0.0.0/8", "::1"]');
