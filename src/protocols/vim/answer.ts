import { StringDecoder } from 'node:string_decoder';
import { SaxesParser, type SaxesAttributePlain, type SaxesTagPlain } from 'saxes';
import { Slices } from '../../kit/slices.js';
import { unreadable, VimFault, VimTransportError } from './errors.js';
import { at, dateOf, isObject, textOf, TYPE_KEY, type VimValue } from './value.js';

/** What vSphere answers, read from its XML as that comes: a SOAP 1.1 envelope whose values say their types themselves (xsi:type). */

/** Elements and attributes of one answer: they, and not the bytes, are what takes memory when it has been read. */
const MOST_NODES = 1_000_000;
/** Attributes of one element, and prefixes that are declared at a time: all of them are looked through. */
const MOST_ATTRIBUTES = 64;
/** Elements in each other. A disk names the one that it is based on inside itself, which may go to some forty. */
const DEEPEST = 100;
/** Characters that are parsed before it is asked whether everyone else should get a turn. */
const PARSED_AT_ONCE = 1024;

/** Elements above what a path of {@link Each} begins with: Envelope, Body, response, returnval. */
const ABOVE = 4;

/** Characters of a text that is likely to come again, and how many such are remembered, a power of two. */
const SHORT = 32;
const REMEMBERED = 256;
/** Characters from which on a part of a string is, to V8, a window onto the whole. */
const WINDOW = 13;

const INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance';
const DECLARES = 'xmlns:';
const TYPE = ':type';
const LIST = 'ArrayOf';
const NUMBERS = new Set(['byte', 'short', 'int', 'long', 'float', 'double']);

