/** Values as XenAPI writes them, in either wire form. */

export type XapiRecord = Readonly<Record<string, unknown>>;

export const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Handles; those that mean none (`OpaqueRef:NULL`, or empty) are left out. */
export const refs = (value: unknown): string[] => (Array.isArray(value) ? value : [value]).map(text).filter((ref) => ref !== '' && ref !== 'OpaqueRef:NULL');

/** A handle; undefined where there is none. */
export const ref = (value: unknown): string | undefined => refs(value)[0];

/** An int64, which is a number in JSON and a text in XML-RPC; undefined where it is neither, or negative. */
export function bytes(value: unknown): bigint | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : /^\d+$/.test(text(value)) ? BigInt(text(value)) : undefined;
}

export const count = (value: unknown): number | undefined => {
  const whole = bytes(value);
  return whole === undefined ? undefined : Number(whole);
};

export const entries = (value: unknown): [string, string][] =>
  (typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value).map(([key, each]) => [key, text(each)]) : []);

/**
 * A date such as `20240101T00:00:00Z`, in ms since 1970.
 * @returns undefined for what is none, and for 1970 itself, by which XenAPI says "never"
 */
export function time(value: unknown): number | undefined {
  const iso = text(value instanceof Date ? value.toISOString() : value).replace(/^(\d{4})(\d\d)(\d\d)T/, '$1-$2-$3T');
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}
