import { Reference, type Argument } from './cim.js';
import { ANONYMOUS, NS, WMI } from './names.js';
import { SoapFault } from './soap-faults.js';
import { child, is, readXml, type XmlElement } from './xml.js';

/** A request as WS-Management has it, checked: what Windows refuses is refused here. */
export interface Request {
  readonly action: string;
  readonly resource: string;
  readonly messageId: string;
  /** undefined: there is no SelectorSet */
  readonly selectors: ReadonlyMap<string, string> | undefined;
  /** bytes */
  readonly maxEnvelope: number;
  /** ms */
  readonly timeout: number;
  /** what is in the body */
  readonly body: XmlElement | undefined;
}

/** Asks who is there; the one request without headers (DSP0226, 11). */
export type Identify = 'identify';

/** Headers that may be there, by namespace. */
const UNDERSTOOD = new Map<string, readonly string[]>([
  [NS.addressing, ['To', 'Action', 'MessageID', 'ReplyTo', 'From', 'FaultTo', 'RelatesTo']],
  [NS.wsman, ['ResourceURI', 'SelectorSet', 'MaxEnvelopeSize', 'OperationTimeout', 'Locale', 'OptionSet', 'FragmentTransfer', 'RequestEPR', 'RequestTotalItemsCountEstimate']],
  [NS.windows, ['DataLocale', 'SessionId', 'OperationID', 'SequenceId', 'CompressionType', 'ActivityId']],
]);
/** Of [MS-WSMV] 3.1.4.1.1 and winrm's configuration, bytes. */
const ENVELOPE = { least: 8192, usual: 512_000 };
/** ms, where a request names none. */
const OPERATION_TIMEOUT = 60_000;
const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

const mustUnderstand = (element: XmlElement): boolean => /^(true|1)$/.test(element.attributes.get(`{${NS.soap}}mustUnderstand`) ?? '');

function readDuration(text: string): number {
  const [all, days = 0, hours = 0, minutes = 0, seconds = 0] = DURATION.exec(text.trim()) ?? [];
  if (all === undefined || /T?$/.exec(all)?.[0] === 'T' || all === 'P') throw new SoapFault('bad timeout');
  return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000;
}

class Headers {
  readonly #header: XmlElement;

  constructor(header: XmlElement) {
    this.#header = header;
    const seen = new Set<string>();
    for (const each of header.children) {
      const name = `{${each.namespace}}${each.name}`;
      if (!UNDERSTOOD.get(each.namespace)?.includes(each.name)) {
        if (mustUnderstand(each)) throw new SoapFault('must understand');
      } else if (seen.has(name)) {
        throw new SoapFault('bad header');
      }
      if (is(each, NS.wsman, 'Locale') && mustUnderstand(each)) throw new SoapFault('locale demanded');
      seen.add(name);
    }
  }

