import { ZABBIX_JSON_LOOKS } from '../../../kit/zabbix-limits.js';
import { parseJson, printJson, type JsonNode } from './json-text.js';
import { CannotPreprocess, numberIn, StepError, textOf } from './variant.js';

/**
 * JSONPath as Zabbix has it (https://www.zabbix.com/documentation/6.0/en/manual/config/items/preprocessing/jsonpath_functionality),
 * without filters and `~`: names, indexes, ranges, lists of these, `*`, `..`, and functions at the end.
 */

type Pick = (node: JsonNode) => readonly JsonNode[];

interface Segment {
  readonly pick: Pick;
  /** of the node and of all below it */
  readonly isDeep: boolean;
  /** it finds one at the most */
  readonly isDefinite: boolean;
}

const AGGREGATES = {
  min: (all: readonly number[]): number => all.reduce((least, one) => Math.min(least, one)),
  max: (all: readonly number[]): number => all.reduce((most, one) => Math.max(most, one)),
  sum: (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0),
  avg: (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0) / all.length,
} as const;

type FunctionName = 'first' | 'length' | keyof typeof AGGREGATES;
const FUNCTIONS: readonly string[] = ['first', 'length', ...Object.keys(AGGREGATES)];

/** A path that has been read. */
interface JsonPath {
  /**
   * @returns what is found, as a text; undefined: nothing
   * @throws StepError where it is no JSON, or a function does not fit
   */
  find(text: string): string | undefined;
}

/** @throws CannotPreprocess where it is none, or one that cannot be done here */
export function parseJsonPath(path: string): JsonPath {
  const { segments, functions } = new PathReader(path).read();
  return {
    find: (text) => {
      const budget = { left: ZABBIX_JSON_LOOKS };
      const nodes = segments.reduce<readonly JsonNode[]>((all, segment) => picked(all, segment, budget), [parsed(text)]);
      return found(nodes, segments.every(({ isDefinite }) => isDefinite), functions);
    },
  };
}

/** How much a path may look at: parts of parts, some of them again and again. */
interface Budget {
  left: number;
}

/** @throws CannotPreprocess where it is too much */
function picked(nodes: readonly JsonNode[], { pick, isDeep }: Segment, budget: Budget): readonly JsonNode[] {
  const found: JsonNode[] = [];
  const look = (node: JsonNode): void => {
    const parts = pick(node);
    budget.left -= 1 + parts.length;
    if (budget.left < 0) throw new CannotPreprocess(`a JSONPath that looks at more than ${ZABBIX_JSON_LOOKS} parts`);
    for (const part of parts) found.push(part);
    if (isDeep) for (const child of childrenOf(node)) look(child);
  };
  nodes.forEach(look);
  return found;
}

let last: { readonly text: string; readonly node: JsonNode } | undefined;

/** Many items depend on one value, which is then read once. */
function parsed(text: string): JsonNode {
  if (last?.text === text) return last.node;
  last = undefined;
  const node = parseJson(text);
  last = { text, node };
  return node;
}

const childrenOf = (node: JsonNode): readonly JsonNode[] => (node.kind === 'object' ? node.members.map(([, value]) => value) : node.kind === 'array' ? node.items : []);

const contentOf = (node: JsonNode): string => (node.kind === 'string' ? node.text : printJson(node));

function found(nodes: readonly JsonNode[], isDefinite: boolean, functions: readonly FunctionName[]): string | undefined {
  let [all, isOne] = [nodes, isDefinite];
  for (const [at, name] of functions.entries()) {
    if (isOne) {
      const [node] = all;
      if (node?.kind !== 'array') throw new StepError('cannot apply function to non-array JSON element');
      all = node.items;
    }
    if (name !== 'first') {
      if (at < functions.length - 1) throw new StepError('cannot apply function to non-array JSON element');
      return name === 'length' ? String(all.length) : aggregate(name, all);
    }
    [all, isOne] = [all.slice(0, 1), true];
  }
  if (all.length === 0) return undefined;
  return isOne ? contentOf(all[0]!) : `[${all.map(printJson).join(',')}]`;
}

function aggregate(name: keyof typeof AGGREGATES, nodes: readonly JsonNode[]): string {
  if (nodes.length === 0) throw new StepError('cannot apply aggregation function to empty array');
  const numbers = nodes.map((node) => {
    const number = numberIn(contentOf(node));
    if (number === undefined) throw new StepError(`array value is not a number or out of range: ${contentOf(node).slice(0, 128)}`);
    return Number(number);
  });
  return textOf(AGGREGATES[name](numbers));
}

