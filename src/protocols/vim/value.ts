/** The values of vSphere's answers, as they are used here. */

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

/** A time, also where its type was not told; undefined for what is none. */
export function dateOf(value: VimValue | undefined): Date | undefined {
  const date = typeof value === 'string' ? new Date(value) : value;
  return date instanceof Date && !Number.isNaN(date.getTime()) ? date : undefined;
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
