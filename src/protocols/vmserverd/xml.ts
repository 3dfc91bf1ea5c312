import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import { SaxesParser, type SaxesTagPlain } from 'saxes';
import { XML_WITHOUT_TAG } from '../../kit/limits.js';
import { VMSERVERD_ATTRIBUTES, VMSERVERD_DEPTH, VMSERVERD_DOCUMENT, VMSERVERD_ELEMENTS } from '../../kit/vmserverd-limits.js';
import { CODES, OperationError } from './codes.js';
import type { Element } from './shape.js';

/** How much of a document is read. */
export interface DocumentLimits {
  /** of its UTF-8 */
  readonly bytes: number;
  readonly elements: number;
}

export const REQUEST_LIMITS: DocumentLimits = { bytes: VMSERVERD_DOCUMENT, elements: VMSERVERD_ELEMENTS };

type Open = Element & { text: string; readonly children: Element[] };

/** XML itself allows the controls of Latin-1 (U+0080 to U+009F) and DEL, which a terminal or a log may obey. */
const CONTROLS = /[\x7F-\x9F]/;

/** What document types, sections and comments begin with; in a document that is read, it stands nowhere else either. */
const DECLARATION = '<!';

export const badXml = (words: string): OperationError => new OperationError(CODES.BAD_XML, words);

/**
 * Reads documents, one after the other, each as its bytes come, so that nothing is kept of it but what it says, and a bomb is noticed while it is small.
 * What it takes: elements, text in UTF-8, the five entities of XML itself and numeric ones, a declaration of XML 1.0 at the
 * beginning. Attributes are read over, and a colon in a name means nothing. What it refuses: document types, CDATA sections,
 * comments, processing instructions, other entities, control characters but tabs and line ends, and all that is not well-formed.
 * Without sections and comments, `</exec>` stands nowhere but at the end of an element: {@link ./framing.js} relies on it.
 */
export class XmlReader {
  readonly #limits: DocumentLimits;
  readonly #parser = new SaxesParser({ xmlns: false, position: false, defaultXMLVersion: '1.0', forceXMLVersion: true });
  /** of a document whose characters were cut apart, or are none: slower */
  #decoder: TextDecoder | undefined;
  readonly #open: Open[] = [];
  #root: Element | undefined;
  #bytes = 0;
  #elements = 0;
  #attributes = 0;
  /** characters since a tag began or ended */
  #withoutTag = 0;
  /** the last character that was parsed */
  #last = '';

  constructor(limits: DocumentLimits = REQUEST_LIMITS) {
    this.#limits = limits;
    const parser = this.#parser;
    parser.on('error', (cause) => { throw new OperationError(CODES.BAD_XML, `the XML is malformed or cut off: ${cause.message}`); });
    parser.on('xmldecl', ({ version, encoding }) => {
      if (version !== '1.0' || (encoding !== undefined && !/^(?:utf-8|us-ascii)$/i.test(encoding))) throw badXml('only XML 1.0 in UTF-8 is read here');
    });
    parser.on('processinginstruction', forbid);
    parser.on('attribute', () => {
      if ((this.#attributes += 1) > VMSERVERD_ATTRIBUTES) throw badXml(`more than ${VMSERVERD_ATTRIBUTES} attributes`);
    });
    parser.on('text', (text) => this.#addText(text));
    parser.on('opentag', (tag) => this.#begin(tag));
    parser.on('closetag', () => this.#end());
    // Not one more: with eight, V8 keeps the parser's fields in a table, and all takes twice the time. So document types,
    // sections and comments are noticed before they are parsed.
  }

  /** @throws OperationError BAD_XML; then it is of no more use */
  write(bytes: Uint8Array): void {
    if ((this.#bytes += bytes.length) > this.#limits.bytes) throw badXml(`more than ${this.#limits.bytes} bytes`);
    this.#parse(this.#toText(bytes));
  }

  /** The document is at its end; what is written from now on is of the next. @throws OperationError BAD_XML; then it is of no more use */
  end(): Element {
    if (this.#decoder) this.#parse(this.#decode(this.#decoder));
    this.#parser.close();
    const root = this.#root!;
    this.#root = this.#decoder = undefined;
    this.#bytes = this.#elements = this.#attributes = this.#withoutTag = 0;
    this.#last = '';
    return root;
  }

  #parse(text: string): void {
    if (text.includes(DECLARATION) || (this.#last + text.charAt(0)) === DECLARATION) forbid();
    this.#withoutTag += text.length;
    this.#parser.write(text);
    if (this.#withoutTag > XML_WITHOUT_TAG) throw badXml(`more than ${XML_WITHOUT_TAG} characters without a tag`);
    this.#last = text.slice(-1) || this.#last;
  }

  #toText(bytes: Uint8Array): string {
    if (this.#decoder === undefined && isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    return this.#decode(this.#decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }), bytes);
  }

  /** @param bytes undefined: there are no more */
  #decode(decoder: TextDecoder, bytes?: Uint8Array): string {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw badXml('it is not UTF-8');
    }
  }

  #addText(text: string): void {
    if (CONTROLS.test(text)) throw badXml('it has a control character');
    const inner = this.#open.at(-1);
    if (inner) inner.text += text;
  }

  #end(): void {
    this.#withoutTag = 0;
    this.#open.pop();
  }

  #begin({ name }: SaxesTagPlain): void {
    this.#withoutTag = 0;
    if ((this.#elements += 1) > this.#limits.elements) throw badXml(`more than ${this.#limits.elements} elements`);
    const outer = this.#open.at(-1);
    const element: Open = { name, text: '', children: [] };
    if (this.#open.push(element) > VMSERVERD_DEPTH) throw badXml(`elements lie in each other more than ${VMSERVERD_DEPTH} deep`);
    outer?.children.push(element);
    this.#root ??= element;
  }
}

function forbid(): never {
  throw badXml('document types, CDATA sections, comments and processing instructions are not read here');
}

/** One whole document, as {@link XmlReader} takes it. @throws OperationError BAD_XML */
export function readDocument(document: string | Uint8Array, limits: DocumentLimits = REQUEST_LIMITS): Element {
  const reader = new XmlReader(limits);
  reader.write(typeof document === 'string' ? Buffer.from(document) : document);
  return reader.end();
}
