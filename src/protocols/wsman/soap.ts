import { randomUUID } from 'node:crypto';
import { escapeXml } from '../../kit/xml-text.js';
import type { WmiParameters, WmiPath } from '../wmi/connection.js';
import { WmiAnswerError } from '../wmi/errors.js';
import { readFault } from './answers.js';
import { child, Namespace, readXml, type XmlElement } from './xml.js';

/** Identify's namespace as services write it: DSP0226 has the file's name at its end, and some leave it out. */
export const isIdentity = (namespace: string): boolean => namespace.replace(/^https:/, 'http:').replace(/(\/wsmanidentity\.xsd)?\/?$/, '/wsmanidentity.xsd') === Namespace.identity;

const WQL = 'http://schemas.microsoft.com/wbem/wsman/1/WQL';
/** Bytes of an answer: the most that Windows gives by default (MaxEnvelopeSizekb = 500). */
const ENVELOPE_LIMIT = 500 * 1024;
/** Objects a page: some ten kB to a hundred, so that reading one holds nothing up. */
export const PAGE = 16;
/** The service is told to give up this much before we do, ms. */
const MARGIN_MS = 5_000;

/** What a request is about. */
interface Request {
  readonly action: string;
  readonly resource: string;
  readonly keys?: Readonly<Record<string, string>>;
  readonly isOrder?: boolean;
  readonly body: string;
}

export interface Envelope {
  /** of its header; the answer relates to it */
  readonly id: string;
  /** whether it is about one object, and not all of a class */
  readonly isKeyed: boolean;
  /** whether it calls a method, which may change something */
  readonly isOrder: boolean;
  readonly text: string;
}

/** Where requests go, and how long they may take, ms. */
export interface Addressee {
  readonly url: string;
  readonly timeout: number;
}

const resourceOf = ({ namespace, className }: WmiPath): string => `${Namespace.wmi}${namespace}/${className}`;

function writeEnvelope({ url, timeout }: Addressee, { action, resource, keys = {}, isOrder = false, body }: Request): Envelope {
  const id = `uuid:${randomUUID().toUpperCase()}`;
  const selectors = Object.entries(keys).map(([name, value]) => `<w:Selector Name="${escapeXml(name)}">${escapeXml(value)}</w:Selector>`).join('');
  const seconds = (Math.max(timeout - MARGIN_MS, 1000) / 1000).toFixed(3);
  return {
    id,
    isKeyed: selectors !== '',
    isOrder,
    text: `<s:Envelope xmlns:s="${Namespace.soap}" xmlns:a="${Namespace.addressing}" xmlns:w="${Namespace.wsman}" xmlns:n="${Namespace.enumeration}" xmlns:m="${Namespace.microsoft}"><s:Header>`
      + `<a:To>${escapeXml(url)}</a:To><w:ResourceURI s:mustUnderstand="true">${escapeXml(resource)}</w:ResourceURI>`
      + `<a:ReplyTo><a:Address s:mustUnderstand="true">${Namespace.addressing}/role/anonymous</a:Address></a:ReplyTo>`
      + `<a:Action s:mustUnderstand="true">${escapeXml(action)}</a:Action><a:MessageID>${id}</a:MessageID>`
      + `<w:MaxEnvelopeSize s:mustUnderstand="true">${ENVELOPE_LIMIT}</w:MaxEnvelopeSize><w:OperationTimeout>PT${seconds}S</w:OperationTimeout>`
      + '<w:Locale xml:lang="en-US" s:mustUnderstand="false"/><m:DataLocale xml:lang="en-US" s:mustUnderstand="false"/>'
      + `${selectors && `<w:SelectorSet>${selectors}</w:SelectorSet>`}</s:Header><s:Body>${body}</s:Body></s:Envelope>`,
  };
}

/** `wsmid:Identify` (DSP0226, section 11), which has no header and so no id. */
export const writeIdentify = (): Envelope => ({
  id: '',
  isKeyed: false,
  isOrder: false,
  text: `<s:Envelope xmlns:s="${Namespace.soap}" xmlns:i="${Namespace.identity}"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`,
});

