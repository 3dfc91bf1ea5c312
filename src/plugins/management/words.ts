import type { Limits, Range } from '../../drivers/management/machine.js';
import { SettingsFault } from '../../kit/errors.js';
import { formatBytes, parseSize } from '../../kit/text.js';
import type { Context } from '../host/contract.js';

/** The words behind the verbs for hosts and machines: values, and `key=value`. Whether a name has its form is the gate's to say. */

/** What a value has to be like. */
export interface Form<T> {
  /** for people: `a size such as 512M or 10G` */
  readonly form: string;
  /** @returns undefined where it is none */
  read(text: string): T | undefined;
}

export const SIZE: Form<bigint> = { form: 'a size such as 512M or 10G is expected', read: parseSize };
export const COUNT: Form<number> = { form: 'a whole number from 1 on is expected', read: (text) => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined) };
export const SWITCH: Form<boolean> = { form: 'on or off is expected', read: (text) => (text === 'on' ? true : text === 'off' ? false : undefined) };
export const TEXT: Form<string> = { form: 'a word is expected', read: (text) => (text === '' ? undefined : text) };

/** Settings by their names in the contract of drivers, each with its form. */
export type Forms = Readonly<Record<string, Form<unknown>>>;
export type Values<F extends Forms> = { readonly [Name in keyof F]?: F[Name] extends Form<infer T> ? T : never };

/** Names that are typed otherwise: a machine has one word for the size of its disk, whatever it is made from. */
const TYPED_AS: Readonly<Record<string, string>> = { size: 'disk' };

/** As it is typed: `search-domain` for `searchDomain`. */
const typedName = (name: string): string => TYPED_AS[name] ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The faults of settings by the names that were typed. */
export const inTypedWords = ({ faults }: SettingsFault): SettingsFault =>
  new SettingsFault(Object.fromEntries(Object.entries(faults).map(([name, fault]) => [typedName(name), fault])));

/** @throws SettingsFault */
export function valueOf<T>(name: string, text: string, { form, read }: Form<T>): T {
  const value = read(text);
  if (value === undefined) throw new SettingsFault({ [name]: form });
  return value;
}

/**
 * Words of the form `key=value`, each key once.
 * @throws ArgoError USAGE for what is no key; SettingsFault that names all values that are wrong
 */
export function settingsOf<F extends Forms>(request: Context, words: readonly string[], forms: F): Values<F> {
  const names = new Map(Object.keys(forms).map((name) => [typedName(name), name]));
  const values: Record<string, unknown> = {};
  const faults: Record<string, string> = {};
  for (const word of words) {
    const key = word.slice(0, Math.max(0, word.indexOf('=')));
    const name = names.get(key) ?? request.usage();
    if (Object.hasOwn(values, name)) faults[key] = 'it is given twice';
    values[name] = forms[name]!.read(word.slice(key.length + 1));
    if (values[name] === undefined) faults[key] ??= forms[name]!.form;
  }
  if (Object.keys(faults).length > 0) throw new SettingsFault(faults);
  return values as Values<F>;
}

export const bytes = (value: bigint): string => `${value} ${formatBytes(value)}`;

type Line = readonly [key: string, value: string | undefined];

const fromTo = <T>({ min, max }: Range<T>, words: (value: T) => string): string => `${words(min)} to ${words(max)}`;

/** What may be had, as `key: value` lines. */
export const limitLines = ({ vcpus, memory, cpuLimit, disk }: Limits): readonly Line[] => [
  ['vcpus', fromTo(vcpus, String)],
  ['memory', fromTo(memory, bytes)],
  ['cpu-limit', cpuLimit && fromTo(cpuLimit, String)],
  ['disk', disk && fromTo(disk, bytes)],
];

/** What something has, and in brackets what it may have, as `key: value` lines. */
export function hardwareLines(
  has: {
    readonly vcpus: number;
    readonly memory: bigint;
    readonly cpuLimit?: number | undefined;
    readonly disk?: bigint | undefined;
  },
  limits: Limits,
): readonly Line[] {
  const line = <T>(
    key: string,
    value: T | undefined,
    range: Range<T> | undefined,
    words: (value: T) => string,
    limit = words,
  ): Line => [key, value === undefined ? undefined : `${words(value)}${range === undefined ? '' : ` (${fromTo(range, limit)})`}`];
  return [
    line('vcpus', has.vcpus, limits.vcpus, String),
    line('memory', has.memory, limits.memory, bytes, formatBytes),
    line('cpu-limit', has.cpuLimit, limits.cpuLimit, String),
    line('disk', has.disk, limits.disk, bytes, formatBytes),
  ];
}
