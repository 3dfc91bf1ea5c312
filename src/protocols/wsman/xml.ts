import { WmiAnswerError } from '../wmi/errors.js';

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

const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();
const NAMED_CHARACTERS: ReadonlyMap<string, string> = new Map([['lt', '<'], ['gt', '>'], ['amp', '&'], ['quot', '"'], ['apos', "'"]]);

interface Open {
  readonly tag: string;
  readonly element: XmlElement & { text: string; readonly children: XmlElement[] };
}

/**
 * Reads what SOAP is made of: elements, attributes, text, CDATA sections and comments. SOAP forbids
 * document types and processing instructions (SOAP 1.2 Part 1, section 5), so there are no entities but
 * the five of XML itself, and nothing is ever fetched or expanded.
 * @throws WmiAnswerError for all else
 */
export function readXml(source: string): XmlElement {
  return new Reader(source.includes('\r') ? source.replace(/\r\n?/g, '\n') : source).document();
}

class Reader {
  readonly #name = /[^\s/>=<"'&]+/y;
  readonly #attribute = /\s+([^\s/>=<"'&]+)\s*=\s*(?:"([^<"]*)"|'([^<']*)')/y;
  readonly #tagEnd = /\s*(\/?)>/y;
  #at = 0;
  readonly #open: Open[] = [];
  #root: XmlElement | undefined;

  constructor(private readonly source: string) {}

