/** A value in a domain's configuration file: text (numbers too), or a list. */
export type CfgValue = string | readonly CfgValue[];

/** Where a configuration file breaks xl's grammar. */
export class CfgError extends Error {
  /** @param line counted from 1 */
  constructor(readonly line: number, message: string) {
    super(`line ${line}: ${message}`);
  }
}

/** Lists within lists; xl itself uses two. */
const MAX_DEPTH = 8;

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"', "'": "'", '\\': '\\', a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v',
};

type Token =
  | { readonly kind: 'name' | 'text'; readonly value: string; readonly line: number }
  | { readonly kind: 'mark' | 'newline' | 'end'; readonly value: string; readonly line: number };

const TOKENS = /[ \t]+|(?<newline>(?:#[^\n]*)?\n)|(?<name>[a-z][_0-9a-z]*)|(?<number>[0-9][0-9a-fx]*)|(?<mark>\+=|[,;=[\]])|(?<quoted>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")/y;

function tokens(source: string): Token[] {
  const found: Token[] = [];
  let line = 1;
  for (let at = 0; at < source.length;) {
    TOKENS.lastIndex = at;
    const match = TOKENS.exec(source);
    if (!match && source[at] === '#') throw new CfgError(line, 'xl refuses a comment that no line break ends');
    if (!match) throw new CfgError(line, `${JSON.stringify(source.slice(at, at + 12).split('\n')[0])} is not understood`);
    at = TOKENS.lastIndex;
    const { newline, name, number, mark, quoted } = match.groups ?? {};
    if (newline !== undefined) found.push({ kind: 'newline', value: 'the end of the line', line: line++ });
    else if (name !== undefined) found.push({ kind: 'name', value: name, line });
    else if (number !== undefined) found.push({ kind: 'text', value: number, line });
    else if (mark !== undefined) found.push({ kind: 'mark', value: mark, line });
    else if (quoted !== undefined) found.push({ kind: 'text', value: unquote(quoted, line), line });
  }
  found.push({ kind: 'end', value: 'the end of the file', line });
  return found;
}

function unquote(quoted: string, line: number): string {
  return quoted.slice(1, -1).replace(/\\(.)/gs, (_, letter: string) => {
    const meant = ESCAPES[letter];
    if (meant === undefined) throw new CfgError(line, `\\${letter} in quotes is not understood`);
    return meant;
  });
}

class Parser {
  readonly #settings = new Map<string, CfgValue>();
  #position = 0;
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Map<string, CfgValue> {
    while (this.#peek().kind !== 'end') {
      if (this.#endOfStatement()) continue;
      this.#assignment();
      if (this.#peek().kind !== 'end' && !this.#endOfStatement()) this.#unexpected();
    }
    return this.#settings;
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#position, this.#tokens.length - 1)]!;
  }

  #unexpected(): never {
    throw new CfgError(this.#peek().line, `${JSON.stringify(this.#peek().value)} is not expected here`);
  }

  #mark(value: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'mark' || token.value !== value) return false;
    this.#position += 1;
    return true;
  }

  #endOfStatement(): boolean {
    if (this.#mark(';')) return true;
    if (this.#peek().kind !== 'newline') return false;
    this.#position += 1;
    return true;
  }

  #blankLines(): void {
    while (this.#peek().kind === 'newline') this.#position += 1;
  }

  #assignment(): void {
    const name = this.#peek();
    if (name.kind !== 'name') this.#unexpected();
    this.#position += 1;
    if (this.#mark('=')) {
      this.#settings.set(name.value, this.#value(0));
      return;
    }
    if (!this.#mark('+=')) this.#unexpected();
    this.#settings.set(name.value, joined(this.#settings.get(name.value), this.#value(0), name.line));
  }

  #value(depth: number): CfgValue {
    const token = this.#peek();
    if (token.kind === 'text') {
      this.#position += 1;
      return token.value;
    }
    if (!this.#mark('[')) this.#unexpected();
    if (depth === MAX_DEPTH) throw new CfgError(token.line, 'too many lists within lists');
    const list: CfgValue[] = [];
    this.#blankLines();
    while (!this.#mark(']')) {
      list.push(this.#value(depth + 1));
      this.#blankLines();
      if (this.#mark(',')) this.#blankLines();
      else if (this.#peek().value !== ']') this.#unexpected();
    }
    return list;
  }
}

function joined(before: CfgValue | undefined, added: CfgValue, line: number): CfgValue {
  if (before === undefined) return added;
  if (typeof before === 'string' && typeof added === 'string') return before + added;
  if (typeof before !== 'string' && typeof added !== 'string') return [...before, ...added];
  throw new CfgError(line, 'a list cannot be added to a text, nor a text to a list');
}

/**
 * Reads a domain's configuration in the language of xl (xl.cfg(5), libxlu's grammar): assignments of
 * quoted texts, numbers and lists; `+=`; comments. It looks like Python but is not run.
 * @throws CfgError with the line, for whatever xl would refuse too
 */
export function parseCfg(source: string): ReadonlyMap<string, CfgValue> {
  return new Parser(tokens(source)).parse();
}
