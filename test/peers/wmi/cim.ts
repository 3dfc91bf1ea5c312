/** The part of CIM that WMI classes are made of. Knows nothing of SOAP. */

/** Names an instance. */
export class Reference {
  constructor(readonly namespace: string, readonly className: string, readonly keys: Readonly<Record<string, string>>) {}
}

/** An instance as a value. */
export class Embedded {
  constructor(readonly namespace: string, readonly className: string, readonly properties: Properties) {}
}

export type CimValue = string | number | bigint | boolean | Date | null | Reference | Embedded | readonly CimValue[];
export type Properties = Readonly<Record<string, CimValue>>;

export interface Parameter {
  readonly name: string;
  readonly type: 'uint' | 'boolean' | 'string' | 'datetime' | 'reference';
  readonly isArray?: true;
  /** the others may be left out */
  readonly isRequired?: true;
}

export type Argument = string | Reference | readonly (string | Reference)[] | null;
export type Arguments = Readonly<Record<string, Argument>>;

/** A method: what it takes, in the order of the class's MOF, and what it does to one instance. */
export interface Method {
  readonly parameters: readonly Parameter[];
  /** @returns out-parameters and ReturnValue */
  call(instance: Properties, args: Arguments): Properties | Promise<Properties>;
}

export interface CimClass {
  readonly name: string;
  readonly keys: readonly string[];
  /** keys that do in a selector, where a part of all names the only instance */
  readonly enough?: readonly string[];
  /** there is one instance, so that no key is needed */
  readonly isSingleton?: true;
  instances(): readonly Properties[];
  readonly methods?: Readonly<Record<string, Method>>;
}

export interface Namespace {
  /** as in `root/cimv2` */
  readonly name: string;
  readonly classes: readonly CimClass[];
  /** instances that `ASSOCIATORS OF` finds beside one */
  associators?(of: Properties, className: string, resultClass: string): readonly Properties[];
}

/** WMI's own HRESULTs. */
export const WBEM = {
  invalidParameters: 0x8004102f,
  invalidMethod: 0x8004102e,
  invalidClass: 0x80041010,
  invalidNamespace: 0x8004100e,
  callFailed: 0x80041001,
} as const;

const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

/** Class names have no case. */
export const findClass = (namespace: Namespace, name: string): CimClass | undefined =>
  namespace.classes.find((each) => same(each.name, name));

/** How a value is compared and written where it is one word. */
export function plain(value: CimValue): string {
  if (value === null) return '';
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Reference) return `${value.className}.${Object.entries(value.keys).map(([key, each]) => `${key}="${each.replace(/(["\\])/g, '\\$1')}"`).join(',')}`;
  if (value instanceof Embedded) return '';
  return Array.isArray(value) ? (value as readonly CimValue[]).map(plain).join(',') : String(value);
}

export const sameValue = (value: CimValue, text: string): boolean => same(plain(value), text);
