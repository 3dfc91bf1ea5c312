import * as v from 'valibot';
import type { Document, Fault } from './document.js';
import type { Position } from './position.js';
import { isUnknownKey, unknownKey } from './unknown-key.js';

/** Which names tables may have, and that in words for people. */
export interface NameForm {
  readonly form: RegExp;
  readonly rule: string;
}

/** What holds tables with names of their own. */
const OF_NAMED_TABLES: ReadonlySet<string> = new Set(['accounts', 'providers', 'gateways', 'plans', 'triggers']);

/** Reads one document and gathers what is wrong with it. */
export class Reader {
  readonly faults: Fault[] = [];
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
  }

  fault(path: readonly (string | number)[], message: string): void {
    this.faults.push({ message, position: this.positionOf(path) });
  }

  positionOf(path: readonly (string | number)[]): Position | undefined {
    return this.#document.position(path);
  }

  /** The sub-table at a key, empty where it is absent. */
  table(key: string): Record<string, unknown> {
    const value = (this.#document.content as Record<string, unknown>)[key] ?? {};
    if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date)) return value as Record<string, unknown>;
    this.fault([key], `${key} must be a table: [${key}${OF_NAMED_TABLES.has(key) ? '.NAME' : ''}]`);
    return {};
  }

  /** The value as the schema yields it, or undefined after noting the faults. */
  parse<Schema extends v.GenericSchema>(schema: Schema, value: unknown, path: readonly (string | number)[]): v.InferOutput<Schema> | undefined {
    const before = this.faults.length;
    for (const inner of leftOut(value)) this.fault([...path, ...inner], `"${inner.at(-1)}" cannot be used as a name`);
    if (this.faults.length > before) return undefined;
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    for (const issue of result.issues) {
      const inner = (issue.path ?? []).map(({ key }) => key as string | number);
      const whole = [...path, ...inner];
      this.fault(whole, isUnknownKey(issue) ? unknownKey(schema, inner) : faultMessage(issue, String(whole.findLast((key) => typeof key === 'string'))));
    }
    return undefined;
  }

  /**
   * The names of a table's sub-tables, those that are no usable names noted as faults.
   * @param rule which names are usable, for people
   */
  names(key: string, { form, rule }: NameForm): [string, unknown][] {
    return Object.entries(this.table(key)).filter(([name]) => {
      if (form.test(name)) return true;
      this.fault([key, name], `"${name}" cannot be used as a name in [${key}]: ${rule}`);
      return false;
    });
  }
}

/** Keys that the library leaves out of tables, and takes for known ones, without a word. */
const LEFT_OUT: ReadonlySet<string> = new Set(['__proto__', 'prototype', 'constructor']);

/** Where such keys are. */
function* leftOut(value: unknown, path: readonly (string | number)[] = []): Generator<readonly (string | number)[]> {
  if (typeof value !== 'object' || value === null || value instanceof Date) return;
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, Array.isArray(value) ? Number(key) : key];
    if (LEFT_OUT.has(key)) yield here;
    else yield* leftOut(inner, here);
  }
}

/** The library's own wording repeats the value, which may be a password in the wrong place. */
const STANDARD_MESSAGE = /^Invalid \w+: Expected (.*?) (?:but|and) received [^]*$/;
const KINDS: Readonly<Record<string, string>> = { Object: 'a table is expected', Array: 'a list is expected', string: 'text in quotes is expected', boolean: 'true or false is expected', number: 'a number is expected' };

function faultMessage(issue: v.BaseIssue<unknown>, key: string): string {
  if (issue.kind === 'schema' && issue.received === 'undefined') return `${key} is missing`;
  return `${key}: ${issue.message.replace(STANDARD_MESSAGE, (_, kind: string) => KINDS[kind] ?? `${kind} is expected`)}`;
}