/** `wxf:Get` (DSP0226, section 7.2). */
export const writeGet = (to: Addressee, path: WmiPath): Envelope =>
  writeEnvelope(to, { action: `${Namespace.transfer}/Get`, resource: resourceOf(path), keys: path.keys, body: '' });

const enumerate = (to: Addressee, namespace: string, name: string, body: string): Envelope => writeEnvelope(to, {
  // A query goes to all classes of a namespace: [MS-WSMV] 3.2.4.1.2 faults one that names a class.
  action: `${Namespace.enumeration}/${name}`, resource: `${Namespace.wmi}${namespace}/*`, body,
});

/** `wsen:Enumerate`, whose first objects come with its answer (DSP0226, section 8.2.3). */
export const writeEnumerate = (to: Addressee, namespace: string, wql: string): Envelope => enumerate(to, namespace, 'Enumerate',
  `<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>${PAGE}</w:MaxElements><w:Filter Dialect="${WQL}">${escapeXml(wql)}</w:Filter></n:Enumerate>`);

export const writePull = (to: Addressee, namespace: string, context: string): Envelope => enumerate(to, namespace, 'Pull',
  `<n:Pull><n:EnumerationContext>${escapeXml(context)}</n:EnumerationContext><n:MaxElements>${PAGE}</n:MaxElements></n:Pull>`);

export const writeRelease = (to: Addressee, namespace: string, context: string): Envelope => enumerate(to, namespace, 'Release',
  `<n:Release><n:EnumerationContext>${escapeXml(context)}</n:EnumerationContext></n:Release>`);

/** A method of a class ([MS-WSMV] 2.2.4, "INPUT"): its action is its resource and its name. */
export function writeInvoke(to: Addressee, path: WmiPath, method: string, parameters: WmiParameters): Envelope {
  const resource = resourceOf(path);
  const arguments_ = Object.entries(parameters).flatMap(([name, value]) =>
    [value].flat().map((each) => `<p:${name}>${escapeXml(each)}</p:${name}>`)).join('');
  return writeEnvelope(to, {
    action: `${resource}/${method}`, resource, keys: path.keys, isOrder: true,
    body: `<p:${method}_INPUT xmlns:p="${escapeXml(resource)}">${arguments_}</p:${method}_INPUT>`,
  });
}

/**
 * What an answer's body holds.
 * @throws WmiFault for a fault; WmiAnswerError for what is no SOAP, or answers another request
 */
export async function readAnswer(text: string, { id, isKeyed }: Envelope): Promise<XmlElement> {
  const envelope = await readXml(text);
  if (envelope.name !== 'Envelope' || envelope.namespace !== Namespace.soap) throw new WmiAnswerError('it answers with XML that is no SOAP');
  const content = child(envelope, Namespace.soap, 'Body')?.children[0];
  const relates = child(child(envelope, Namespace.soap, 'Header'), Namespace.addressing, 'RelatesTo')?.text.trim();
  if (content?.name === 'Fault' && content.namespace === Namespace.soap) throw readFault(content, isKeyed);
  if (id !== '' && relates !== undefined && relates.toUpperCase() !== id.toUpperCase()) throw new WmiAnswerError('it answers another request');
  if (!content) throw new WmiAnswerError('its answer is empty');
  return content;
}

export interface Page {
  readonly items: readonly XmlElement[];
  /** where the rest is to be had; undefined at the end */
  readonly context: string | undefined;
}

/** What EnumerateResponse and PullResponse have in common; each may name its parts in either namespace. */
export function readPage(response: XmlElement, before: string | undefined): Page {
  if (response.namespace !== Namespace.enumeration || !/^(?:Enumerate|Pull)Response$/.test(response.name)) throw new WmiAnswerError('it answers a query with something else');
  const part = (name: string): XmlElement | undefined => child(response, Namespace.enumeration, name) ?? child(response, Namespace.wsman, name);
  const items = part('Items')?.children ?? [];
  if (part('EndOfSequence')) return { items, context: undefined };
  const context = part('EnumerationContext')?.text.trim() ?? before;
  if (context === undefined) throw new WmiAnswerError('its answer to a query says neither that there is more nor that there is not');
  return { items, context };
}
