import { randomBytes } from 'node:crypto';

/**
 * Ids of orders and questions: UUIDs of version 7 (RFC 9562, 5.7). They begin with the time at which they were made, so that
 * they stand in the order of their making, and whoever has forgotten the oldest knows of any whether it may be one of these.
 */

const FORM = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const TIME_DIGITS = 12;
/** Random digits of an id, and ids for which they are asked for in one go: the system takes its time for each request. */
const RANDOM_DIGITS = 20;
const AT_ONCE = 256;

let digits = '';
let used = 0;

function randomDigits(): string {
  if (used === digits.length) {
    digits = randomBytes(AT_ONCE * RANDOM_DIGITS / 2).toString('hex');
    used = 0;
  }
  used += RANDOM_DIGITS;
  return digits.slice(used - RANDOM_DIGITS, used);
}

/** 48 bits of time, in milliseconds since 1970. */
const timeDigits = (ms: number): string => Math.max(0, Math.trunc(ms)).toString(16).padStart(TIME_DIGITS, '0');

function form(time: string, rest: string): string {
  const variant = (0x8 | (Number.parseInt(rest[3]!, 16) & 0x3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-${variant}${rest.slice(4, 7)}-${rest.slice(7, 19)}`;
}

/** A new id. @param now ms since 1970 */
export const newId = (now = Date.now()): string => form(timeDigits(now), randomDigits());

/** The greatest id that may be made at a time. */
export const lastIdAt = (ms: number): string => form(timeDigits(ms), 'f'.repeat(RANDOM_DIGITS));

/** When an id was made, ms since 1970 by the clock of whoever did; undefined: it is none. */
export function timeOfId(id: string): number | undefined {
  return FORM.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}
