import { readPlainDocument } from './plain-document.js';
import { badXml, REQUEST_LIMITS, XmlReader, type DocumentLimits } from './xml.js';
import type { Element } from './shape.js';

/**
 * Documents out of bytes. Nothing public tells how vmware-authd's clients mark a document's end: this is Argo's choice, which
 * suits a program and a person at telnet. A document ends with a NUL byte, with its `</exec>`, or with its first tag where that
 * has no other: `<exec/>`.
 *
 * A document that has ended without a NUL is answered at once, with LF behind the answer; where its NUL comes after all, maybe
 * in a later packet, the answer's own NUL is sent then, so that whoever counts on NULs gets exactly one an answer.
 *
 * `</exec>` is looked for in bytes, without understanding what is around it. In a document that the reader takes, it can be nothing
 * but the end of an element: sections, comments and instructions are refused, and `<` is no part of an attribute or a text. Where
 * it was something else, the document that ends there is thereby malformed, and what cannot be read is the last that is
 * read: whatever came behind it is thrown away, so that a text which was meant as content is never taken as a further request.
 */

/** A document, or the NUL that came behind one which had already ended. */
export type Received =
  | {
    readonly kind: 'document';
    readonly root: Element;
    /** what the answer ends with */
    readonly end: '\0' | '\n';
    /** as it came, where that was asked for */
    readonly text: string | undefined;
  }
  | { readonly kind: 'nul' };

const NUL = 0x00;
const LESS = 0x3C;
const GREATER = 0x3E;
const SLASH = 0x2F;
const QUESTION = 0x3F;
const QUOTES: ReadonlySet<number> = new Set([0x22, 0x27]);
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0A || byte === 0x0D;

/** The last element's end, but for the spaces and the `>` that follow. */
const END_TAG = Buffer.from('</exec');

/** The first tag of a document, behind a declaration if there is one: whether the document ends with it. */
class RootTag {
  isOver = false;
  #isDeclaration = false;
  /** the quote in which an attribute stands, where `/>` means nothing */
  #quote: number | undefined;
  #before = 0;

  /** @returns whether the root has closed itself with this byte */
  closes(byte: number): boolean {
    const before = this.#before;
    this.#before = byte;
    if (this.#quote !== undefined) {
      if (byte === this.#quote) this.#quote = undefined;
    } else if (QUOTES.has(byte)) this.#quote = byte;
    else if (byte === QUESTION && before === LESS) this.#isDeclaration = true;
    else if (byte === GREATER) {
      this.isOver = !this.#isDeclaration;
      this.#isDeclaration = false;
      return this.isOver && before === SLASH;
    }
    return false;
  }
}

/** Reads a connection's documents. Each byte is looked at once, however they come; nothing is kept but what a begun document says. */
export class DocumentStream {
  readonly #reader: XmlReader;
  /** whether a document has begun that is not at its end */
  #isWithin = false;
  /** how much of END_TAG the last bytes are; all of it: spaces and `>` are expected */
  #matched = 0;
  #rootTag = new RootTag();
  /** whether a document has ended without a NUL, and only spaces came since */
  #owesNul = false;
  #failure: Error | undefined;
  /** of the document that has begun */
  readonly #pieces: Buffer[] | undefined;

  /** @param keeps `text`: documents are told as they came, too, which takes memory */
  constructor(limits: DocumentLimits = REQUEST_LIMITS, keeps?: 'text') {
    this.#reader = new XmlReader(limits);
    this.#pieces = keeps && [];
  }

  get isWithin(): boolean {
    return this.#isWithin;
  }

  /**
   * What comes of some bytes, one after the other: the rest is looked at when the next is asked for, and all must be taken before more is pushed.
   * @throws OperationError BAD_XML; from then on at every call: the connection is of no more use
   */
  *push(bytes: Uint8Array): Generator<Received, void, undefined> {
    if (this.#failure) throw this.#failure;
    try {
      let at = 0;
      while ((at = this.#skipSpace(bytes, at)) < bytes.length) {
        if (bytes[at] === NUL && !this.#isWithin) {
          at += 1;
          if (this.#owesNul) yield { kind: 'nul' };
          this.#owesNul = false;
          continue;
        }
        const end = this.#endOf(bytes, at);
        const piece = bytes.subarray(at, end ?? bytes.length);
        const plain = this.#isWithin || end === undefined ? undefined : readPlainDocument(piece);
        if (plain === undefined) this.#read(piece);
        this.#pieces?.push(Buffer.from(piece));
        if (end === undefined) return;
        const root = plain ?? this.#reader.end();
        this.#isWithin = false;
        const isNul = bytes[end] === NUL;
        at = isNul ? end + 1 : end;
        this.#owesNul = !isNul;
        yield { kind: 'document', root, end: isNul ? '\0' : '\n', text: this.#pieces && Buffer.concat(this.#pieces.splice(0)).toString() };
      }
    } catch (error) {
      throw this.#failure = error as Error;
    }
  }

  /** Spaces between documents say nothing. */
  #skipSpace(bytes: Uint8Array, from: number): number {
    if (this.#isWithin) return from;
    let at = from;
    while (at < bytes.length && isSpace(bytes[at]!)) at += 1;
    return at;
  }

  #read(piece: Uint8Array): void {
    // noticed at its first byte, so that another protocol's client does not wait for an answer in vain
    if (!this.#isWithin && piece[0] !== LESS) throw badXml('a document begins with <');
    this.#isWithin = true;
    this.#owesNul = false;
    this.#reader.write(piece);
  }

  /** @returns where the document ends: behind its last tag, or at its NUL; undefined where that has not come */
  #endOf(bytes: Uint8Array, from: number): number | undefined {
    let matched = this.#matched;
    const root = this.#rootTag;
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      if (byte === NUL || (byte === GREATER && matched === END_TAG.length) || (!root.isOver && root.closes(byte))) {
        this.#matched = 0;
        this.#rootTag = new RootTag();
        return byte === NUL ? at : at + 1;
      }
      if (matched === END_TAG.length) {
        if (!isSpace(byte)) matched = byte === LESS ? 1 : 0;
      } else if (byte === END_TAG[matched]) matched += 1;
      // `<` is its first byte and stands nowhere else in it
      else matched = byte === LESS ? 1 : 0;
    }
    this.#matched = matched;
    return undefined;
  }
}