  find(namespace: string, name: string): XmlElement | undefined {
    return child(this.#header, namespace, name);
  }

  text(namespace: string, name: string): string {
    const text = this.find(namespace, name)?.text.trim();
    if (text === undefined || text === '') throw new SoapFault('header missing');
    return text;
  }
}

/** A reference in the form of an endpoint (WS-Addressing), as a selector's or a parameter's value. */
export function readReference(element: XmlElement): Reference | undefined {
  const endpoint = child(element, NS.addressing, 'EndpointReference') ?? element;
  const parameters = child(endpoint, NS.addressing, 'ReferenceParameters');
  if (!parameters) return undefined;
  const resource = child(parameters, NS.wsman, 'ResourceURI')?.text.trim() ?? '';
  const set = child(parameters, NS.wsman, 'SelectorSet');
  if (!resource.startsWith(WMI) || !child(endpoint, NS.addressing, 'Address')) throw new SoapFault('bad body');
  const path = resource.slice(WMI.length);
  return new Reference(path.slice(0, path.lastIndexOf('/')), path.slice(path.lastIndexOf('/') + 1), Object.fromEntries(set ? readSelectors(set) : []));
}

function readSelectors(set: XmlElement): Map<string, string> {
  const selectors = new Map<string, string>();
  for (const each of set.children) {
    const name = each.attributes.get('Name');
    if (!is(each, NS.wsman, 'Selector') || name === undefined) throw new SoapFault('bad header');
    if (selectors.has(name)) throw new SoapFault('duplicate selectors');
    selectors.set(name, each.text);
  }
  if (selectors.size === 0) throw new SoapFault('bad header');
  return selectors;
}

function readEnvelope(document: string): { header: XmlElement | undefined; body: XmlElement } {
  let envelope: XmlElement;
  try {
    envelope = readXml(document);
  } catch {
    throw new SoapFault('bad xml');
  }
  if (envelope.name !== 'Envelope' || envelope.namespace !== NS.soap) throw new SoapFault('soap version');
  const [first, second, ...rest] = envelope.children;
  const hasHeader = is(first, NS.soap, 'Header');
  const body = hasHeader ? second : first;
  if (!body || !is(body, NS.soap, 'Body') || rest.length > 0 || (!hasHeader && second) || body.children.length > 1) throw new SoapFault('bad xml');
  return { header: hasHeader ? first : undefined, body };
}

/** The MessageID of what may be refused: a fault relates to it. */
export function messageIdOf(document: string): string | undefined {
  try {
    const { header } = readEnvelope(document);
    return header && child(header, NS.addressing, 'MessageID')?.text.trim();
  } catch {
    return undefined;
  }
}

/** @throws SoapFault */
export function readRequest(document: string): Request | Identify {
  const { header, body } = readEnvelope(document);
  const content = body.children[0];
  if (is(content, NS.identity, 'Identify')) return 'identify';
  if (!header) throw new SoapFault('header missing');
  const headers = new Headers(header);
  const replyTo = headers.find(NS.addressing, 'ReplyTo');
  if (!replyTo) throw new SoapFault('header missing');
  if (child(replyTo, NS.addressing, 'Address')?.text.trim() !== ANONYMOUS) throw new SoapFault('reply elsewhere');
  const to = headers.text(NS.addressing, 'To');
  if (!/^https?:\/\/[^/]+\/wsman\/?$/i.test(to)) throw new SoapFault('bad header');
  const maxEnvelope = Number(headers.find(NS.wsman, 'MaxEnvelopeSize')?.text.trim() ?? ENVELOPE.usual);
  if (!Number.isInteger(maxEnvelope)) throw new SoapFault('bad header');
  if (maxEnvelope < ENVELOPE.least) throw new SoapFault('small envelope');
  const timeout = headers.find(NS.wsman, 'OperationTimeout');
  const set = headers.find(NS.wsman, 'SelectorSet');
  return {
    action: headers.text(NS.addressing, 'Action'), resource: headers.text(NS.wsman, 'ResourceURI'), messageId: headers.text(NS.addressing, 'MessageID'),
    selectors: set && readSelectors(set), maxEnvelope, timeout: timeout ? readDuration(timeout.text) : OPERATION_TIMEOUT, body: content,
  };
}

/** What a method's input names, in the order in which it stands there. An array is an element that is repeated. */
export function readArguments(input: XmlElement): Map<string, Argument> {
  const found = new Map<string, Argument>();
  let last = '';
  for (const each of input.children) {
    if (each.namespace !== input.namespace) throw new SoapFault('bad body');
    const isNil = each.attributes.get(`{${NS.instance}}nil`) === 'true';
    const dated = child(each, NS.common, 'Datetime') ?? child(each, NS.common, 'Interval');
    const value = isNil ? null : readReference(each) ?? dated?.text ?? each.text;
    const before = found.get(each.name);
    // Those of one name stand together.
    if (before !== undefined && last !== each.name) throw new SoapFault('bad body');
    found.set(
      each.name,
      before === undefined || before === null || value === null
        ? value
        : [...(Array.isArray(before) ? (before as string[]) : [before as string]), value as string],
    );
    last = each.name;
  }
  return found;
}
