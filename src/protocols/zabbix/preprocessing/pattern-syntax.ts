import { ZABBIX_PATTERN, ZABBIX_PATTERN_COUNTS, ZABBIX_PATTERN_UNWATCHED } from '../../../kit/zabbix-limits.js';
import { CannotPreprocess } from './variant.js';

/**
 * Expressions of Zabbix are PCRE (https://www.zabbix.com/documentation/6.0/en/manual/regular_expressions); here they are
 * JavaScript's. They are put into its words, and what it does not have is refused, rather than taken for something else.
 */

/** An expression in JavaScript's words. */
interface Translated {
  readonly source: string;
  readonly flags: string;
  /** up to so many characters of a value it needs no watch: what it costs at most can be told from their number */
  readonly unwatched: number;
}

/** @param isMultiline `^` and `$` are also at the ends of lines @throws CannotPreprocess */
export function translatePattern(pattern: string, isMultiline: boolean): Translated {
  if (pattern.length > ZABBIX_PATTERN) throw refused(pattern, `longer than ${ZABBIX_PATTERN} characters`);
  return new Translator(pattern, isMultiline).translate();
}

const refused = (pattern: string, reason: string): CannotPreprocess => new CannotPreprocess(`the regular expression ${JSON.stringify(pattern.slice(0, 200))}: ${reason}`);

const SPACE = '\\t-\\r ';
/** Of classes such as `[:digit:]`, as they stand within brackets. */
const POSIX: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9', alpha: 'A-Za-z', ascii: '\\x00-\\x7f', blank: ' \\t', cntrl: '\\x00-\\x1f\\x7f', digit: '0-9', graph: '!-~', lower: 'a-z',
  print: ' -~', punct: '!-\\/:-@\\[-`\\{-~', space: SPACE, upper: 'A-Z', word: '\\w', xdigit: '0-9A-Fa-f',
};

/** What stands for itself although it is escaped, and what JavaScript reads as PCRE does. */
const SAME = /^[dDwWSbBtnrfv]$/;
const SYNTAX = /^[\^$\\.*+?()[\]{}|/]$/;

class Translator {
  readonly #pattern: string;
  readonly #out: string[] = [];
  #flags = 'u';
  #isMultiline: boolean;
  #isDotAll = false;
  #at = 0;
  #repetitions = 0;
  #counted = 0;
  #options = 0;
  #hasGroupRepeated = false;

  constructor(pattern: string, isMultiline: boolean) {
    this.#pattern = pattern;
    this.#isMultiline = isMultiline;
  }

