import type { Duplex } from 'node:stream';
import type { ConsoleSize } from '../drivers/driver.js';
import { ArgoError } from '../kit/errors.js';
import { closeClass } from '../kit/closed.js';
import { LINES_A_TURN } from '../kit/limits.js';
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
  /** Gives the client's connection to a console until that is over, where it can. @throws ArgoError why it ended, where the client did not leave */
  handOver?(end: RawEnd): Promise<void>;
}

/** There is nobody left to reply to. */
export class ClientGone extends Error {
  constructor() {
    super('the client is gone');
  }
}

/** A console that a connection is handed over to. */
export interface RawEnd {
  readonly stream: Duplex;
  /** a line for people, shown before all else */
  readonly notice: string | undefined;
  resize(size: ConsoleSize): void;
}

/** How a peer ends its own lines; it gets its replies alike. */
export type LineEnd = '\n' | '\r\n';

/** What a plugin without types hands over may answer each look at it differently: it is looked at once. */
const asText = (text: string): string => (typeof text === 'string' ? text : String(text));

const LOOKS_LIKE_A_REPLY = /^[234]00(?:[ \t]|$)/;

/** What replies have in common for one kind of line end, made once: putting it together costs 0.1 µs each time. */
class Phrases {
  readonly ok: string;
  readonly done: string;
  readonly okDone: string;
  /** a body line as it is sent: it can neither be taken for a reply nor steer a terminal */
  readonly safe: (text: string) => string;
  /** blocks of body lines as they are sent: by what they were made from, the command, and its part */
  readonly #blocks = new WeakMap<object, Map<string, Map<string, string>>>();

  constructor(eol: LineEnd) {
    this.ok = `200 OK${eol}`;
    this.done = `300 DONE${eol}`;
    this.okDone = this.ok + this.done;
    this.safe = (text) => {
      const line = harmless(asText(text));
      return (LOOKS_LIKE_A_REPLY.test(line) ? ` ${line}` : line) + eol;
    };
  }

  block(source: object, word: string, part: string, texts: () => Iterable<string>): string {
    let words = this.#blocks.get(source);
    if (words === undefined) this.#blocks.set(source, words = new Map());
    let parts = words.get(word);
    if (parts === undefined) words.set(word, parts = new Map());
    let block = parts.get(part);
    if (block === undefined) parts.set(part, block = Array.from(texts(), this.safe).join(''));
    return block;
  }
}

const PHRASES = { '\n': new Phrases('\n'), '\r\n': new Phrases('\r\n') };

/** The reply to one request: 200, body lines, 300; or a 400 at any point. What comes after its end is dropped. */
export class Reply {
  #accepted = false;
  #ended = false;
  #remarks = '';
  /** what was sent, where somebody wants to know */
  #sent: string | undefined;
  #recordable = 0;
  /** a console has the connection: nobody knows for how long */
  isHandedOver = false;
  /** grows while the reply gets on */
  progress = 0;
  readonly #sink: Sink;
  readonly eol: LineEnd;
  readonly #phrases: Phrases;

  constructor(sink: Sink, eol: LineEnd) {
    this.#sink = sink;
    this.eol = eol;
    this.#phrases = PHRASES[eol];
  }

  get isOpen(): boolean {
    return !this.#ended;
  }

  /** Keeps what is sent from now on, up to so many characters. */
  record(characters: number): void {
    this.#recordable = characters;
    this.#sent = '';
  }

  /** What was sent since `record`; undefined where that was too much. */
  get recorded(): string | undefined {
    return this.#sent;
  }

  /** Says that the command is accepted, unless that was said. */
  accept(): void {
    if (this.#accepted || this.#ended) return;
    this.#accepted = true;
    this.#append(this.#phrases.ok);
  }

  line(text: string): void {
    if (this.#ended) return;
    this.accept();
    this.progress += 1;
    this.#append(this.#phrases.safe(text));
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
   * @param word of the command
   * @param part tells apart what a command makes from one source
   */
  unchanged(source: object, word: string, part: string, texts: () => Iterable<string>): void {
    this.accept();
    this.progress += 1;
    if (!this.#ended) this.#append(this.#phrases.block(source, word, part, texts));
  }

  /** @throws ArgoError NOT SUPPORTED where there is no connection that a console could have */
  requireHandOver(): void {
    if (this.#sink.handOver === undefined) throw new ArgoError('NOT SUPPORTED', 'there is no connection for a console');
  }

  /** Gives the connection to a console until that is over. @throws ArgoError why it ended, where the client did not leave */
  async handOver(end: RawEnd): Promise<void> {
    this.accept();
    this.isHandedOver = true;
    try {
      await this.#sink.handOver?.({ ...end, notice: end.notice === undefined ? undefined : harmless(end.notice) });
    } finally {
      this.isHandedOver = false;
      this.progress += 1;
    }
  }

  /** Text for people behind `300 DONE`. */
  remark(text: string): void {
    this.#remarks += `: ${harmless(asText(text))}`;
  }

  done(): void {
    if (this.#ended) return;
    const { ok, done, okDone } = this.#phrases;
    this.#ended = true;
    if (this.#remarks === '') this.#append(this.#accepted ? done : okDone);
    else this.#append(`${this.#accepted ? '' : ok}300 DONE${this.#remarks}${this.eol}`);
    this.#accepted = true;
  }

  fail(error: ArgoError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#append(`400 ${harmless(asText(error.message))}${this.eol}`);
  }

  #append(text: string): void {
    if (this.#sent !== undefined) this.#sent = this.#sent.length + text.length > this.#recordable ? undefined : this.#sent + text;
    this.#sink.append(text);
  }

  /** Gathers a chunk, or what one turn has room for. @returns whether that was all */
  #fill(iterator: Iterator<string>): boolean {
    this.progress += 1;
    for (let count = 0; count < LINES_A_TURN && !this.#sink.full; count += 1) {
      const next = iterator.next();
      if (next.done === true || this.#ended) return true;
      this.#append(this.#phrases.safe(next.value));
    }
    return false;
  }

  async #stream(iterator: Iterator<string>): Promise<void> {
    do {
      await ((this.#sink.full ? this.#sink.drain() : undefined) ?? new Promise(setImmediate));
      if (this.#sink.gone) throw new ClientGone();
    } while (!this.#fill(iterator));
  }
}

closeClass(Reply);