/** What XML forbids, but is passed on by servers as guests gave it. */
const FORBIDDEN = /[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/g;
/** The parser's word for such a one that is given by its number, which it then leaves as it is. */
const FORBIDDEN_NUMBER = 'malformed character entity.';

/** Elements that are handed over one by one, and are then no part of what is returned: a long answer need not be held as a whole. */
export interface Each {
  /** names, from below `returnval` */
  readonly path: readonly string[];
  /** what it throws ends the reading; an answer may prove to be none behind what was handed over */
  readonly take: (value: VimValue) => void;
}

/** Texts that came lately, so that what is held of a thousand machines is held once. */
class Texts {
  readonly #known = new Array<string>(REMEMBERED).fill('');

  /** The same text, which keeps nothing of what it was cut from. */
  own(text: string): string {
    const { length } = text;
    if (length > SHORT) return copy(text);
    const place = (length * 31 + text.charCodeAt(length >> 1) * 7 + text.charCodeAt(length - 1)) % REMEMBERED;
    const known = this.#known[place]!;
    return known === text ? known : this.#known[place] = copy(text);
  }
}

const copy = (text: string): string => (text.length < WINDOW ? text : Buffer.from(text).toString());

/** An element that is not yet at its end. One object for all of a depth, one after the other. */
class Open {
  name = '';
  /** its xsi:type, without the prefix */
  type: string | undefined;
  /** the `type` of a reference to an object */
  refersTo: string | undefined;
  /** what lies inside: fields by their names, or the items of an `ArrayOf…` */
  content: Record<string, VimValue> | VimValue[] | undefined;
  text = '';
  /** how many prefixes are declared by it and around it */
  prefixes = 0;
}

/** A prefix, for as long as the element that declares it is open. */
interface Prefix {
  readonly name: string;
  /** whether it stands for {@link INSTANCE}: vCenter calls that xsi, vcsim otherwise */
  readonly isInstance: boolean;
}

const withoutPrefix = (name: string): string => name.slice(name.indexOf(':') + 1);

/**
 * Makes plain data of a document, piece by piece: numbers, truth values and times by their xsi:type, references as
 * type and value, `ArrayOf…` as arrays, what comes more than once as an array too, empty elements as null. What does not
 * say its type is text. Names are taken without their prefixes; there are no entities but the five of XML itself.
 */
export class AnswerReader {
  readonly #parser = new SaxesParser({ xmlns: false, position: false });
  readonly #decoder = new StringDecoder();
  readonly #texts = new Texts();
  readonly #each: Each | undefined;
  readonly #open = [new Open()];
  #depth = 0;
  #nodes = 0;
  /** the innermost last */
  readonly #prefixes: Prefix[] = [];
  /** of the element that begins */
  #attributes = 0;

  constructor(each?: Each) {
    this.#each = each;
    const parser = this.#parser;
    parser.on('error', ({ message }) => { if (message !== FORBIDDEN_NUMBER) throw unreadable(message); });
    parser.on('doctype', () => { throw unreadable('it has a document type, which SOAP forbids'); });
    parser.on('attribute', (attribute) => this.#note(attribute));
    parser.on('opentag', (tag) => this.#begin(tag));
    parser.on('closetag', () => this.#end());
    parser.on('text', (text) => this.#addText(text));
    parser.on('cdata', (text) => this.#addText(text));
  }

  /** The text of bytes, which may be cut apart anywhere: what is to be written next. */
  toText(bytes: Uint8Array): string {
    return this.#decoder.write(bytes).replace(FORBIDDEN, '\uFFFD');
  }

  /** @throws VimTransportError, or what {@link Each} does; then it is of no more use */
  write(text: string): void {
    this.#parser.write(text);
  }

  /** @returns the document, as an object with its root element for a field. @throws VimTransportError where it is cut off */
  end(): VimValue {
    this.#parser.write(this.#decoder.end()).close();
    return this.#valueOf(this.#open[0]!);
  }

  #count(): void {
    if ((this.#nodes += 1) > MOST_NODES) throw unreadable(`it has more than ${MOST_NODES} elements and attributes`);
  }

  #note({ name, value }: SaxesAttributePlain): void {
    this.#count();
    this.#attributes += 1;
    if (name.startsWith(DECLARES)) this.#prefixes.push({ name: name.slice(DECLARES.length), isInstance: value === INSTANCE });
    if (Math.max(this.#attributes, this.#prefixes.length) > MOST_ATTRIBUTES) throw unreadable(`it has more than ${MOST_ATTRIBUTES} attributes or prefixes at a time`);
  }

  #begin({ name, attributes }: SaxesTagPlain): void {
    this.#count();
    if ((this.#depth += 1) > DEEPEST) throw unreadable('it is nested too deeply');
    const open = this.#open[this.#depth] ??= new Open();
    open.name = withoutPrefix(name);
    open.type = this.#attributes > 0 ? this.#typeIn(attributes) : undefined;
    open.refersTo = this.#attributes > 0 ? attributes.type : undefined;
    open.content = undefined;
    open.text = '';
    open.prefixes = this.#prefixes.length;
    this.#attributes = 0;
  }

  #typeIn(attributes: Readonly<Record<string, string>>): string | undefined {
    for (const name in attributes) {
      if (name.endsWith(TYPE) && this.#isInstance(name.slice(0, -TYPE.length))) return this.#texts.own(withoutPrefix(attributes[name]!));
    }
    return undefined;
  }

  /** Whether a prefix means that here: what the innermost element says that declares it. */
  #isInstance(prefix: string): boolean {
    return this.#prefixes.findLast(({ name }) => name === prefix)?.isInstance === true;
  }

  #addText(text: string): void {
    const open = this.#open[this.#depth]!;
    if (open.content === undefined) open.text = open.text === '' ? text : open.text + text;
  }

  #end(): void {
    const open = this.#open[this.#depth]!;
    const value = this.#valueOf(open);
    const isOne = this.#isOneOfEach();
    this.#depth -= 1;
    const outer = this.#open[this.#depth]!;
    while (this.#prefixes.length > outer.prefixes) this.#prefixes.pop();
    if (isOne) this.#each?.take(value);
    else put(outer, open.name, value);
  }

  #isOneOfEach(): boolean {
    const path = this.#each?.path;
    return path !== undefined && this.#depth === ABOVE + path.length && path.every((name, at) => this.#open[ABOVE + 1 + at]?.name === name);
  }

  #valueOf({ type, refersTo, content, text }: Open): VimValue {
    if (content !== undefined) return content;
    if (type?.startsWith(LIST) === true) return [];
    const trimmed = text.trim();
    if (trimmed === '') return type === undefined ? null : type === 'string' ? '' : { [TYPE_KEY]: type };
    if (refersTo !== undefined) return { type: this.#texts.own(refersTo), value: this.#texts.own(text) };
    if (type === 'boolean') return trimmed === 'true' || trimmed === '1';
    if (type !== undefined && NUMBERS.has(type)) return Number(trimmed);
    return (type === 'dateTime' ? dateOf(trimmed) : undefined) ?? this.#texts.own(text);
  }
}

/** Puts a value into the element around it. */
function put(outer: Open, name: string, value: VimValue): void {
  const content = outer.content ??= outer.type === undefined ? {} : outer.type.startsWith(LIST) ? [] : { [TYPE_KEY]: outer.type };
  if (Array.isArray(content)) content.push(value);
  else if (name !== '__proto__') {
    const before = content[name];
    if (before === undefined || !Object.hasOwn(content, name)) content[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else content[name] = [before, value];
  }
}

/**
 * Reads what a method is answered with as it comes, with turns for everyone else in between.
 * @param body of the answer, in UTF-8
 * @returns what is returned; null for nothing
 * @throws VimFault; VimTransportError for what is no answer of vSphere's; what `body` and `each` throw
 */
export async function readAnswer(method: string, body: AsyncIterable<Uint8Array>, each?: Each): Promise<VimValue> {
  const reader = new AnswerReader(each);
  const slices = new Slices();
  for await (const chunk of body) {
    const text = reader.toText(chunk);
    for (let from = 0; from < text.length; from += PARSED_AT_ONCE) {
      if (slices.isOverNow()) await slices.pause();
      reader.write(text.slice(from, from + PARSED_AT_ONCE));
    }
  }
  return returnedBy(method, at(reader.end(), 'Envelope', 'Body'));
}

function returnedBy(method: string, body: VimValue | undefined): VimValue {
  const fault = at(body, 'Fault');
  if (fault !== undefined) throw toFault(fault);
  const response = at(body, `${method}Response`);
  if (response === undefined) throw new VimTransportError(`what answers ${method} is not vSphere`, true);
  return at(response, 'returnval') ?? null;
}

function toFault(fault: VimValue): VimFault {
  const detail = at(fault, 'detail');
  const [element, content = null] = isObject(detail) ? Object.entries(detail).find(([name]) => name !== TYPE_KEY) ?? [] : [];
  // <InvalidPowerStateFault xsi:type="InvalidPowerState">; vcsim has <Fault xsi:type="…">.
  const type = textOf(at(content, TYPE_KEY)) ?? element?.replace(/Fault$/, '') ?? textOf(at(fault, 'faultcode')) ?? 'unknown fault';
  return new VimFault(type, textOf(at(fault, 'faultstring')) ?? '', content);
}