  translate(): Translated {
    this.#leadingFlags();
    while (this.#at < this.#pattern.length) this.#next();
    if (this.#isMultiline) this.#flags += 'm';
    return { source: this.#out.join(''), flags: this.#flags, unwatched: this.#hasGroupRepeated || this.#options > 2 ? 0 : ZABBIX_PATTERN_UNWATCHED[this.#repetitions] ?? 0 };
  }

  /** `(?i)` and its like are read where they are for the whole of it. */
  #leadingFlags(): void {
    const [whole, flags] = /^\(\?([ims]+)\)/.exec(this.#pattern) ?? [];
    if (whole === undefined || flags === undefined) return;
    if (flags.includes('i')) this.#flags += 'i';
    if (flags.includes('m')) this.#isMultiline = true;
    if (flags.includes('s')) this.#isDotAll = true;
    this.#at = whole.length;
  }

  #next(): void {
    const sign = String.fromCodePoint(this.#pattern.codePointAt(this.#at)!);
    this.#at += sign.length;
    switch (sign) {
      case '\\': return this.#escape();
      case '[': return this.#brackets();
      case '(': return this.#group();
      case '*':
      case '+':
      case '?':
      case '{': return this.#quantifier(sign);
      case '.': return this.#put(this.#isDotAll ? '[^]' : '[^\\n]');
      // the last line end may follow
      case '$': return this.#put(this.#isMultiline ? '(?=\\n|$)' : '(?=\\n?$)');
      case '^': return this.#put(this.#isMultiline ? '(?<=^|\\n)' : '^');
      case ']':
      case '}': return this.#put(`\\${sign}`);
      default: return this.#put(sign);
    }
  }

  #put(text: string): void {
    this.#out.push(text);
  }

  #quantifier(sign: string): void {
    if (sign === '{') {
      const [counts] = /^\d{1,4}(?:,\d{0,4})?\}/.exec(this.#pattern.slice(this.#at, this.#at + 12)) ?? [];
      if (counts === undefined) return this.#put('\\{');
      this.#at += counts.length;
      this.#counted += Math.max(...counts.slice(0, -1).split(',').map(Number));
      // each of them is written out when it is made ready, which nothing can end
      if (this.#counted > ZABBIX_PATTERN_COUNTS) throw this.#fault(`counts that come to more than ${ZABBIX_PATTERN_COUNTS}`);
      this.#count(true, sign + counts);
    } else this.#count(sign !== '?', sign);
  }

  #count(isRepetition: boolean, text: string): void {
    if (isRepetition) this.#repetitions += 1;
    else this.#options += 1;
    if (this.#out.at(-1) === ')') this.#hasGroupRepeated = true;
    const follower = this.#pattern[this.#at];
    if (follower === '+') throw this.#fault('possessive repetition');
    if (follower === '?') this.#at += 1;
    this.#put(follower === '?' ? `${text}?` : text);
  }

  #group(): void {
    const rest = this.#pattern.slice(this.#at, this.#at + 130);
    const [head] = /^\?(?::|=|!|<=|<!|P?<[A-Za-z_]\w{0,31}>)/.exec(rest) ?? [];
    if (head === undefined && /^[?*]/.test(rest)) throw this.#fault(`(${rest.slice(0, 3)}`);
    this.#at += head?.length ?? 0;
    this.#put(`(${(head ?? '').replace('?P<', '?<')}`);
  }

  #escape(): void {
    const sign = this.#pattern[this.#at] ?? '';
    this.#at += 1;
    const plain: Readonly<Record<string, string>> = {
      s: `[${SPACE}]`, S: `[^${SPACE}]`, h: '[ \\t]', H: '[^ \\t]', N: '[^\\n]', A: '(?<![^])', z: '(?![^])', Z: '(?=\\n?(?![^]))', e: '\\x1b', a: '\\x07',
    };
    if (Object.hasOwn(plain, sign)) return this.#put(plain[sign]!);
    this.#put(this.#same(sign, SAME));
  }

  /** An escape that means the same in both. */
  #same(sign: string, letters: RegExp): string {
    if (sign === 'x') return this.#code();
    if (letters.test(sign)) return `\\${sign}`;
    if (sign === '' || /^[A-Za-z0-9]$/.test(sign)) throw this.#fault(`\\${sign}`);
    return SYNTAX.test(sign) ? `\\${sign}` : sign === '-' ? '\\x2d' : sign;
  }

  #code(): string {
    const [whole, braced, two] = /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/.exec(this.#pattern.slice(this.#at, this.#at + 8)) ?? [];
    if (whole === undefined) throw this.#fault('\\x');
    this.#at += whole.length;
    return `\\u{${braced ?? two}}`;
  }

  #brackets(): void {
    const isNot = this.#pattern[this.#at] === '^';
    if (isNot) this.#at += 1;
    let text = isNot ? '[^' : '[';
    for (let isFirst = true; ; isFirst = false) {
      const sign = this.#pattern.slice(this.#at, this.#at + 1);
      if (sign === '') throw this.#fault('no ]');
      this.#at += 1;
      if (sign === ']' && !isFirst) break;
      text += this.#inBrackets(sign);
    }
    this.#put(`${text}]`);
  }

  #inBrackets(sign: string): string {
    if (sign === '\\') {
      const escaped = this.#pattern[this.#at] ?? '';
      this.#at += 1;
      if (escaped === 's') return SPACE;
      if (escaped === 'h') return ' \\t';
      return this.#same(escaped, /^[dDwWbtnrfv]$/);
    }
    if (sign !== '[') return SYNTAX.test(sign) && sign !== '^' ? `\\${sign}` : sign;
    const [whole, isNot, name] = /^:(\^?)([a-z]+):\]/.exec(this.#pattern.slice(this.#at, this.#at + 12)) ?? [];
    if (whole === undefined) return '\\[';
    if (isNot !== '' || !Object.hasOwn(POSIX, name!)) throw this.#fault(`[${whole}`);
    this.#at += whole.length;
    return POSIX[name!]!;
  }

  #fault(what: string): CannotPreprocess {
    return refused(this.#pattern, `${what} cannot be done here`);
  }
}
