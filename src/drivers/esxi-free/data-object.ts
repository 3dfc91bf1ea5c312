/**
 * Reads what vim-cmd prints: data objects of the vSphere API in a form that VMware documents nowhere.
 *
 *     (vim.vm.Summary) {
 *        vm = 'vim.VirtualMachine:3',
 *        guest = (vim.vm.Summary.GuestSummary) {
 *           ipAddress = <unset>,
 *        },
 *        question = (vim.vm.QuestionInfo) null
 *     }
 *
 * Texts are printed as they are: quotes and line breaks in them are not escaped, and people and
 * guests choose some of them. A quote ends a text only where the next line looks like what has to
 * come next, and a field that comes twice makes the whole object unreadable: so a text may spoil its
 * object, but never pass for another field.
 */

/** A field's value; undefined where it is unset, null or empty. */
export type Value = string | DataObject | readonly Value[] | undefined;

/** Deeper than any object of the vSphere API that vim-cmd prints. */
const DEEPEST = 40;

/** The text is not a data object, or not only one. */
export class DataObjectError extends Error {
  override readonly name = 'DataObjectError';
}

/** One data object: its type, such as `vim.vm.Summary`, and its fields. */
export class DataObject {
  readonly #fields: ReadonlyMap<string, Value>;

  constructor(readonly type: string, fields: ReadonlyMap<string, Value>) {
    this.#fields = fields;
  }

  /** The object of a field, or of a field of a field; undefined where there is none. */
  object(...path: readonly string[]): DataObject | undefined {
    let found: Value = this.#fields.get(path[0] ?? '');
    for (const name of path.slice(1)) found = found instanceof DataObject ? found.#fields.get(name) : undefined;
    return found instanceof DataObject ? found : undefined;
  }

  /** A text, number, flag or name of an enumeration, as it was printed. */
  text(name: string): string | undefined {
    const value = this.#fields.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  number(name: string): number | undefined {
    const text = this.text(name);
    return text !== undefined && /^-?\d{1,18}(\.\d+)?$/.test(text) ? Number(text) : undefined;
  }

  /** The objects in a list. */
  objects(name: string): DataObject[] {
    return this.#list(name).filter((value) => value instanceof DataObject);
  }

  texts(name: string): string[] {
    return this.#list(name).filter((value) => typeof value === 'string');
  }

  #list(name: string): readonly Value[] {
    const value = this.#fields.get(name);
    return Array.isArray(value) ? value as readonly Value[] : [];
  }
}

/** Where an object begins: at the start of a line, or after words such as `Power on failed: `. */
const BEGINNING = /(?:^|: )(?=\([A-Za-z][\w.]*\) ?\{)/m;

/**
 * The first data object in an output; what stands before and after it is passed over.
 * @returns undefined where there is none
 * @throws DataObjectError where it cannot be read to its end
 */
export function parseDataObject(output: string): DataObject | undefined {
  const beginning = BEGINNING.exec(output);
  if (!beginning) return undefined;
  const value = new Reader(output, beginning.index + beginning[0].length).value('', 0);
  return value instanceof DataObject ? value : undefined;
}

class Reader {
  readonly #text: string;
  #at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.#at = at;
  }

  /** @param indent the blanks before the line on which the value begins */
  value(indent: string, depth: number): Value {
    if (depth > DEEPEST) throw new DataObjectError('too deep');
    const typed = this.#take(/\(([A-Za-z][\w.]*)\) ?([{[]|null)/y);
    if (typed?.[2] === '{') return this.#object(typed[1]!, depth);
    if (typed?.[2] === '[') return this.#list(depth);
    if (typed) return undefined;
    const quote = this.#take(/["']/y)?.[0];
    if (quote !== undefined) return this.#quoted(quote, indent);
    const word = this.#take(/[^\s,"'()[\]{}]+/y)?.[0];
    return word === '<unset>' ? undefined : word;
  }

  #object(type: string, depth: number): DataObject {
    const fields = new Map<string, Value>();
    for (;;) {
      const indent = this.#nextIndent();
      if (this.#take(/\}/y)) return new DataObject(type, fields);
      const name = this.#take(/([A-Za-z]\w*) = ?/y)?.[1];
      if (name === undefined) throw new DataObjectError('neither a field nor the end of the object');
      if (fields.has(name)) throw new DataObjectError(`the field ${name} comes twice`);
      fields.set(name, this.value(indent, depth + 1));
      this.#endOfValue();
    }
  }

  #list(depth: number): Value[] {
    const items: Value[] = [];
    for (;;) {
      const indent = this.#nextIndent();
      if (this.#take(/\]/y)) return items;
      const before = this.#at;
      items.push(this.value(indent, depth + 1));
      if (this.#at === before) throw new DataObjectError('neither an item nor the end of the list');
      this.#endOfValue();
    }
  }

  /** Goes on to what comes next. @returns what stands before it on its line */
  #nextIndent(): string {
    this.#take(/\s*/y);
    if (this.#at === this.#text.length) throw new DataObjectError('cut off');
    return this.#text.slice(this.#text.lastIndexOf('\n', this.#at - 1) + 1, this.#at);
  }

  #endOfValue(): void {
    if (!this.#take(/ ?,?[ \t]*(?:\r?\n|$)/y)) throw new DataObjectError('more on a line than its value');
  }

  /** A text up to a quote after which nothing but the next field, the next item or an end can come. */
  #quoted(quote: string, indent: string): string {
    const start = this.#at;
    for (let end = this.#text.indexOf(quote, start); end >= 0; end = this.#text.indexOf(quote, end + 1)) {
      if (!this.#endsAt(end + 1, indent)) continue;
      this.#at = end + 1;
      return this.#text.slice(start, end);
    }
    throw new DataObjectError('a text without an end');
  }

  #endsAt(after: number, indent: string): boolean {
    const END_OF_LINE = /,?[ \t]*(?:\r?\n|$)/y;
    END_OF_LINE.lastIndex = after;
    if (!END_OF_LINE.test(this.#text)) return false;
    if (END_OF_LINE.lastIndex === this.#text.length) return true;
    const NEXT_LINE = /([ \t]*)(?:[A-Za-z]\w* = ?|["'(<]|-?\d|([}\]]))/y;
    NEXT_LINE.lastIndex = END_OF_LINE.lastIndex;
    const [, next, closer] = NEXT_LINE.exec(this.#text) ?? [];
    if (next === undefined) return false;
    return closer === undefined ? next === indent : next.length < indent.length;
  }

  #take(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.#at;
    const match = form.exec(this.#text);
    if (match) this.#at = form.lastIndex;
    return match ?? undefined;
  }
}
