import { ZABBIX_KEY } from '../../kit/zabbix-limits.js';

/** An item's key taken apart: `name` and its parameters; `name` and `name[]` differ by a parameter, which is empty. */
interface ItemKey {
  readonly name: string;
  /** A parameter that is an array in brackets stands as it is written: `[a,b]`. */
  readonly parameters: readonly string[];
}

/** Why a text is no key of an item. */
export class ItemKeyError extends Error {
  override readonly name = 'ItemKeyError';
}

/** Of which a key's name is made (https://www.zabbix.com/documentation/6.0/en/manual/config/items/item/key). */
const NAME = /^[\w.-]+/;

/**
 * Takes a key apart: `net.if["eth 0",,"say \"hi\""]`. In quotes only a quote is escaped, by a backslash; blanks before
 * a parameter count for nothing, as do those behind a closing quote.
 * @throws ItemKeyError with the reason, for people
 */
export function parseItemKey(key: string): ItemKey {
  if (key.length > ZABBIX_KEY) throw new ItemKeyError(`longer than ${ZABBIX_KEY} characters`);
  const name = NAME.exec(key)?.[0];
  if (name === undefined) throw new ItemKeyError(key === '' ? 'empty' : `begins with ${JSON.stringify(key[0])}, which a name must not`);
  if (name.length === key.length) return { name, parameters: [] };
  if (key[name.length] !== '[') throw new ItemKeyError(`${JSON.stringify(key[name.length])} after the name`);
  const reader = new ParameterReader(key, name.length + 1);
  const parameters = reader.list();
  if (reader.rest !== '') throw new ItemKeyError(`${JSON.stringify(reader.rest)} after the closing bracket`);
  return { name, parameters };
}

class ParameterReader {
  readonly #key: string;
  #at: number;

  /** @param at behind the opening bracket */
  constructor(key: string, at: number) {
    this.#key = key;
    this.#at = at;
  }

  get rest(): string {
    return this.#key.slice(this.#at);
  }

  /** The parameters up to the closing bracket, which is read too. */
  list(): string[] {
    const found: string[] = [];
    for (;;) {
      this.#blanks();
      const sign = this.#key[this.#at];
      found.push(sign === '"' ? this.#quoted() : sign === '[' ? this.#array() : this.#plain());
      if (this.#take() === ']') return found;
    }
  }

  /** The comma or closing bracket after a parameter. */
  #take(): string {
    const sign = this.#key[this.#at];
    if (sign === undefined) throw new ItemKeyError('no closing bracket');
    if (sign !== ',' && sign !== ']') throw new ItemKeyError(`${JSON.stringify(sign)} after a parameter`);
    this.#at += 1;
    return sign;
  }

  #blanks(): void {
    while (this.#key[this.#at] === ' ') this.#at += 1;
  }

  #plain(): string {
    const begin = this.#at;
    while (this.#at < this.#key.length && this.#key[this.#at] !== ',' && this.#key[this.#at] !== ']') this.#at += 1;
    return this.#key.slice(begin, this.#at);
  }

  #quoted(): string {
    let text = '';
    for (this.#at += 1; this.#at < this.#key.length; this.#at += 1) {
      const sign = this.#key[this.#at]!;
      if (sign === '"') {
        this.#at += 1;
        this.#blanks();
        return text;
      }
      if (sign === '\\' && this.#key[this.#at + 1] === '"') this.#at += 1;
      text += this.#key[this.#at]!;
    }
    throw new ItemKeyError('no closing quote');
  }

  /** As it is written; there is no array in an array. */
  #array(): string {
    const begin = this.#at;
    this.#at += 1;
    for (;;) {
      this.#blanks();
      const sign = this.#key[this.#at];
      if (sign === '[') throw new ItemKeyError('an array in an array');
      if (sign === '"') this.#quoted();
      else this.#plain();
      if (this.#take() === ']') break;
    }
    const text = this.#key.slice(begin, this.#at);
    this.#blanks();
    return text;
  }
}
