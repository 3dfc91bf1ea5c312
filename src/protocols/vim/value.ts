import { Slices } from '../../kit/slices.js';

/** Values as they arrive through the SOAP library, and as they are used here. */

/** A reference to an object of the server, such as VirtualMachine vm-42. */
export interface Ref {
  readonly type: string;
  readonly value: string;
}

/** What a property may hold. A fault or another typed object tells its type in {@link TYPE_KEY}. */
export type VimValue = string | number | boolean | Date | null | Ref | readonly VimValue[] | VimObject;
export interface VimObject {
  readonly [field: string]: VimValue | undefined;
}

/** Where an object's xsi:type is kept; no element is named like that. */
export const TYPE_KEY = '$type';

/** Deeper nesting than in any answer of a server that means well. */
const DEEPEST = 40;

/** A list of no more objects is no long one. */
const FEW = 10;
/** Lists that may be long stand no deeper than returnval, filterSet and objectSet. */
const LISTS_WITHIN = 5;

const NUMBERS = new Set(['byte', 'short', 'int', 'long', 'float', 'double']);

type Parsed = Readonly<Record<string, unknown>>;

const isParsed = (value: unknown): value is Parsed => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

const without = (name: string): string => name.slice(name.indexOf(':') + 1);

/** The type attribute of the schema-instance namespace; vCenter calls that xsi, vcsim otherwise. */
function xsiType(attributes: Parsed): string | undefined {
  const found = Object.entries(attributes).find(([name]) => name.endsWith(':type'));
  return found === undefined ? undefined : without(String(found[1]));
}

/**
 * A parsed element as plain data: numbers and truth values by their xsi:type, references as
 * {@link Ref}, `ArrayOf…` as arrays, empty elements as null.
 * @throws RangeError where it is nested too deeply
 */
export function toValue(parsed: unknown, depth = 0): VimValue {
  if (depth > DEEPEST) throw new RangeError('the answer is nested too deeply');
  if (parsed === undefined || parsed === null) return null;
  if (Array.isArray(parsed)) return parsed.map((item) => toValue(item, depth + 1));
  if (typeof parsed === 'string' || typeof parsed === 'number' || typeof parsed === 'boolean' || parsed instanceof Date) return parsed;
  return isParsed(parsed) ? fromElement(parsed, depth) : null;
}

/** As {@link toValue}, with turns for everyone else in between where the answer holds a long list. */
export async function toValueInTurns(parsed: unknown, depth = 0, slices = new Slices()): Promise<VimValue> {
  if (depth > LISTS_WITHIN) return toValue(parsed, depth);
  if (Array.isArray(parsed)) {
    const values: VimValue[] = [];
    for (const item of parsed) {
      if (slices.isOverNow()) await slices.pause();
      values.push(parsed.length > FEW ? toValue(item, depth + 1) : await toValueInTurns(item, depth + 1, slices));
    }
    return values;
  }
  if (!isParsed(parsed) || 'attributes' in parsed) return toValue(parsed, depth);
  const object: Record<string, VimValue> = {};
  for (const [name, value] of Object.entries(parsed)) object[without(name)] = await toValueInTurns(value, depth + 1, slices);
  return object;
}

function fromElement(element: Parsed, depth: number): VimValue {
  const attributes = isParsed(element.attributes) ? element.attributes : {};
  const type = xsiType(attributes);
  const fields = Object.entries(element).filter(([name]) => name !== 'attributes');
  if (type?.startsWith('ArrayOf')) {
    const items = fields[0]?.[1];
    return items === undefined ? [] : (Array.isArray(items) ? items : [items]).map((item) => toValue(item, depth + 1));
  }
  if ('$value' in element) return fromText(element.$value, type, attributes);
  if (type === 'string') return '';
  const object: Record<string, VimValue> = {};
  if (type !== undefined) object[TYPE_KEY] = type;
  for (const [name, value] of fields) object[without(name)] = toValue(value, depth + 1);
  return object;
}

function fromText(text: unknown, type: string | undefined, attributes: Parsed): VimValue {
  if (typeof attributes.type === 'string') return { type: attributes.type, value: String(text) };
  if (type === 'boolean') return text === true || text === 'true' || text === '1';
  if (type !== undefined && NUMBERS.has(type)) return Number(text);
  if (type === 'dateTime' && typeof text === 'string') return new Date(text);
  return toValue(text);
}

export const isObject = (value: VimValue | undefined): value is VimObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

export function isRef(value: VimValue | undefined): value is Ref {
  return isObject(value) && typeof value.type === 'string' && typeof value.value === 'string' && Object.keys(value).length === 2;
}

/** A field below an object, by its path; undefined where any of it is absent. */
export function at(value: VimValue | undefined, ...path: readonly string[]): VimValue | undefined {
  let found = value;
  for (const name of path) found = isObject(found) ? found[name] : undefined;
  return found;
}

export const textOf = (value: VimValue | undefined): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** A number, also where its type was not told. */
export function numberOf(value: VimValue | undefined): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

export const flagOf = (value: VimValue | undefined): boolean => value === true || value === 'true' || value === '1';

/** One or many, as a list. */
export function listOf(value: VimValue | undefined): readonly VimValue[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value as readonly VimValue[] : [value as VimValue];
}

export const typeOf = (value: VimValue | undefined): string | undefined => textOf(at(value, TYPE_KEY));

export const sameRef = (one: Ref, other: Ref): boolean => one.value === other.value && one.type === other.type;

/** vSphere writes three characters of a name as URLs do (ManagedEntity.name). */
export const decodeName = (name: string): string =>
  name.replace(/%(2f|5c|25)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
