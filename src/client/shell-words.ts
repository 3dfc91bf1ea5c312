/** How bash reads and writes words: what a line means up to where a Tab was pressed, without carrying out anything of it. */

/** The quote that is open where a text ends. */
export type Quote = '' | '"' | "'";

/** The word at the end of a line. */
export interface OpenWord {
  /** as it is typed, quotes and all */
  readonly raw: string;
  /** as the program would get it */
  readonly text: string;
  readonly quote: Quote;
  /** bash makes something else of it: `$HOME`, a command in it, or it is where a redirection goes */
  readonly isOthers: boolean;
}

/** Within `"…"` a backslash is one before anything else. */
const ESCAPABLE = /[$`"\\]/;
/** What needs no backslash in front; beyond ASCII nothing does. */
const SPECIAL = /[^\w.,:@%+=/\u0080-\u{10ffff}-]/gu;

/** Reads a line, a character after the other. */
class Reader {
  readonly words: string[] = [];
  #start = 0;
  #text = '';
  #quote: Quote = '';
  #isBegun = false;
  #isLive = false;
  #isRedirected = false;
  readonly #line: string;

  constructor(line: string) {
    this.#line = line;
    for (let at = 0; at < line.length; at += 1) at += this.#take(line[at]!, line[at + 1], at);
  }

  get open(): OpenWord {
    return { raw: this.#line.slice(this.#start), text: this.#text, quote: this.#quote, isOthers: this.#isLive || this.#isRedirected };
  }

  /** @returns how many characters more than this one were taken */
  #take(character: string, next: string | undefined, at: number): number {
    if (this.#quote === '' && /\s/.test(character)) return this.#end(at + 1);
    if (this.#quote === '' && /[<>]/.test(character)) return this.#redirect(at + 1);
    this.#isBegun = true;
    if (character === '\\' && this.#quote !== "'") return this.#escape(next);
    if (character === this.#quote) this.#quote = '';
    else if (this.#quote === '' && /["']/.test(character)) this.#quote = character as Quote;
    else {
      this.#isLive ||= this.#quote !== "'" && /[$`]/.test(character);
      this.#text += character;
    }
    return 0;
  }

  #escape(next: string | undefined): number {
    if (next === undefined) return 0;
    this.#text += this.#quote === '"' && !ESCAPABLE.test(next) ? `\\${next}` : next;
    return 1;
  }

  /** Ends a word; where one goes that says where to is none of the program's. */
  #end(start: number): number {
    if (this.#isBegun && !this.#isRedirected) this.words.push(this.#text);
    if (this.#isBegun) this.#isRedirected = false;
    this.#text = '';
    this.#isBegun = false;
    this.#isLive = false;
    this.#start = start;
    return 0;
  }

  #redirect(start: number): number {
    // 2>file
    if (/^\d+$/.test(this.#text)) this.#isBegun = false;
    this.#end(start);
    this.#isRedirected = true;
    return 0;
  }
}

/**
 * The words of a command of bash, the name of the program first, and the last of them, which is being typed; a `~` is not
 * looked at.
 */
export function readBash(line: string): { readonly words: readonly string[]; readonly open: OpenWord } {
  const { words, open } = new Reader(line);
  return { words, open };
}

/**
 * A text as bash reads it as nothing else.
 * @param quote that is open in front of it. bash closes it, unless it sees one at the end, whatever that is: there it is closed here
 */
export function writeBash(text: string, quote: Quote): string {
  const written = withinQuote(text, quote);
  return quote !== '' && written.endsWith(quote) ? written + quote : written;
}

function withinQuote(text: string, quote: Quote): string {
  if (quote === "'") return text.replaceAll("'", "'\\''");
  // a ! would be one of the history within these quotes, too, with a backslash that stays
  if (quote === '"') return text.replace(/[$`"\\]/g, '\\$&').replaceAll('!', '"\\!"');
  return text.replace(SPECIAL, '\\$&');
}
