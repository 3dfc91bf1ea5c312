import { SaxesParser, type SaxesAttributeNS, type SaxesTagNS } from 'saxes';
import { XML_WITHOUT_TAG } from '../../kit/limits.js';
import { Slices } from '../../kit/slices.js';
import { parseInSlices } from '../../kit/xml-text.js';
import { WmiAnswerError } from '../wmi/errors.js';

/** Of what is said in WS-Management. */
export const Namespace = {
  soap: 'http://www.w3.org/2003/05/soap-envelope',
  addressing: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  wsman: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
  microsoft: 'http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd',
  transfer: 'http://schemas.xmlsoap.org/ws/2004/09/transfer',
  enumeration: 'http://schemas.xmlsoap.org/ws/2004/09/enumeration',
  identity: 'http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd',
  fault: 'http://schemas.microsoft.com/wbem/wsman/1/wsmanfault',
  wmi: 'http://schemas.microsoft.com/wbem/wsman/1/wmi/',
} as const;

/** An element, with its namespace instead of its prefix. */
export interface XmlElement {
  readonly namespace: string;
  readonly name: string;
  /** by `name`, or `namespace name` for one with a prefix */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** all text right inside it */
  readonly text: string;
  /** what prefixes mean here; for QNames in texts */
  readonly scope: Scope;
}

type Scope = ReadonlyMap<string, string>;

/** Of elements: WMI's own go to a dozen. */
const DEPTH_LIMIT = 100;
/** Elements, attributes and pieces of texts: they, and not the bytes, are what takes memory and time. An answer of the length that is asked for has a tenth. */
const NODE_LIMIT = 500_000;
/** Attributes of one element, and prefixes that are declared at a time: all of them are looked through, and copied for each that declares one more. */
const ATTRIBUTE_LIMIT = 64;

const NO_PREFIXES: Scope = new Map();
const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();

type Open = XmlElement & { text: string; readonly children: XmlElement[] };

/**
 * Reads what SOAP is made of: elements, attributes, text, CDATA sections and comments. SOAP forbids
 * document types and processing instructions (SOAP 1.2 Part 1, section 5), so there are no entities but
 * the five of XML itself, and nothing is ever fetched or expanded. Others get their turns in between.
 * @throws WmiAnswerError for all else
 */
export async function readXml(source: string): Promise<XmlElement> {
  const reader = new XmlReader();
  await parseInSlices(source, new Slices(), (piece) => reader.write(piece));
  return reader.end();
}

/** As {@link readXml}, piece by piece. */
export class XmlReader {
  readonly #parser = new SaxesParser({ xmlns: true, position: false });
  readonly #open: Open[] = [];
  #root: XmlElement | undefined;
  #nodes = 0;
  /** of the element that begins */
  #attributes = 0;
  /** characters since a tag began or ended */
  #withoutTag = 0;

  constructor() {
    const parser = this.#parser;
    parser.on('error', refuse);
    parser.on('doctype', forbid);
    parser.on('processinginstruction', forbid);
    parser.on('attribute', () => this.#addAttribute());
    parser.on('text', (text) => this.#addText(text));
    parser.on('cdata', (text) => this.#addText(text));
    parser.on('opentag', (tag) => this.#begin(tag));
    parser.on('closetag', () => this.#end());
  }

  /** @throws WmiAnswerError; then it is of no more use */
  write(text: string): void {
    this.#withoutTag += text.length;
    this.#parser.write(text);
    if (this.#withoutTag > XML_WITHOUT_TAG) throw new WmiAnswerError(`its XML has more than ${XML_WITHOUT_TAG} characters without a tag`);
  }

  /** @throws WmiAnswerError where it is cut off */
  end(): XmlElement {
    this.#parser.close();
    if (!this.#root) throw new WmiAnswerError('its XML is cut off');
    return this.#root;
  }

  #count(): void {
    if ((this.#nodes += 1) > NODE_LIMIT) throw new WmiAnswerError(`its XML has more than ${NODE_LIMIT} nodes`);
  }

  #addAttribute(): void {
    this.#count();
    if ((this.#attributes += 1) > ATTRIBUTE_LIMIT) throw new WmiAnswerError(`its XML has more than ${ATTRIBUTE_LIMIT} attributes of one element`);
  }

  #addText(text: string): void {
    this.#count();
    const inner = this.#open.at(-1);
    if (inner) inner.text += text;
  }

  #begin(tag: SaxesTagNS): void {
    this.#count();
    this.#withoutTag = this.#attributes = 0;
    const outer = this.#open.at(-1);
    const element = toElement(tag, outer?.scope ?? NO_PREFIXES);
    if (element.scope.size > ATTRIBUTE_LIMIT) throw new WmiAnswerError(`its XML declares more than ${ATTRIBUTE_LIMIT} prefixes at a time`);
    if (this.#open.push(element) > DEPTH_LIMIT) throw new WmiAnswerError(`its XML is nested more than ${DEPTH_LIMIT} deep`);
    outer?.children.push(element);
    this.#root ??= element;
  }

  #end(): void {
    this.#withoutTag = 0;
    this.#open.pop();
  }
}

function refuse(cause: Error): never {
  throw new WmiAnswerError('its XML is malformed or cut off', { cause });
}

function forbid(): never {
  throw new WmiAnswerError('its XML has a document type or an instruction, which SOAP forbids');
}

function toElement({ uri, local, attributes, ns }: SaxesTagNS, outer: Scope): Open {
  const declared = Object.entries(ns);
  const scope = declared.length > 0 ? new Map([...outer, ...declared]) : outer;
  return { namespace: uri, name: local, scope, attributes: toMap(Object.values(attributes)), children: [], text: '' };
}

function toMap(attributes: readonly SaxesAttributeNS[]): ReadonlyMap<string, string> {
  const own = attributes.filter(({ name, prefix }) => name !== 'xmlns' && prefix !== 'xmlns');
  if (own.length === 0) return NO_ATTRIBUTES;
  return new Map(own.map(({ uri, local, value }) => [uri === '' ? local : `${uri} ${local}`, value]));
}

/** The first child of a name. */
export const child = (element: XmlElement | undefined, namespace: string, name: string): XmlElement | undefined =>
  element?.children.find((each) => each.name === name && each.namespace === namespace);

/** A QName in a text, such as a fault's code. @returns undefined where its prefix is none */
export function qualifiedText({ text, scope }: XmlElement): { readonly namespace: string; readonly name: string } | undefined {
  const [prefix, name] = text.trim().includes(':') ? text.trim().split(':', 2) as [string, string] : ['', text.trim()];
  const namespace = scope.get(prefix);
  return namespace === undefined ? undefined : { namespace, name };
}
