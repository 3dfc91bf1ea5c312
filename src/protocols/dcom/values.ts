import type { WmiObject, WmiPath, WmiValue } from '../wmi/connection.js';
import { WmiAnswerError } from '../wmi/errors.js';

/** WMI's values and paths as DCOM has them, and as a WmiConnection gives them. */

/** DSP0004, 5.2.4: `yyyymmddHHMMSS.mmmmmmsUUU`, with the offset in minutes. */
const DATETIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-])(\d{3})$/;
const REFERENCE = /^(?:\\\\[^\\]+\\)?(?:([^:."]+):)?(\w+)(?:\.(.+)|=@)?$/s;
const KEY = /(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^,"]*))(?:,|$)/gs;

const two = (number: number): string => String(number).padStart(2, '0');

/** ISO 8601; what is no point in time, such as an interval, stays as it is. */
export function isoDate(text: string): string {
  const found = DATETIME.exec(text);
  if (!found) return text;
  const [, year, month, day, hours, minutes, seconds, fraction, sign, offset] = found as unknown as readonly [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const part = fraction.replace(/0+$/, '');
  const zone = Number(offset) === 0 ? 'Z' : `${sign}${two(Math.floor(Number(offset) / 60))}:${two(Number(offset) % 60)}`;
  return `${year}-${month}-${day}T${hours}:${minutes}:${seconds}${part === '' ? '' : `.${part}`}${zone}`;
}

/** `Class.Key="value",…`; `Class=@` where a class has but one instance. */
export function writePath({ className, keys }: WmiPath): string {
  const written = Object.entries(keys).map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`);
  return written.length === 0 ? `${className}=@` : `${className}.${written.join(',')}`;
}

/** A reference's text, or undefined where it names nothing. @param namespace in which it was found */
export function readPath(text: string, namespace: string): WmiPath | undefined {
  const [whole, space, className, keys = ''] = REFERENCE.exec(text) ?? [];
  if (whole === undefined || className === undefined) return undefined;
  const pairs = [...keys.matchAll(KEY)].map(([, name = '', quoted, bare = '']) => [name, quoted === undefined ? bare : quoted.replace(/\\(.)/gs, '$1')] as const);
  return { namespace: space?.replaceAll('\\', '/') ?? namespace, className, keys: Object.fromEntries(pairs) };
}

function readScalar(type: string, value: unknown, namespace: string): WmiValue {
  if (value === null) return null;
  if (type === 'object') return readObject(value, namespace);
  if (typeof value !== 'string') throw new WmiAnswerError('its helper tells a value that is none');
  if (type === 'bool') return value.toLowerCase();
  if (type === 'datetime') return isoDate(value);
  return type === 'reference' ? readPath(value, namespace) ?? value : value;
}

/** An object as the helper tells it: by property, its type and its value. @throws WmiAnswerError */
export function readObject(row: unknown, namespace: string): WmiObject {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new WmiAnswerError('its helper tells an object that is none');
  return Object.fromEntries(Object.entries(row).map(([name, told]: [string, unknown]) => {
    const [type, value]: readonly unknown[] = Array.isArray(told) ? told : [];
    if (typeof type !== 'string' || value === undefined) throw new WmiAnswerError('its helper tells a property that is none');
    if (!type.endsWith('[]') || value === null) return [name, readScalar(type.replace('[]', ''), value, namespace)];
    if (!Array.isArray(value)) throw new WmiAnswerError('its helper tells an array that is none');
    return [name, value.map((each: unknown) => readScalar(type.slice(0, -2), each, namespace))];
  }));
}
