import { StringDecoder } from 'node:string_decoder';
import { SaxesParser, type SaxesAttributePlain, type SaxesTagPlain } from 'saxes';
import { XML_WITHOUT_TAG } from '../../kit/limits.js';
import { Slices } from '../../kit/slices.js';
import { parseInSlices } from '../../kit/xml-text.js';
import { unreadable, VimFault, VimTransportError } from './errors.js';
import { at, dateOf, isObject, textOf, TYPE_KEY, type VimValue } from './value.js';

/** What vSphere answers, read from its XML as that comes: a SOAP 1.1 envelope whose values say their types themselves (xsi:type). */

/** Elements, attributes and pieces of texts in one answer: they, and not the bytes, are what takes memory when it has been read. */
const MOST_NODES = 1_000_000;
/** Attributes of one element, and prefixes that are declared at a time: all of them are looked through. */
const MOST_ATTRIBUTES = 64;
/** Names of fields of one element: to V8, an object of more is a table that it builds anew again and again. VMware's types have some hundred at most. */
const MOST_FIELDS = 1000;
/** Elements in each other. A disk names the one that it is based on inside itself, which may go to some forty. */
const DEEPEST = 100;

/** Characters of a text that is likely to come again, and how many such are remembered. */
const SHORT = 32;
const REMEMBERED = 256;
/** Characters from which on V8 makes no copy of a part of a string, but keeps the whole for it (SlicedString::kMinLength). */
const SHORTEST_SLICE = 13;

const INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance';
const DECLARES = 'xmlns:';
const TYPE = ':type';
const NIL = ':nil';
const LIST = 'ArrayOf';
const NUMBERS = new Set(['byte', 'short', 'int', 'long', 'float', 'double']);
/** Types that may be empty by mistake, and have no fields. */
const PLAIN = new Set([...NUMBERS, 'boolean', 'dateTime']);

