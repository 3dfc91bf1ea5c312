import type { WmiObject, WmiPath, WmiValue } from '../../protocols/wmi/connection.js';

/** WMI's values as the program wants them. What is absent, null or of another kind is undefined, or the empty text. */

export const text = (value: WmiValue | undefined): string => (typeof value === 'string' ? value : '');

/** The texts of an array; a lone value counts as an array of one. */
export function texts(value: WmiValue | undefined): string[] {
  const list: readonly WmiValue[] = Array.isArray(value) ? value as readonly WmiValue[] : [value ?? null];
  return list.filter((each): each is string => typeof each === 'string' && each !== '');
}

/** Any of WMI's whole numbers; uint64 goes beyond what a Number holds. */
export function whole(value: WmiValue | undefined): bigint | undefined {
  const digits = text(value).trim();
  return /^-?\d{1,20}$/.test(digits) ? BigInt(digits) : undefined;
}

/** A whole number that is known to be small: a state, a code, a count. */
export function count(value: WmiValue | undefined): number | undefined {
  const found = whole(value);
  return found === undefined ? undefined : Number(found);
}

/** A CIM datetime as DSP0004 (5.2.4) writes it: `yyyymmddHHMMSS.mmmmmm±mmm`, the offset in minutes. */
const CIM_DATETIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{3})\d{3}([+-]\d{3})$/;
const ISO_DATETIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$/;

/** @returns milliseconds since 1970; a time without an offset is taken for UTC */
export function time(value: WmiValue | undefined): number | undefined {
  const written = text(value).trim();
  const cim = CIM_DATETIME.exec(written);
  if (cim) {
    const [year, month, day, hours, minutes, seconds, ms, offset] = cim.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return Date.UTC(year, month - 1, day, hours, minutes - offset, seconds, ms);
  }
  const iso = ISO_DATETIME.exec(written);
  if (!iso) return undefined;
  const found = Date.parse(iso[2] === undefined ? `${written}Z` : written);
  return Number.isNaN(found) ? undefined : found;
}

/** A reference to another object, such as a job. */
export function reference(value: WmiValue | undefined): WmiPath | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { namespace, className, keys } = value as Partial<WmiPath>;
  return typeof namespace === 'string' && typeof className === 'string' && typeof keys === 'object' ? { namespace, className, keys } : undefined;
}

/** Text in quotes for WQL, whose escape is the backslash. */
export const quoted = (content: string): string => `'${content.replace(/[\\']/g, '\\$&')}'`;

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const PROPERTY = /<PROPERTY\s[^>]*?\bNAME="([^"]*)"[^>]*>\s*<VALUE>([^<]*)<\/VALUE>/gi;

/**
 * The properties of an embedded instance, which WMI writes as text in the form of DSP0201
 * (`<INSTANCE><PROPERTY NAME="…"><VALUE>…`). Only plain values are read, and no entities but XML's own.
 */
export function embedded(value: WmiValue | undefined): WmiObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as WmiObject;
  return Object.fromEntries([...text(value).matchAll(PROPERTY)].map(([, name = '', content = '']) => [name, unescape(content)]));
}

/** An instance in the same form, as methods take it. @param properties name, CIM type and value of each */
export const writeEmbedded = (className: string, properties: readonly (readonly [name: string, type: string, value: string])[]): string =>
  `<INSTANCE CLASSNAME="${className}">${properties.map(([name, type, value]) => `<PROPERTY NAME="${name}" TYPE="${type}"><VALUE>${value.replace(/[<>&]/g, (each) => `&#${each.charCodeAt(0)};`)}</VALUE></PROPERTY>`).join('')}</INSTANCE>`;

const unescape = (content: string): string => content.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(lt|gt|amp|quot|apos));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
  if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
  const point = decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal);
  return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
});
