import { entryOf } from '../../../../kit/tables.js';

/** Words for bytes in which OVF of before 2009 gives sizes; programs of today still write them. */
const WORDS: Readonly<Record<string, bigint>> = {
  byte: 1n, bytes: 1n, kilobytes: 1n << 10n, megabytes: 1n << 20n, gigabytes: 1n << 30n, terabytes: 1n << 40n,
};

/** Programmatic units (DMTF DSP0004, annex C): `byte * 2^20`. */
const PROGRAMMATIC = /^byte(?: ?\* ?2\^(10|20|30|40))$/;

/** Bytes that so many of a unit are; undefined for a unit that is not known. */
export function bytesOf(quantity: bigint, unit: string): bigint | undefined {
  const word = unit.trim().toLowerCase();
  const exponent = PROGRAMMATIC.exec(word)?.[1];
  const factor = exponent === undefined ? entryOf(WORDS, word) : 1n << BigInt(exponent);
  return factor === undefined ? undefined : quantity * factor;
}
