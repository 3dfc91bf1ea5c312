import { escapeXml } from '../../kit/xml-text.js';
import { CODES, OperationError } from './codes.js';
import type { Element } from './shape.js';
import { readDocument } from './xml.js';

/**
 * What is around every request and answer. Both of a success are public (seed 004: `<exec><op>inc</op><in>…`, and its answer);
 * how a failure looked is not: `<returncode>0</returncode><error><code>…</code><message>…</message></error>` is Argo's choice.
 */

/** What a server says it is. */
export interface Product {
  /** `GSX`: VMware Server called itself so, and its clients may look for it */
  readonly id: string;
  readonly title: string;
  readonly version: string;
  /** empty: it has none, and the element is left out */
  readonly build: string;
}

export interface ExecRequest {
  readonly operation: string;
  /** empty where the request has none */
  readonly in: Element;
}

/** As the server's own names: nothing that a log or an error could be confused by. */
const OPERATION = /^\w{1,64}$/;

const NOTHING: Element = { name: 'in', text: '', children: [] };

const invalid = (words: string): OperationError => new OperationError(CODES.INVALID_ARGUMENT, words);

/** @param root of a document @throws OperationError INVALID_ARGUMENT: it was read, so that the next one can be, too */
export function readRequest(root: Element): ExecRequest {
  if (root.name !== 'exec') throw invalid('<exec> is expected');
  if (root.text.trim() !== '') throw invalid('<exec>: elements are expected, no text');
  let op: Element | undefined;
  let args: Element | undefined;
  for (const child of root.children) {
    const { name } = child;
    if (name !== 'op' && name !== 'in') throw invalid(`<${name}> is not known in <exec>`);
    if ((name === 'op' ? op : args) !== undefined) throw invalid(`<${name}> stands in <exec> twice`);
    if (name === 'op') op = child;
    else args = child;
  }
  if (op === undefined) throw invalid('<op> is missing');
  const operation = op.text.trim();
  if (op.children.length > 0 || !OPERATION.test(operation)) throw invalid('<op> is the name of an operation');
  return { operation, in: args ?? NOTHING };
}

/**
 * A whole request that somebody has typed, with or without `<exec>` around it, checked as a server would: so that it is one
 * request and has one answer.
 * @throws OperationError BAD_XML, INVALID_ARGUMENT
 */
export function requestDocument(typed: string): string {
  const document = /^\s*<(?:exec[\s>/]|\?)/.test(typed) ? typed.trim() : `<exec>${typed.trim()}</exec>`;
  const request = readRequest(readDocument(document));
  // its end would be taken for that of the request
  if (hasElement(request.in, 'exec')) throw invalid('<exec> cannot stand in <exec>');
  return document;
}

const hasElement = ({ children }: Element, name: string): boolean => children.some((child) => child.name === name || hasElement(child, name));

/** @param args pieces of `<in>…</in>`, as a shape writes them @throws RangeError for a name that is none */
export function* writeRequest(operation: string, args: Iterable<string>): Generator<string, void, undefined> {
  if (!OPERATION.test(operation)) throw new RangeError('no name of an operation');
  yield `<exec><op>${operation}</op>`;
  yield* args;
  yield '</exec>';
}

const END = '</exec>';

function* around(head: string, out: Iterable<string>): Generator<string, void, undefined> {
  yield head;
  yield* out;
  yield END;
}

/**
 * Writes answers of one server. Pieces are made as they are taken: what fails on the way has been partly sent, and only
 * the connection's end can say so.
 */
export class AnswerWriter {
  readonly #head: string;
  readonly #success: string;

  constructor({ id, title, version, build }: Product) {
    this.#head = `<exec><product id="${escapeXml(id)}"><title>${escapeXml(title)}</title><version>${escapeXml(version)}</version>`
      + `${build === '' ? '' : `<build>${escapeXml(build)}</build>`}</product>`;
    this.#success = `${this.#head}<returncode>1</returncode>`;
  }

  /** @param out pieces of `<out>…</out>`, as a shape writes them @returns of what is short one piece in an array */
  success(out: Iterable<string>): Iterable<string> {
    return Array.isArray(out) ? [`${this.#success}${out.join('')}${END}`] : around(this.#success, out);
  }

  /** @param words what XML cannot carry is left out of them */
  failure({ code, message }: OperationError): string {
    return `${this.#head}<returncode>0</returncode><error><code>${code}</code><message>${escapeXml(carried(message))}</message></error></exec>`;
  }
}

/** What of a text XML can carry. */
const carried = (text: string): string => text.replace(/[\0-\x08\v\f\x0E-\x1F\x7F-\x9F\uFFFE\uFFFF]|\p{Surrogate}/gu, '\uFFFD');

/** Small pieces put together to blocks of at least some characters, but for the last: a packet each would be dear. */
export function* inBlocks(pieces: Iterable<string>, characters: number): Generator<string, void, undefined> {
  let block = '';
  for (const piece of pieces) {
    block += piece;
    if (block.length < characters) continue;
    yield block;
    block = '';
  }
  if (block !== '') yield block;
}

/** What a server answered. */
export interface ExecAnswer {
  readonly product: Omit<Product, 'id'>;
  /** of one that succeeded; empty where there is none */
  readonly out: Element;
}

/**
 * An answer as a client takes it: any other return code than 1 is a failure, whose words are those of `<error>`, or whatever text
 * stands behind the code.
 * @throws OperationError of the server; UNEXPECTED_RESPONSE where it is no answer
 */
export function readAnswer(root: Element): ExecAnswer {
  const code = root.name === 'exec' ? root.children.find(({ name }) => name === 'returncode') : undefined;
  if (code === undefined) throw new OperationError(CODES.UNEXPECTED_RESPONSE, 'this is no answer of vmserverd');
  if (code.text.trim() !== '1') throw failureOf(root, code);
  const product = find(root, 'product');
  const said = (name: string): string => (product && find(product, name)?.text.trim()) ?? '';
  return { product: { title: said('title'), version: said('version'), build: said('build') }, out: find(root, 'out') ?? { ...NOTHING, name: 'out' } };
}

function failureOf(root: Element, code: Element): OperationError {
  const error = find(root, 'error');
  const number = Number(error && find(error, 'code')?.text.trim());
  const behind = root.children.slice(root.children.indexOf(code) + 1);
  const words = (error && find(error, 'message')?.text.trim()) ?? behind.map(allText).join(' ').trim();
  return new OperationError(Number.isSafeInteger(number) && number < 0 ? number : CODES.UNSPECIFIED, words === '' ? 'it says no more' : words);
}

const find = ({ children }: Element, name: string): Element | undefined => children.find((child) => child.name === name);

const allText = ({ text, children }: Element): string => [text.trim(), ...children.map(allText)].filter((one) => one !== '').join(' ');
