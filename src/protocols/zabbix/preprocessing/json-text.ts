import { ZABBIX_JSON_DEPTH, ZABBIX_JSON_VALUE } from '../../../kit/zabbix-limits.js';
import { CannotPreprocess, StepError, textOf } from './variant.js';

/**
 * JSON whose numbers are known as they are written: one of twenty digits is to come out as it went in, which JSON.parse
 * would not do.
 */
export type JsonNode =
  | { readonly kind: 'object'; readonly members: readonly Member[] }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly text: string }
  /** a number, true, false, null: as it is printed */
  | { readonly kind: 'other'; readonly text: string };

type Member = readonly [name: string, value: JsonNode];

/** What is behind it counts for nothing. @throws StepError where it is neither an object nor an array; CannotPreprocess where it is too long */
export function parseJson(text: string): JsonNode {
  if (!/^[ \t\r\n]*[{[]/.test(text)) throw new StepError(`invalid object format, expected opening character '{' or '[' at: '${text.slice(0, 128)}'`);
  if (text.length > ZABBIX_JSON_VALUE) throw new CannotPreprocess(`JSON of more than ${ZABBIX_JSON_VALUE} characters`);
  return new Reader(text).value(0);
}

/** A part of it as a text of JSON again, without blanks. */
export function printJson(node: JsonNode): string {
  switch (node.kind) {
    case 'object': return `{${node.members.map(([name, member]) => `${JSON.stringify(name)}:${printJson(member)}`).join(',')}}`;
    case 'array': return `[${node.items.map(printJson).join(',')}]`;
    case 'string': return JSON.stringify(node.text);
    case 'other': return node.text;
  }
}

/** Signs by their codes. */
const [QUOTE, BACKSLASH, COMMA, COLON, LIST, LIST_END, OBJECT, OBJECT_END] = [0x22, 0x5c, 0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d];
const OTHER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Reads from left to right, once: long texts hold up all else. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonNode {
    if (depth > ZABBIX_JSON_DEPTH) throw new StepError(`cannot parse as a valid JSON object: it goes deeper than ${ZABBIX_JSON_DEPTH}`);
    switch (this.#next()) {
      case OBJECT: return { kind: 'object', members: this.#members(depth) };
      case LIST: return { kind: 'array', items: this.#items(depth) };
      case QUOTE: return { kind: 'string', text: this.#string() };
      default: return this.#other();
    }
  }

  #members(depth: number): Member[] {
    const members: Member[] = [];
    this.#at += 1;
    if (this.#isNext(OBJECT_END)) return members;
    do {
      if (this.#next() !== QUOTE) throw this.#fault();
      const name = this.#string();
      if (!this.#isNext(COLON)) throw this.#fault();
      members.push([name, this.value(depth + 1)]);
    } while (this.#isNext(COMMA));
    if (!this.#isNext(OBJECT_END)) throw this.#fault();
    return members;
  }

  #items(depth: number): JsonNode[] {
    const items: JsonNode[] = [];
    this.#at += 1;
    if (this.#isNext(LIST_END)) return items;
    do items.push(this.value(depth + 1)); while (this.#isNext(COMMA));
    if (!this.#isNext(LIST_END)) throw this.#fault();
    return items;
  }

  #string(): string {
    const begin = this.#at;
    const end = this.#text.indexOf('"', begin + 1);
    if (end === -1) throw this.#fault();
    const plain = this.#text.slice(begin + 1, end);
    if (plain.includes('\\')) return this.#escaped(begin);
    this.#at = end + 1;
    return plain;
  }

  /** A quote may be one of its characters. */
  #escaped(begin: number): string {
    let at = begin + 1;
    for (; at < this.#text.length; at += 1) {
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) at += 1;
    }
    this.#at = at + 1;
    return this.#unescaped(begin);
  }

  #unescaped(begin: number): string {
    try {
      return JSON.parse(this.#text.slice(begin, this.#at)) as string;
    } catch {
      this.#at = begin;
      throw this.#fault();
    }
  }

  #other(): JsonNode {
    OTHER.lastIndex = this.#at;
    const [text] = OTHER.exec(this.#text) ?? [];
    if (text === undefined) throw this.#fault();
    this.#at += text.length;
    return { kind: 'other', text: /[.eE]/.test(text) && Number.isFinite(Number(text)) ? textOf(Number(text)) : text };
  }

  /** The next sign that is no blank; it is not taken. */
  #next(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.#text.charCodeAt(this.#at += 1);
    return code;
  }

  #isNext(sign: number): boolean {
    if (this.#next() !== sign) return false;
    this.#at += 1;
    return true;
  }

  #fault(): StepError {
    const rest = this.#text.slice(this.#at, this.#at + 40);
    return new StepError(`cannot parse as a valid JSON object: ${rest === '' ? 'it ends too early' : `invalid at: '${rest}'`}`);
  }
}
