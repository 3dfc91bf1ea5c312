import type { Sighting } from './driver.js';

/** Digits of numbers up to which they are compared by their value. */
const DIGITS = 12;

const keyOf = (name: string): string => name.normalize('NFKD').toLowerCase().replace(/\d+/g, (digits) => digits.padStart(DIGITS, '0'));

/** As people expect names: web2 before web10. By keys that are made once, since a collator takes ms for a thousand names. */
export function inOrder(sightings: readonly Sighting[]): Sighting[] {
  const keyed = sightings.map((sighting) => ({ sighting, key: keyOf(sighting.machine.name) }));
  keyed.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0));
  return keyed.map(({ sighting }) => sighting);
}
