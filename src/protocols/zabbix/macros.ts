import { ZABBIX_TEMPLATE_DEPTH } from '../../kit/zabbix-limits.js';
import type { MacroRow } from './configuration-tables.js';

/** `{$NAME}`, `{$NAME:context}`, `{$NAME:"context"}` (https://www.zabbix.com/documentation/6.0/en/manual/config/macros/user_macros_context). */
const MACRO = /\{\$([A-Z0-9_.]+)(?::\s*(?:"((?:[^"\\]|\\.)*)"|([^"}][^}]*)?))?\}/g;

/** Of one host, one template or all: values by name and context. */
type Values = ReadonlyMap<string, string>;

const named = (name: string, context: string | undefined): string => (context === undefined ? name : `${name}\0${context}`);
const contextOf = (quoted: string | undefined, plain: string | undefined): string | undefined => quoted?.replaceAll('\\"', '"') ?? plain;

/** Values of the macros of one host, template or all; contexts that are regular expressions are none that we know. */
export function macroValues(rows: readonly MacroRow[]): Values {
  const values = new Map<string, string>();
  for (const { macro, value } of rows) {
    for (const [whole, name, quoted, plain] of macro.matchAll(MACRO)) {
      const context = contextOf(quoted, plain);
      if (whole === macro && !/^regex:/.test(context ?? '')) values.set(named(name!, context), value);
    }
  }
  return values;
}

/** Replaces user macros as Zabbix does: a host's own come before those of its templates, these before the global ones. */
export class Macros {
  readonly #values: ReadonlyMap<number, Values>;
  readonly #templates: ReadonlyMap<number, readonly number[]>;
  readonly #levels = new Map<number, readonly Values[]>();

  /**
   * @param values by host or template; 0: the global ones
   * @param templates of each host or template, those that are linked to it
   */
  constructor(values: ReadonlyMap<number, Values>, templates: ReadonlyMap<number, readonly number[]>) {
    this.#values = values;
    this.#templates = templates;
  }

  /** A text with what is known put in; other macros stay as they are written. */
  text(text: string, hostid: number): string {
    if (!text.includes('{$')) return text;
    return text.replace(MACRO, (whole, name: string, quoted?: string, plain?: string) => this.#find(hostid, name, contextOf(quoted, plain)) ?? whole);
  }

  /** As {@link text}, for an item's key: a value stays one parameter whatever is in it. */
  key(key: string, hostid: number): string {
    if (!key.includes('{$')) return key;
    return key.replace(MACRO, (whole, name: string, quoted: string | undefined, plain: string | undefined, at: number) => {
      const value = this.#find(hostid, name, contextOf(quoted, plain));
      return value === undefined ? whole : asPart(value, key, at, at + whole.length);
    });
  }

  /** One with the context wins wherever it stands; without one, the nearest that has none. */
  #find(hostid: number, name: string, context: string | undefined): string | undefined {
    const levels = this.#levelsOf(hostid);
    const find = (key: string): string | undefined => levels.find((values) => values.has(key))?.get(key);
    return (context === undefined ? undefined : find(named(name, context))) ?? find(name);
  }

  #levelsOf(hostid: number): readonly Values[] {
    const known = this.#levels.get(hostid);
    if (known) return known;
    const order = [hostid];
    let level: readonly number[] = [hostid];
    for (let depth = 0; level.length > 0 && depth < ZABBIX_TEMPLATE_DEPTH; depth++) {
      level = [...new Set(level.flatMap((id) => this.#templates.get(id) ?? []))].filter((id) => !order.includes(id)).sort((one, other) => one - other);
      order.push(...level);
    }
    const found = [...order, 0].map((id) => this.#values.get(id)).filter((values) => values !== undefined);
    this.#levels.set(hostid, found);
    return found;
  }
}

/** A value as it stands in a key: within quotes its own are escaped, and what is a whole parameter is put in quotes where it needs them. */
function asPart(value: string, key: string, begin: number, end: number): string {
  const escaped = value.replaceAll('"', '\\"');
  if ((key.slice(0, begin).match(/(?<!\\)"/g) ?? []).length % 2 === 1) return escaped;
  const isWhole = /[[,]\s*$/.test(key.slice(0, begin)) && /^[\],]/.test(key.slice(end));
  return isWhole && /^[\s"[]|[,\]]/.test(value) ? `"${escaped}"` : value;
}
