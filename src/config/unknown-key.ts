import type * as v from 'valibot';
import { nearest } from '../kit/nearest.js';

/** Keys longer than this are no mistyped ones: they are not compared with those that there are. */
const LONGEST_KEY = 64;

/** What a schema of this library may wrap: only the parts that lead to the keys of a table. */
interface Shape {
  readonly entries?: Readonly<Record<string, Shape>>;
  readonly wrapped?: Shape;
  readonly item?: Shape;
  readonly value?: Shape;
}

/** The schema of the value at a path within that of the whole, or undefined. */
function shapeAt(shape: Shape | undefined, path: readonly (string | number)[]): Shape | undefined {
  if (shape?.wrapped) return shapeAt(shape.wrapped, path);
  const [key, ...rest] = path;
  if (shape === undefined || key === undefined) return shape;
  if (shape.entries) return Object.hasOwn(shape.entries, key) ? shapeAt(shape.entries[key], rest) : undefined;
  return shapeAt(typeof key === 'number' ? shape.item : shape.value, rest);
}

/** Whether what a schema complains of is a key that its table does not have. */
export const isUnknownKey = (issue: v.BaseIssue<unknown>): boolean => issue.type === 'strict_object' && issue.expected === 'never';

/**
 * What to say of a key that a table does not have: which of its keys may have been meant, else all of them.
 * @param path the key, from the value that the schema is for
 */
export function unknownKey(schema: v.GenericSchema, path: readonly (string | number)[]): string {
  const key = String(path.at(-1));
  const known = Object.keys(shapeAt(schema as Shape, path.slice(0, -1))?.entries ?? {});
  const near = key.length > LONGEST_KEY ? undefined : nearest(key.toLowerCase().replaceAll('_', '-'), known);
  if (near !== undefined) return `unknown key ${key}; is ${near} meant?`;
  return `unknown key ${key}${known.length === 0 ? '' : `; there are ${known.join(', ')}`}`;
}
