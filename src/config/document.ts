import { parseTOML, ParseError, getStaticTOMLValue } from 'toml-eslint-parser';
import type { AST } from 'toml-eslint-parser';
import type { Position } from './position.js';

/** One thing that is wrong with the file. */
export interface Fault {
  readonly message: string;
  /** the file in which it is, where it is another that this one names */
  readonly file?: string | undefined;
  readonly position?: Position | undefined;
}

/** More faults than these are not shown: the first ones usually explain the rest. */
const MOST_FAULTS = 20;

/** The file cannot be used. Its message names file, line and column of each fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly file: string, readonly faults: readonly Fault[]) {
    super(faults.slice(0, MOST_FAULTS).map(({ message, position, file: other = file }) =>
      `${other}${position ? `:${position.line}:${position.column}` : ''}: ${message}`).join('\n'));
  }
}

/** A key that would reach into every object of the program. */
class ForbiddenKey extends Error {
  constructor(readonly position: Position) {
    super('__proto__ is not a usable name');
  }
}

type Key = string | number;
const join = (path: readonly Key[]): string => path.map((key) => JSON.stringify(key)).join('.');

/** Where each key of the document stands, so that a fault found later can be shown there. */
class Positions {
  readonly #places = new Map<string, Position>();

  /** The place of this key, or of the nearest table around it that is there. */
  find(path: readonly Key[]): Position | undefined {
    for (let length = path.length; length > 0; length -= 1) {
      const place = this.#places.get(join(path.slice(0, length)));
      if (place) return place;
    }
    return undefined;
  }

  add(path: readonly Key[], node: AST.TOMLNode): void {
    if (path.at(-1) === '__proto__') throw new ForbiddenKey({ line: node.loc.start.line, column: node.loc.start.column + 1 });
    const key = join(path);
    if (!this.#places.has(key)) this.#places.set(key, { line: node.loc.start.line, column: node.loc.start.column + 1 });
  }

  addKeyValue(prefix: readonly Key[], pair: AST.TOMLKeyValue): void {
    const path = [...prefix];
    for (const key of pair.key.keys) {
      path.push(key.type === 'TOMLBare' ? key.name : key.value);
      this.add(path, key);
    }
    this.#addValue(path, pair.value);
  }

  #addValue(path: readonly Key[], node: AST.TOMLContentNode): void {
    this.add(path, node);
    if (node.type === 'TOMLArray') {
      node.elements.forEach((element, index) => this.#addValue([...path, index], element));
    } else if (node.type === 'TOMLInlineTable') {
      node.body.forEach((pair) => this.addKeyValue(path, pair));
    }
  }
}

/** What the parser says, in words that tell what to do. */
const IN_OTHER_WORDS: Readonly<Record<string, string>> = {
  'Defining a key multiple times is invalid': 'this name is there already, further up: each key and each table may come once, and only tables in [[ ]] several times',
  'Unexpected character': 'this is no value and no name: text goes in quotes, such as "text", and a list ends with ]',
  'Unexpected token': 'this is not expected here: a comma, a quote or a bracket is missing or left over, in this line or before it',
  'Unspecified values are invalid': 'a value is missing behind the =',
  'Expected equal (=) token': 'a = and a value are expected behind the name of a key',
  'Expected comma (,) token': 'a comma is expected here; text goes in quotes, such as "text"',
  'Must be a newline': 'a new line is expected here',
  'No newlines are allowed between the curly braces unless they are valid within a value': 'what stands in { } has to be on one line',
  'Trailing comma is not permitted in an inline table': 'no comma may stand before a }',
  'Unterminated string constant': 'the quote at the end of this text is missing',
  'Unterminated array': 'the ] at the end of this list is missing',
  'Unterminated table-key': 'the ] at the end of this table\'s name is missing',
  'Unterminated inline table': 'the } is missing',
};

/** What is no error and probably not meant, and the keys where it stands. */
export interface Warning {
  readonly message: string;
  readonly path: readonly Key[];
}

/** A parsed TOML text: its content, its syntax tree, and where each key stands. */
export interface Document {
  readonly file: string;
  readonly content: unknown;
  readonly tree: AST.TOMLProgram;
  position(path: readonly Key[]): Position | undefined;
}

/**
 * @param file its name, for errors
 * @throws ConfigError where the text is not TOML
 */
export function parseDocument(file: string, source: string): Document {
  try {
    const tree = parseTOML(source.replace(/^\ufeff/, ''), { tomlVersion: '1.0.0' });
    const positions = new Positions();
    for (const node of tree.body[0].body) {
      if (node.type === 'TOMLKeyValue') {
        positions.addKeyValue([], node);
      } else {
        node.resolvedKey.forEach((_, index) => positions.add(node.resolvedKey.slice(0, index + 1), node));
        node.body.forEach((pair) => positions.addKeyValue(node.resolvedKey, pair));
      }
    }
    return { file, content: getStaticTOMLValue(tree), tree, position: (path) => positions.find(path) };
  } catch (error) {
    if (error instanceof ForbiddenKey) throw new ConfigError(file, [{ message: error.message, position: error.position }]);
    if (!(error instanceof ParseError)) throw error;
    throw new ConfigError(file, [{ message: IN_OTHER_WORDS[error.message] ?? error.message, position: { line: error.lineNumber, column: error.column + 1 } }]);
  }
}
