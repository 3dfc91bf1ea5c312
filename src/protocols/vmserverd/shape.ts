import { escapeXml } from '../../kit/xml-text.js';
import { VMSERVERD_LIST, VMSERVERD_TEXT } from '../../kit/vmserverd-limits.js';
import { CODES, OperationError } from './codes.js';

/**
 * What a message holds, once for both ways: a shape reads an element and writes one. Documents have no types, no attributes and
 * no namespaces; all is text, and a list is a repeated child of an element with a plural name.
 */

/** An element of a document. One with children has no text: what stands between them is space. */
export interface Element {
  readonly name: string;
  readonly text: string;
  readonly children: readonly Element[];
}

export interface Shape<T> {
  /** @throws OperationError INVALID_ARGUMENT that names the element */
  read(element: Element): T;
  /**
   * Pieces of text, made as they are taken, so that a long list needs no memory of its own; what is short is one piece in an array.
   * @throws RangeError for what XML cannot carry
   */
  write(name: string, value: T): Iterable<string>;
  /** as documents show it: `<number>…</number>` */
  form(name: string): string;
  readonly isOptional?: true;
  /** it holds no list */
  readonly isShort?: boolean;
}

/** What a shape yields. */
export type Told<S> = S extends Shape<infer T> ? T : never;

const wrong = (name: string, what: string): OperationError => new OperationError(CODES.INVALID_ARGUMENT, `<${name}>: ${what}`);

/** A shape of text that means something. @param parse throws an Error that says what is expected */
function scalar<T>(meaning: string, parse: (text: string) => T | undefined, format: (value: T) => string): Shape<T> {
  return {
    read: ({ name, text, children }) => {
      if (children.length > 0) throw wrong(name, `${meaning} is expected, no elements`);
      const value = parse(text);
      if (value === undefined) throw wrong(name, `${meaning} is expected`);
      return value;
    },
    write: (name, value) => [`<${name}>${escapeXml(format(value))}</${name}>`],
    form: (name) => `<${name}>${meaning}</${name}>`,
    isShort: true,
  };
}

/** Any text up to a length. */
export const text = (most: number = VMSERVERD_TEXT, meaning = 'text'): Shape<string> => scalar(meaning, (given) => (given.length > most ? undefined : given), String);

/** A text of a certain form. @param meaning for people */
export const matching = (form: RegExp, meaning: string): Shape<string> =>
  scalar(meaning, (given) => (given.length <= VMSERVERD_TEXT && form.test(given) ? given : undefined), String);

/** A whole number, in decimal. */
export const whole = (least: number = Number.MIN_SAFE_INTEGER, most: number = Number.MAX_SAFE_INTEGER): Shape<number> => scalar(
  least === Number.MIN_SAFE_INTEGER ? 'a whole number' : `a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}`,
  (given) => {
    const value = /^-?\d{1,16}$/.test(given) ? Number(given) : NaN;
    return value >= least && value <= most ? value : undefined;
  }, String,
);

/** `1` or `0`. */
export const flag: Shape<boolean> = scalar('1 or 0', (given) => (given === '1' ? true : given === '0' ? false : undefined), (value) => (value ? '1' : '0'));

/** One of some words. */
export const oneOf = <const Words extends readonly string[]>(words: Words): Shape<Words[number]> => scalar(words.join(' | '), (given) => words.find((word) => word === given), String);

/** May be absent; it is then undefined. */
export const optional = <T>(shape: Shape<T>): Shape<T | undefined> & { readonly isOptional: true } => ({
  read: (element) => shape.read(element),
  write: (name, value) => (value === undefined ? [] : shape.write(name, value)),
  form: (name) => `[${shape.form(name)}]`,
  isOptional: true,
  isShort: shape.isShort === true,
});

/** Elements of one name, in their order. What is written may be made while it is taken. */
export const list = <T>(item: string, shape: Shape<T>, most: number = VMSERVERD_LIST): Shape<Iterable<T>> => ({
  read: ({ name, text: between, children }) => {
    if (between.trim() !== '') throw wrong(name, 'elements are expected, no text');
    if (children.length > most) throw wrong(name, `more than ${most}`);
    return children.map((child) => {
      if (child.name !== item) throw wrong(name, `only <${item}> is expected in it`);
      return shape.read(child);
    });
  },
  *write(name, values) {
    yield `<${name}>`;
    for (const value of values) yield* shape.write(item, value);
    yield `</${name}>`;
  },
  form: (name) => `<${name}>${shape.form(item)}…</${name}>`,
});

export type Fields = Readonly<Record<string, Shape<never>>>;
type ValuesOf<F extends Readonly<Record<string, unknown>>> = {
  readonly [Key in keyof F as F[Key] extends { readonly isOptional: true } ? never : Key]: Told<F[Key]>;
} & { readonly [Key in keyof F as F[Key] extends { readonly isOptional: true } ? Key : never]?: Told<F[Key]> };

/**
 * Named elements, each at most once, in any order when read and in the shape's when written; what it has no name for is refused.
 * @param others `pass over`: for answers of servers that may say more than is known of them
 */
export const fields = <const F extends Readonly<Record<string, unknown>>>(all: F, others: 'refuse' | 'pass over' = 'refuse'): Shape<ValuesOf<F>> => {
  const entries = Object.entries(all) as [string, Shape<unknown>][];
  const isShort = entries.every(([, shape]) => shape.isShort === true);
  function* pieces(name: string, values: ValuesOf<F>): Generator<string, void, undefined> {
    yield `<${name}>`;
    for (const [key, shape] of entries) yield* shape.write(key, (values as Record<string, unknown>)[key]);
    yield `</${name}>`;
  }
  /** The same, for what is short: a generator would take longer than all that it yields. */
  function inOne(name: string, values: ValuesOf<F>): string {
    let all = `<${name}>`;
    for (const [key, shape] of entries) for (const piece of shape.write(key, (values as Record<string, unknown>)[key])) all += piece;
    return `${all}</${name}>`;
  }
  return {
    read: ({ name, text: between, children }) => {
      if (between.trim() !== '') throw wrong(name, 'elements are expected, no text');
      const found: Record<string, unknown> = {};
      for (const child of children) {
        const shape = Object.hasOwn(all, child.name) ? all[child.name] as Shape<unknown> : undefined;
        if (shape === undefined && others === 'pass over') continue;
        if (shape === undefined) throw wrong(child.name, `not known here${entries.length === 0 ? '' : `: ${entries.map(([one]) => `<${one}>`).join(', ')} may stand in <${name}>`}`);
        if (Object.hasOwn(found, child.name)) throw wrong(child.name, 'stands here twice');
        found[child.name] = shape.read(child);
      }
      for (const [key, shape] of entries) if (shape.isOptional !== true && !Object.hasOwn(found, key)) throw wrong(key, 'is missing');
      return found as ValuesOf<F>;
    },
    write: (name, values) => (isShort ? [inOne(name, values)] : pieces(name, values)),
    isShort,
    form: (name) => `<${name}>${entries.map(([key, shape]) => shape.form(key)).join('')}</${name}>`,
  };
};

/** An element with nothing in it. */
export const nothing = fields({});
