import { StringDecoder } from 'node:string_decoder';
import { SaxesParser, type SaxesTagPlain } from 'saxes';
import { Slices } from '../../kit/slices.js';
import { unreadable, VimFault, VimTransportError } from './errors.js';
import { at, dateOf, isObject, textOf, TYPE_KEY, type VimValue } from './value.js';

/** What vSphere answers, read from its XML as that comes: a SOAP 1.1 envelope whose values say their types themselves (xsi:type). */

/** Elements and attributes of one answer: they, and not the bytes, are what takes memory when it has been read. */
const MOST_NODES = 1_000_000;
/** Elements in each other. A disk names the one that it is based on inside itself, which may go to some forty. */
const DEEPEST = 100;
/** Bytes that are parsed before it is asked whether everyone else should get a turn. */
const PARSED_AT_ONCE = 1024;

const INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance';
const DECLARES = 'xmlns:';
const LIST = 'ArrayOf';
const NUMBERS = new Set(['byte', 'short', 'int', 'long', 'float', 'double']);

/** What XML forbids, but is passed on by servers as guests gave it. */
const FORBIDDEN = /[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/g;
/** The parser's word for such a one that is given by its number, which it then leaves as it is. */
const FORBIDDEN_NUMBER = 'malformed character entity.';

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
  /** {@link AnswerReader.#typeNames} outside of it */
  outside: readonly string[] = [];
}

const withoutPrefix = (name: string): string => name.slice(name.indexOf(':') + 1);

/**
 * Makes plain data of a document, piece by piece: numbers, truth values and times by their xsi:type, references as
 * {@link Ref}, `ArrayOf…` as arrays, what comes more than once as an array too, empty elements as null. What does not
 * say its type is text. Names are taken without their prefixes; there are no entities but the five of XML itself.
 */
export class AnswerReader {
  readonly #parser = new SaxesParser({ xmlns: false, position: false });
  readonly #decoder = new StringDecoder();
  readonly #open = [new Open()];
  #depth = 0;
  #nodes = 0;
  /** how xsi:type is written here: vCenter calls the prefix xsi, vcsim otherwise */
  #typeNames: readonly string[] = [];

  constructor() {
    const parser = this.#parser;
    parser.on('error', ({ message }) => { if (message !== FORBIDDEN_NUMBER) throw unreadable(message); });
    parser.on('doctype', () => { throw unreadable('it has a document type, which SOAP forbids'); });
    parser.on('attribute', () => this.#count());
    parser.on('opentag', (tag) => this.#begin(tag));
    parser.on('closetag', () => this.#end());
    parser.on('text', (text) => this.#addText(text));
    parser.on('cdata', (text) => this.#addText(text));
  }

  /** @throws VimTransportError; then it is of no more use */
  write(bytes: Uint8Array): void {
    this.#parser.write(this.#decoder.write(bytes).replace(FORBIDDEN, '\uFFFD'));
  }

  /** @returns the document, as an object with its root element for a field. @throws VimTransportError where it is cut off */
  end(): VimValue {
    this.#parser.write(this.#decoder.end()).close();
    return valueOf(this.#open[0]!);
  }

  #count(): void {
    if ((this.#nodes += 1) > MOST_NODES) throw unreadable(`it has more than ${MOST_NODES} elements and attributes`);
  }

  #addText(text: string): void {
    const open = this.#open[this.#depth]!;
    open.text = open.text === '' ? text : open.text + text;
  }

  #begin({ name, attributes }: SaxesTagPlain): void {
    this.#count();
    if ((this.#depth += 1) > DEEPEST) throw unreadable('it is nested too deeply');
    const open = this.#open[this.#depth] ??= new Open();
    open.name = withoutPrefix(name);
    open.outside = this.#typeNames;
    open.type = this.#typeIn(attributes);
    open.refersTo = attributes.type;
    open.content = undefined;
    open.text = '';
  }

  #end(): void {
    const open = this.#open[this.#depth]!;
    this.#depth -= 1;
    this.#typeNames = open.outside;
    put(this.#open[this.#depth]!, open.name, valueOf(open));
  }

  /** A prefix means what the element itself, or the innermost one around it that says so, has it mean. */
  #typeIn(attributes: Readonly<Record<string, string>>): string | undefined {
    for (const name in attributes) if (name.startsWith(DECLARES)) this.#declare(`${name.slice(DECLARES.length)}:type`, attributes[name] === INSTANCE);
    for (const name of this.#typeNames) {
      const type = attributes[name];
      if (type !== undefined) return withoutPrefix(type);
    }
    return undefined;
  }

  #declare(typeName: string, isType: boolean): void {
    const others = this.#typeNames.filter((name) => name !== typeName);
    this.#typeNames = isType ? [...others, typeName] : others;
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

function valueOf({ type, refersTo, content, text }: Open): VimValue {
  if (content !== undefined) return content;
  if (type?.startsWith(LIST) === true) return [];
  if (text.trim() === '') return type === undefined ? null : type === 'string' ? '' : { [TYPE_KEY]: type };
  if (refersTo !== undefined) return { type: refersTo, value: text };
  if (type === undefined) return text;
  if (type === 'boolean') return text.trim() === 'true' || text.trim() === '1';
  if (type === 'dateTime') return dateOf(text) ?? text;
  return NUMBERS.has(type) ? Number(text) : text;
}

/**
 * Reads what a method is answered with as it comes, with turns for everyone else in between.
 * @param body of the answer, in UTF-8
 * @returns what is returned; null for nothing
 * @throws VimFault; VimTransportError for what is no answer of vSphere's; what `body` throws
 */
export async function readAnswer(method: string, body: AsyncIterable<Uint8Array>): Promise<VimValue> {
  const reader = new AnswerReader();
  const slices = new Slices();
  for await (const chunk of body) {
    for (let from = 0; from < chunk.length; from += PARSED_AT_ONCE) {
      if (slices.isOverNow()) await slices.pause();
      reader.write(chunk.subarray(from, from + PARSED_AT_ONCE));
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
