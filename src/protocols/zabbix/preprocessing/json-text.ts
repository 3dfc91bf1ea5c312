import { ZABBIX_JSON_DEPTH } from '../../../kit/zabbix-limits.js';
import { StepError, textOf } from './variant.js';

/**
 * JSON whose numbers are known as they are written: one of twenty digits is to come out as it went in, which JSON.parse
 * would not do.
 */
export type JsonNode =
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonNode> }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly text: string }
  /** a number, true, false, null: as it is printed */
  | { readonly kind: 'other'; readonly text: string };

/** What is behind it counts for nothing. @throws StepError where it is neither an object nor an array */
export function parseJson(text: string): JsonNode {
  if (!/^[ \t\r\n]*[{[]/.test(text)) throw new StepError(`invalid object format, expected opening character '{' or '[' at: '${text.slice(0, 128)}'`);
  return new Reader(text).value(0);
}

/** A part of it as a text of JSON again, without blanks. */
export function printJson(node: JsonNode): string {
  switch (node.kind) {
    case 'object': return `{${[...node.members].map(([name, member]) => `${JSON.stringify(name)}:${printJson(member)}`).join(',')}}`;
    case 'array': return `[${node.items.map(printJson).join(',')}]`;
    case 'string': return JSON.stringify(node.text);
    case 'other': return node.text;
  }
}

const BLANKS = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/y;
const OTHER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonNode {
    if (depth > ZABBIX_JSON_DEPTH) throw new StepError(`cannot parse as a valid JSON object: it goes deeper than ${ZABBIX_JSON_DEPTH}`);
    this.#skip();
    const sign = this.#text[this.#at];
    if (sign === '{') return { kind: 'object', members: this.#members(depth) };
    if (sign === '[') return { kind: 'array', items: this.#items(depth) };
    if (sign === '"') return { kind: 'string', text: this.#string() };
    const text = this.#take(OTHER);
    return { kind: 'other', text: /[.eE]/.test(text) && Number.isFinite(Number(text)) ? textOf(Number(text)) : text };
  }

  #members(depth: number): Map<string, JsonNode> {
    const members = new Map<string, JsonNode>();
    this.#at += 1;
    if (this.#isNext('}')) return members;
    do {
      this.#skip();
      const text = this.#string();
      if (!this.#isNext(':')) throw this.#fault();
      const value = this.value(depth + 1);
      // of two of one name the first counts
      if (!members.has(text)) members.set(text, value);
    } while (this.#isNext(','));
    if (!this.#isNext('}')) throw this.#fault();
    return members;
  }

  #items(depth: number): JsonNode[] {
    const items: JsonNode[] = [];
    this.#at += 1;
    if (this.#isNext(']')) return items;
    do items.push(this.value(depth + 1)); while (this.#isNext(','));
    if (!this.#isNext(']')) throw this.#fault();
    return items;
  }

  #string(): string {
    const raw = this.#take(STRING);
    return raw.includes('\\') ? JSON.parse(raw) as string : raw.slice(1, -1);
  }

  #skip(): void {
    BLANKS.lastIndex = this.#at;
    BLANKS.exec(this.#text);
    this.#at = BLANKS.lastIndex;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) throw this.#fault();
    this.#at += found.length;
    return found;
  }

  #isNext(sign: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== sign) return false;
    this.#at += 1;
    return true;
  }

  #fault(): StepError {
    const rest = this.#text.slice(this.#at, this.#at + 40);
    return new StepError(`cannot parse as a valid JSON object: ${rest === '' ? 'it ends too early' : `invalid at: '${rest}'`}`);
  }
}