const NAME = /\w+/y;
const QUOTED = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/y;
const INDEX = /-?\d{1,9}/y;
const RANGE = /(-?\d{1,9})?\s*:\s*(-?\d{1,9})?/y;
const BLANKS = /\s*/y;

class PathReader {
  readonly #path: string;
  #at = 1;

  constructor(path: string) {
    this.#path = path;
  }

  read(): { readonly segments: readonly Segment[]; readonly functions: readonly FunctionName[] } {
    if (this.#path[0] !== '$') throw this.#fault('it does not begin with $');
    const segments: Segment[] = [];
    const functions: FunctionName[] = [];
    while (this.#at < this.#path.length) {
      const name = this.#function();
      if (name !== undefined) functions.push(name);
      else if (functions.length > 0) throw this.#fault('something follows a function');
      else segments.push(this.#segment());
    }
    return { segments, functions };
  }

  #function(): FunctionName | undefined {
    const name = /^\.([a-z]+)\(\)/.exec(this.#path.slice(this.#at, this.#at + 20))?.[1];
    if (name === undefined) return undefined;
    if (!FUNCTIONS.includes(name)) throw this.#fault(`there is no function ${name}()`);
    this.#at += name.length + 3;
    return name as FunctionName;
  }

  #segment(): Segment {
    const dots = this.#path.startsWith('..', this.#at) ? 2 : this.#path[this.#at] === '.' ? 1 : 0;
    this.#at += dots;
    const isDeep = dots === 2;
    if (this.#path[this.#at] === '[') {
      const { pick, isDefinite } = this.#bracket();
      return { pick, isDeep, isDefinite: isDefinite && !isDeep };
    }
    if (dots === 0) throw this.#fault();
    if (this.#take(/\*/y)) return { pick: childrenOf, isDeep, isDefinite: false };
    const [name] = this.#take(NAME) ?? [];
    if (name === undefined || this.#path[this.#at] === '(') throw this.#fault();
    return { pick: byName(name), isDeep, isDefinite: !isDeep };
  }

  #bracket(): { readonly pick: Pick; readonly isDefinite: boolean } {
    this.#at += 1;
    this.#take(BLANKS);
    if (this.#path[this.#at] === '?') throw this.#fault('filters are not done here');
    const picks = this.#take(/\*/y) ? undefined : this.#list();
    this.#take(BLANKS);
    if (!this.#take(/\]/y)) throw this.#fault();
    if (picks === undefined) return { pick: childrenOf, isDefinite: false };
    return { pick: (node) => picks.flatMap(({ pick }) => pick(node)), isDefinite: picks.length === 1 && picks[0]!.isOne };
  }

  #list(): { readonly pick: Pick; readonly isOne: boolean }[] {
    const picks = [];
    do {
      this.#take(BLANKS);
      picks.push(this.#one());
      this.#take(BLANKS);
    } while (this.#take(/,/y));
    return picks;
  }

  #one(): { readonly pick: Pick; readonly isOne: boolean } {
    const quoted = this.#take(QUOTED);
    if (quoted) return { pick: byName((quoted[1] ?? quoted[2]!).replace(/\\(['"\\])/g, '$1')), isOne: true };
    const range = this.#take(RANGE);
    if (range) return { pick: byRange(range[1], range[2]), isOne: false };
    const [index] = this.#take(INDEX) ?? [];
    if (index === undefined) throw this.#fault();
    return { pick: byIndex(Number(index)), isOne: true };
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#path);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }

  #fault(reason = `it cannot be read at "${this.#path.slice(this.#at, this.#at + 40)}"`): CannotPreprocess {
    return new CannotPreprocess(`the JSONPath ${JSON.stringify(this.#path.slice(0, 200))}: ${reason}`);
  }
}

const byName = (name: string): Pick => (node) => {
  // of two of one name the first counts
  const member = node.kind === 'object' ? node.members.find(([its]) => its === name) : undefined;
  return member === undefined ? [] : [member[1]];
};

const byIndex = (index: number): Pick => (node) => {
  const item = node.kind === 'array' ? node.items.at(index) : undefined;
  return item === undefined ? [] : [item];
};

const byRange = (from: string | undefined, to: string | undefined): Pick => (node) =>
  (node.kind === 'array' ? node.items.slice(Number(from ?? 0), to === undefined ? undefined : Number(to)) : []);
