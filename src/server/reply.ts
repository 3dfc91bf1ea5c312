import type { ArgoError } from '../kit/errors.js';
import { closeClass } from '../kit/closed.js';
import { harmless } from '../kit/text.js';

/** Where a reply's text goes. */
export interface Sink {
  /** Adds text to what will be written. */
  append(text: string): void;
  /** whether enough waits to be written, or the client does not take what was */
  readonly full: boolean;
  /** Writes what was gathered. Resolves when the client has taken it; undefined where it has already. */
  drain(): Promise<void> | undefined;
  /** whether the client is gone: what is written is lost */
  readonly gone: boolean;
}

/** There is nobody left to reply to. */
export class ClientGone extends Error {
  constructor() {
    super('the client is gone');
  }
}

/** Blocks of body lines as they are sent, by what they were made from. */
const prepared = new WeakMap<object, Map<string, string>>();

const LOOKS_LIKE_A_REPLY = /^[234]00(?:[ \t]|$)/;

/** The reply to one request: 200, body lines, 300; or a 400 at any point. What comes after its end is dropped. */
export class Reply {
  #accepted = false;
  #ended = false;
  #remarks = '';
  /** grows while the reply gets on */
  progress = 0;
  readonly #sink: Sink;
  readonly #eol: string;

  /** @param eol `\n` or `\r\n`, as the peer ends its own lines */
  constructor(sink: Sink, eol: string) {
    this.#sink = sink;
    this.#eol = eol;
  }

  get isOpen(): boolean {
    return !this.#ended;
  }

  /** Says that the command is accepted, unless that was said. */
  accept(): void {
    if (this.#accepted || this.#ended) return;
    this.#accepted = true;
    this.#sink.append(`200 OK${this.#eol}`);
  }

  line(text: string): void {
    if (this.#ended) return;
    this.accept();
    this.progress += 1;
    this.#sink.append(this.#safe(text));
  }

  /** Streams lines at the pace at which the client takes them. @throws ClientGone, so that nobody goes on for nobody */
  lines(texts: Iterable<string>): void | Promise<void> {
    if (this.#sink.gone) throw new ClientGone();
    const iterator = texts[Symbol.iterator]();
    this.accept();
    if (!this.#fill(iterator)) return this.#stream(iterator);
  }

  /**
   * Lines that stay the same for as long as `source` is the same object: they are made ready once.
   * @param part tells apart what is made from one source
   */
  unchanged(source: object, part: string, texts: () => Iterable<string>): void {
    this.accept();
    this.progress += 1;
    if (!this.#ended) this.#sink.append(this.#prepared(source, part + this.#eol, texts));
  }

  /** Text for people behind `300 DONE`. */
  remark(text: string): void {
    this.#remarks += `: ${harmless(text)}`;
  }

  done(): void {
    if (this.#ended) return;
    this.accept();
    this.#ended = true;
    this.#sink.append(`300 DONE${this.#remarks}${this.#eol}`);
  }

  fail(error: ArgoError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sink.append(`400 ${harmless(error.message)}${this.#eol}`);
  }

  #prepared(source: object, key: string, texts: () => Iterable<string>): string {
    let blocks = prepared.get(source);
    if (blocks === undefined) prepared.set(source, blocks = new Map());
    let block = blocks.get(key);
    if (block === undefined) blocks.set(key, block = Array.from(texts(), (text) => this.#safe(text)).join(''));
    return block;
  }

  #safe(text: string): string {
    const line = harmless(text);
    return (LOOKS_LIKE_A_REPLY.test(line) ? ` ${line}` : line) + this.#eol;
  }

  /** Gathers a chunk. @returns whether that was all */
  #fill(iterator: Iterator<string>): boolean {
    this.progress += 1;
    while (!this.#sink.full) {
      const next = iterator.next();
      if (next.done === true || this.#ended) return true;
      this.#sink.append(this.#safe(next.value));
    }
    return false;
  }

  async #stream(iterator: Iterator<string>): Promise<void> {
    do {
      await (this.#sink.drain() ?? new Promise(setImmediate));
      if (this.#sink.gone) throw new ClientGone();
    } while (!this.#fill(iterator));
  }
}

closeClass(Reply);