  document(): XmlElement {
    const declaration = /^\uFEFF?(?:<\?xml\s[^>]*\?>)?/.exec(this.source);
    this.#at = declaration?.[0].length ?? 0;
    for (let next = this.#nextTag(); next !== -1; next = this.#nextTag()) {
      this.#text(this.source.slice(this.#at, next));
      this.#at = next + 1;
      this.#markup();
    }
    this.#text(this.source.slice(this.#at));
    if (!this.#root || this.#open.length > 0) throw new WmiAnswerError('its XML is cut off');
    return this.#root;
  }

  #nextTag(): number {
    return this.source.indexOf('<', this.#at);
  }

  /** What follows a `<`. */
  #markup(): void {
    const kind = this.source[this.#at];
    if (kind === '/') return this.#close();
    if (kind !== '!' && kind !== '?') return this.#start();
    if (this.source.startsWith('!--', this.#at)) return void this.#upTo('-->');
    if (!this.source.startsWith('![CDATA[', this.#at)) throw new WmiAnswerError('its XML has a document type or an instruction, which SOAP forbids');
    const content = this.#upTo(']]>').slice('![CDATA['.length);
    const open = this.#open.at(-1);
    if (!open) throw malformed();
    open.element.text += content;
  }

  /** What comes before a mark, and goes behind it. */
  #upTo(mark: string): string {
    const end = this.source.indexOf(mark, this.#at);
    if (end === -1) throw new WmiAnswerError('its XML is cut off');
    const content = this.source.slice(this.#at, end);
    this.#at = end + mark.length;
    return content;
  }

  #text(raw: string): void {
    if (raw === '') return;
    const open = this.#open.at(-1);
    if (open) open.element.text += decode(raw);
    else if (raw.trim() !== '') throw malformed();
  }

  #close(): void {
    const tag = this.#upTo('>').slice(1).trimEnd();
    if (this.#open.pop()?.tag !== tag) throw malformed();
  }

  #start(): void {
    const [tag] = this.#match(this.#name);
    // Most elements have no attributes.
    const isBare = this.source[this.#at] === '>';
    const attributes = isBare ? undefined : this.#attributes();
    const isEmpty = isBare ? void this.#at++ : this.#match(this.#tagEnd)[1];
    const parent = this.#open.at(-1)?.element;
    const scope = declare(parent?.scope ?? new Map([['xml', XML_NAMESPACE]]), attributes);
    const { namespace, name } = resolve(tag, scope, '');
    const element = { namespace, name, scope, attributes: qualify(attributes, scope), children: [], text: '' };
    if (parent) parent.children.push(element);
    else if (this.#root) throw malformed();
    else this.#root = element;
    if (isEmpty === '/') return;
    this.#open.push({ tag, element });
    if (this.#open.length > DEPTH_LIMIT) throw new WmiAnswerError(`its XML is nested more than ${DEPTH_LIMIT} deep`);
  }

  #match(pattern: RegExp): [string, string | undefined] {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.source);
    if (!found) throw malformed();
    this.#at = pattern.lastIndex;
    return [found[0], found[1]];
  }

  #attributes(): Map<string, string> | undefined {
    let attributes: Map<string, string> | undefined;
    for (;;) {
      this.#attribute.lastIndex = this.#at;
      const found = this.#attribute.exec(this.source);
      if (!found) return attributes;
      this.#at = this.#attribute.lastIndex;
      attributes ??= new Map();
      const [, name = '', quoted, otherwise = ''] = found;
      if (attributes.has(name)) throw malformed();
      attributes.set(name, decode(quoted ?? otherwise));
    }
  }
}

const malformed = (): WmiAnswerError => new WmiAnswerError('its XML is malformed');

/** The scope of an element: its parent's, or one of its own where it declares a prefix. */
function declare(outer: Scope, attributes: ReadonlyMap<string, string> | undefined): Scope {
  let scope: Map<string, string> | undefined;
  for (const [name, value] of attributes ?? []) {
    if (name !== 'xmlns' && !name.startsWith('xmlns:')) continue;
    scope ??= new Map(outer);
    scope.set(name === 'xmlns' ? '' : name.slice('xmlns:'.length), value);
  }
  return scope ?? outer;
}

/** @param unprefixed what a name without a prefix belongs to, where no default is declared */
function resolve(qualified: string, scope: Scope, unprefixed: string): { namespace: string; name: string } {
  const colon = qualified.indexOf(':');
  if (colon === -1) return { namespace: scope.get('') ?? unprefixed, name: qualified };
  const namespace = scope.get(qualified.slice(0, colon));
  if (namespace === undefined) throw new WmiAnswerError('its XML has a prefix that it does not declare');
  return { namespace, name: qualified.slice(colon + 1) };
}

function qualify(attributes: ReadonlyMap<string, string> | undefined, scope: Scope): ReadonlyMap<string, string> {
  if (!attributes) return NO_ATTRIBUTES;
  const qualified = new Map<string, string>();
  for (const [name, value] of attributes) {
    if (name === 'xmlns' || name.startsWith('xmlns:')) continue;
    const { namespace, name: local } = name.includes(':') ? resolve(name, scope, '') : { namespace: '', name };
    qualified.set(namespace === '' ? local : `${namespace} ${local}`, value);
  }
  return qualified;
}

function decode(raw: string): string {
  return raw.includes('&') ? raw.replace(/&(?:([a-z]+)|#(\d{1,7})|#x([\da-f]{1,6}))?(;?)/gi, replaceReference) : raw;
}

function replaceReference(_all: string, named: string | undefined, decimal: string | undefined, hex: string | undefined, end: string): string {
  const code = decimal !== undefined ? Number(decimal) : Number.parseInt(hex ?? '', 16);
  const character = named !== undefined ? NAMED_CHARACTERS.get(named) : code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
  if (character === undefined || end === '') throw new WmiAnswerError('its XML has an entity that XML itself does not define');
  return character;
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

const ESCAPES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&apos;', '\t': '&#9;', '\n': '&#10;', '\r': '&#13;' };

/** A text as content or attribute. @throws RangeError for characters that XML cannot carry (XML 1.0, "Char") */
export function escapeXml(text: string): string {
  if (/[\0-\x08\v\f\x0E-\x1F\uFFFE\uFFFF]|\p{Surrogate}/u.test(text)) throw new RangeError('a character that XML cannot carry');
  return text.replace(/[<>&"'\t\n\r]/g, (character) => ESCAPES[character] as string);
}
