import { plain, type CimValue, type Properties } from './cim.js';

/** The part of WQL (MS-WMI, "WQL Query") that clients of Argo's kind use, read strictly. */

export interface Select {
  readonly kind: 'select';
  readonly className: string;
  /** undefined: all */
  readonly properties: readonly string[] | undefined;
  /** @throws QueryError where a property is none of the instance's */
  readonly matches: (instance: Properties) => boolean;
}

/** What stands in association with one instance. */
export interface Associators {
  readonly kind: 'associators';
  readonly className: string;
  readonly keys: ReadonlyMap<string, string>;
  readonly resultClass: string;
}

/** WBEM_E_INVALID_QUERY */
export class QueryError extends Error {}

type Condition = (instance: Properties) => boolean;

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([A-Za-z_]\w*)|(-?\d+)|(<>|!=|<=|>=|[=<>(),*]))/y;

interface Token {
  readonly text: string;
  readonly kind: 'string' | 'name' | 'number' | 'sign';
}

const unquote = (text: string): string => text.slice(1, -1).replace(/\\(.)/g, '$1');

function tokenise(query: string): Token[] {
  const tokens: Token[] = [];
  const text = query.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const found = TOKEN.exec(text);
    if (!found) throw new QueryError(query);
    const [, string, name, number, sign] = found;
    if (string !== undefined) tokens.push({ kind: 'string', text: unquote(string) });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else tokens.push({ kind: 'sign', text: sign! });
  }
  return tokens;
}

/** Properties have no case. @throws QueryError */
export function propertyOf(instance: Properties, name: string): [name: string, value: CimValue] {
  const found = Object.entries(instance).find(([each]) => each.toLowerCase() === name.toLowerCase());
  if (!found) throw new QueryError(`no property ${name}`);
  return found;
}

function compare(value: CimValue, sign: string, { kind, text }: Token): boolean {
  if (value === null) return false;
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  if (isNumber && !/^-?\d+$/.test(text)) throw new QueryError(`${text} is no number`);
  if (typeof value === 'boolean' && kind === 'string' && !/^(true|false)$/i.test(text)) throw new QueryError(`${text} is no boolean`);
  const [left, right] = isNumber ? [BigInt(value), BigInt(text)] : [plain(value).toLowerCase(), text.toLowerCase()];
  switch (sign) {
    case '=': return left === right;
    case '<>': case '!=': return left !== right;
    case '<': return left < right;
    case '>': return left > right;
    case '<=': return left <= right;
    case '>=': return left >= right;
    default: throw new QueryError(sign);
  }
}

const likeness = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.*+?^${}()|\\]/g, '\\$&').replaceAll('%', '.*').replaceAll('_', '.')}$`, 'is');

class Reader {
  #at = 0;
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#tokens.length;
  }

  next(): Token {
    const token = this.#tokens[this.#at++];
    if (!token) throw new QueryError('it ends too early');
    return token;
  }

  takes(word: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind === 'string' || token?.text.toLowerCase() !== word) return false;
    this.#at += 1;
    return true;
  }

  expect(word: string): void {
    if (!this.takes(word)) throw new QueryError(`${word} is missing`);
  }

  name(): string {
    const token = this.next();
    if (token.kind !== 'name') throw new QueryError(token.text);
    return token.text;
  }

  any(): Condition {
    const parts = [this.#all()];
    while (this.takes('or')) parts.push(this.#all());
    return (instance) => parts.some((part) => part(instance));
  }

  #all(): Condition {
    const parts = [this.#one()];
    while (this.takes('and')) parts.push(this.#one());
    return (instance) => parts.every((part) => part(instance));
  }

  #one(): Condition {
    if (this.takes('not')) {
      const part = this.#one();
      return (instance) => !part(instance);
    }
    if (this.takes('(')) {
      const part = this.any();
      this.expect(')');
      return part;
    }
    const name = this.name();
    if (this.takes('is')) {
      const isNot = this.takes('not');
      this.expect('null');
      return (instance) => (propertyOf(instance, name)[1] === null) !== isNot;
    }
    const sign = this.next().text.toLowerCase();
    const operand = this.next();
    if (operand.kind === 'sign') throw new QueryError(operand.text);
    if (operand.kind === 'name' && !/^(true|false|null)$/i.test(operand.text)) throw new QueryError(operand.text);
    if (sign === 'like') {
      const pattern = likeness(operand.text);
      return (instance) => pattern.test(plain(propertyOf(instance, name)[1]));
    }
    return (instance) => compare(propertyOf(instance, name)[1], sign, operand);
  }
}

const ASSOCIATORS = /^\s*associators\s+of\s+\{\s*(\w+)\.(.*)\}\s+where\s+(.*)$/is;

function readAssociators([, className, path, where]: RegExpExecArray): Associators {
  const keys = new Map([...path!.matchAll(/(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/g)].map(([, key, value]) => [key!, unquote(value!)]));
  const resultClass = /\bresultclass\s*=\s*(\w+)/i.exec(where!)?.[1];
  if (keys.size === 0 || resultClass === undefined) throw new QueryError(where!);
  return { kind: 'associators', className: className!, keys, resultClass };
}

/** @throws QueryError */
export function readWql(query: string): Select | Associators {
  const associators = ASSOCIATORS.exec(query);
  if (associators) return readAssociators(associators);
  const reader = new Reader(tokenise(query));
  reader.expect('select');
  const properties: string[] = [];
  if (!reader.takes('*')) do properties.push(reader.name()); while (reader.takes(','));
  reader.expect('from');
  const className = reader.name();
  const matches = reader.takes('where') ? reader.any() : () => true;
  if (!reader.isAtEnd) throw new QueryError(query);
  return { kind: 'select', className, properties: properties.length > 0 ? properties : undefined, matches };
}