/** What XML forbids, but is passed on by servers as guests gave it. */
const FORBIDDEN = /[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/g;
/**
 * What the parser says of the same kind and goes on after, leaving it as it is: a character by a number that is none, or stands
 * for a forbidden one, and the end of CDATA where there is none.
 */
const FORGIVEN = new Set(['malformed character entity.', 'the string "]]>" is disallowed in char data.']);

/** Elements that are handed over one by one, and are then no part of what is returned: a long answer need not be held as a whole. */
export interface Each {
  /** names of the elements around it, from below `returnval`, and its own */
  readonly path: readonly string[];
  /** what it throws ends the reading; an answer may prove to be none behind what was handed over */
  readonly take: (value: VimValue) => void;
}

/** Texts that came lately, so that what is held of a thousand machines is held once. */
class Texts {
  readonly #known = new Array<string>(REMEMBERED).fill('');

  /** The same text, of which there is one only, and which keeps nothing of what it was cut from. */
  intern(text: string): string {
    const { length } = text;
    if (length === 0) return '';
    if (length > SHORT) return copy(text);
    // any cheap number that differs between texts of a kind: those of one place push each other out
    const place = (length * 31 + text.charCodeAt(length >> 1) * 7 + text.charCodeAt(length - 1)) % REMEMBERED;
    const known = this.#known[place]!;
    return known === text ? known : this.#known[place] = copy(text);
  }
}

const copy = (text: string): string => (text.length < SHORTEST_SLICE ? text : Buffer.from(text).toString());

/** An element that is not yet at its end. One object for all of a depth, one after the other. */
class Open {
  name = '';
  /** its xsi:type, without the prefix */
  type: string | undefined;
  /** whether it says by xsi:nil that it has no value */
  isNil = false;
  /** the `type` of a reference to an object */
  refersTo: string | undefined;
  /** what lies inside: fields by their names, or the items of an `ArrayOf…` */
  content: Record<string, VimValue> | VimValue[] | undefined;
  /** how many names of fields it has */
  fields = 0;
  /** names that came more than once: what they stand for is a list of ours, not one that is a value itself */
  repeated: Set<string> | undefined;
  text = '';
  /** how many prefixes are declared by it and around it */
  prefixes = 0;
}

/** What it is put into: made with the first that is. */
function contentOf(open: Open): Record<string, VimValue> | VimValue[] {
  const { type } = open;
  return open.content ??= type === undefined ? {} : type.startsWith(LIST) ? [] : { [TYPE_KEY]: type };
}

/** A prefix, for as long as the element that declares it is open. */
interface Prefix {
  readonly name: string;
  /** whether it stands for {@link INSTANCE}: vCenter calls that xsi, vcsim otherwise */
  readonly isInstance: boolean;
}

/** Of XML Schema's two words for it. */
const isTrue = (word: string): boolean => word === 'true' || word === '1';

const withoutPrefix = (name: string): string => name.slice(name.indexOf(':') + 1);

/**
 * Makes plain data of a document, piece by piece: numbers, truth values and times by their xsi:type, references as
 * type and value, `ArrayOf…` as arrays, what comes more than once as an array too. What is empty is null, unless its type is
 * text (''), an array ([]), or an object's, which then has no fields. What does not say its type is text. Names are taken
 * without their prefixes; there are no entities but the five of XML itself.
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
  /** characters since a tag began or ended */
  #withoutTag = 0;

  /** @param each whose path begins with the root element here */
  constructor(each?: Each) {
    this.#each = each;
    const parser = this.#parser;
    parser.on('error', ({ message }) => { if (!FORGIVEN.has(message)) throw unreadable(message); });
    parser.on('doctype', () => { throw unreadable('it has a document type, which SOAP forbids'); });
    parser.on('attribute', (attribute) => this.#declare(attribute));
    parser.on('opentag', (tag) => this.#begin(tag));
    parser.on('closetag', () => this.#end());
    parser.on('text', (text) => this.#addText(text));
    parser.on('cdata', (text) => this.#addText(text));
    // Not one more: with eight, V8 keeps the parser's fields in a table, and all takes twice the time. So comments and processing
    // instructions are passed over; they count as characters without a tag, and where they cut texts apart.
  }

  /** The text of bytes, which may be cut apart anywhere: what is to be written next. */
  toText(bytes: Uint8Array): string {
    return this.#decoder.write(bytes).replace(FORBIDDEN, '\uFFFD');
  }

  /** @throws VimTransportError, or what {@link Each} does; then it is of no more use */
  write(text: string): void {
    this.#withoutTag += text.length;
    this.#parser.write(text);
    if (this.#withoutTag > XML_WITHOUT_TAG) throw unreadable(`it has more than ${XML_WITHOUT_TAG} characters without a tag`);
  }

  /** @returns the document, as an object with its root element for a field. @throws VimTransportError where it is cut off */
  end(): VimValue {
    this.#parser.write(this.#decoder.end()).close();
    return this.#valueOf(this.#open[0]!);
  }

  #count(): void {
    if ((this.#nodes += 1) > MOST_NODES) throw unreadable(`it has more than ${MOST_NODES} nodes`);
  }

  /** Takes an attribute for what it declares, if it does. */
  #declare({ name, value }: SaxesAttributePlain): void {
    this.#count();
    this.#attributes += 1;
    if (name.startsWith(DECLARES)) this.#prefixes.push({ name: name.slice(DECLARES.length), isInstance: value === INSTANCE });
    if (Math.max(this.#attributes, this.#prefixes.length) > MOST_ATTRIBUTES) throw unreadable(`it has more than ${MOST_ATTRIBUTES} attributes or prefixes at a time`);
  }

  #begin({ name, attributes }: SaxesTagPlain): void {
    this.#count();
    this.#withoutTag = 0;
    if ((this.#depth += 1) > DEEPEST) throw unreadable('it is nested too deeply');
    const open = this.#open[this.#depth] ??= new Open();
    open.name = withoutPrefix(name);
    open.type = open.refersTo = undefined;
    open.isNil = false;
    if (this.#attributes > 0) this.#takeAttributes(open, attributes);
    open.content = undefined;
    open.fields = 0;
    open.repeated = undefined;
    open.text = '';
    open.prefixes = this.#prefixes.length;
    this.#attributes = 0;
  }

  #takeAttributes(open: Open, attributes: Readonly<Record<string, string>>): void {
    if (attributes.type !== '') open.refersTo = attributes.type;
    for (const name in attributes) {
      if (name.endsWith(TYPE) && this.#isInstance(name.slice(0, -TYPE.length))) {
        const type = withoutPrefix(attributes[name]!.trim());
        if (type !== '') open.type = this.#texts.intern(type);
      } else if (name.endsWith(NIL) && this.#isInstance(name.slice(0, -NIL.length))) {
        open.isNil = isTrue(attributes[name]!.trim());
      }
    }
  }

  /** Whether a prefix means that here: what the innermost element says that declares it. */
  #isInstance(prefix: string): boolean {
    return this.#prefixes.findLast(({ name }) => name === prefix)?.isInstance === true;
  }

  #addText(text: string): void {
    const open = this.#open[this.#depth]!;
    if (open.content !== undefined) return;
    // The first piece goes with its element.
    if (open.text !== '') this.#count();
    open.text += text;
  }

  #end(): void {
    this.#withoutTag = 0;
    const open = this.#open[this.#depth]!;
    const value = this.#valueOf(open);
    const isHandedOver = this.#isHandedOver();
    this.#depth -= 1;
    const outer = this.#open[this.#depth]!;
    while (this.#prefixes.length > outer.prefixes) this.#prefixes.pop();
    if (isHandedOver) this.#each?.take(value);
    else put(outer, open.name, value);
  }

  /** Whether the innermost element is one of {@link Each}. */
  #isHandedOver(): boolean {
    const path = this.#each?.path;
    return path !== undefined && this.#depth === path.length && path.every((name, index) => this.#open[index + 1]?.name === name);
  }

  #valueOf({ type, refersTo, content, text, isNil }: Open): VimValue {
    if (isNil) return null;
    if (content !== undefined) return content;
    if (type?.startsWith(LIST) === true) return [];
    const trimmed = text.trim();
    if (trimmed === '') return type === undefined || PLAIN.has(type) ? null : type === 'string' ? '' : { [TYPE_KEY]: type };
    if (refersTo !== undefined) return { type: this.#texts.intern(refersTo), value: this.#texts.intern(text) };
    if (type === 'boolean') return isTrue(trimmed);
    if (type !== undefined && NUMBERS.has(type)) return Number(trimmed);
    return (type === 'dateTime' ? dateOf(trimmed) : undefined) ?? this.#texts.intern(text);
  }
}

/** Puts a value into the element around it. */
function put(outer: Open, name: string, value: VimValue): void {
  const content = contentOf(outer);
  if (Array.isArray(content)) return void content.push(value);
  if (name === '__proto__') return;
  const before = content[name];
  if (before === undefined || !Object.hasOwn(content, name)) {
    if ((outer.fields += 1) > MOST_FIELDS) throw unreadable(`an element of it has more than ${MOST_FIELDS} fields`);
    content[name] = value;
  } else if (outer.repeated?.has(name) === true) {
    (before as VimValue[]).push(value);
  } else {
    (outer.repeated ??= new Set()).add(name);
    content[name] = [before, value];
  }
}

/**
 * Reads what a method is answered with as it comes, with turns for everyone else in between.
 * @param body of the answer, in UTF-8
 * @returns what is returned; null for nothing
 * @throws VimFault; VimTransportError for what is no answer of vSphere's; what `body` and `each` throw
 */
export async function readAnswer(method: string, body: AsyncIterable<Uint8Array>, each?: Each): Promise<VimValue> {
  const reader = new AnswerReader(each && { path: ['Envelope', 'Body', `${method}Response`, 'returnval', ...each.path], take: each.take });
  const slices = new Slices();
  for await (const chunk of body) {
    await parseInSlices(reader.toText(chunk), slices, (piece) => reader.write(piece));
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
  const named = textOf(at(content, TYPE_KEY)) ?? textOf(element?.replace(/Fault$/, ''));
  const type = named ?? textOf(at(fault, 'faultcode')) ?? 'unknown fault';
  return new VimFault(type, textOf(at(fault, 'faultstring')) ?? '', content);
}
