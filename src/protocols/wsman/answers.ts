import type { WmiObject, WmiPath, WmiValue } from '../wmi/connection.js';
import { KINDS_BY_HRESULT, WmiFault, type WmiFaultKind } from '../wmi/errors.js';
import { child, Namespace, qualifiedText, type XmlElement } from './xml.js';

/** The end of its namespace, which is CIM's, or that of the WMI namespace that it came from. */
const WMI_ERROR = 'MSFT_WmiError';

/** WSMan's own numbers (wsmerror.h), as WSManFault carries them. */
const KINDS_BY_CODE: ReadonlyMap<number, WmiFaultKind> = new Map<number, WmiFaultKind>([
  // ERROR_WSMAN_INVALID_SELECTORS
  [0x8033_805b, 'no-such-instance'],
  // ERROR_WSMAN_CANNOT_PROCESS_FILTER, said of a query to a namespace or class that is not there
  [0x8033_801a, 'no-such-class'],
  // ERROR_WSMAN_OPERATION_TIMEDOUT
  [0x8033_8029, 'timed-out'],
  // ERROR_WSMAN_QUOTA_…: LIMIT; MAX_SHELLS, MAX_OPERATIONS, USER, SYSTEM, MAX_SHELLUSERS; and those of a provider's own limits (…_PPQ)
  ...[0x8033_803f, 0x8033_81a5, 0x8033_81a6, 0x8033_81a7, 0x8033_81a8, 0x8033_81ab,
    0x8033_81e4, 0x8033_81e5, 0x8033_81e6, 0x8033_81e7, 0x8033_81e8, 0x8033_81e9, 0x8033_81ea].map((code) => [code, 'quota'] as const),
  // keys that are missing altogether, and a query that names a class: neither says that there is no such thing
  [0x8033_80fa, 'other'], [0x8033_80fb, 'other'],
]);

/** CIM's own numbers (DSP0200, "CIM_ERR_…"), as MSFT_WmiError carries them from Windows Server 2012 on. */
const KINDS_BY_CIM_STATUS: ReadonlyMap<number, WmiFaultKind> = new Map<number, WmiFaultKind>([
  [2, 'access-denied'], [3, 'no-such-class'], [5, 'no-such-class'], [6, 'no-such-instance'], [16, 'no-such-method'], [17, 'no-such-method'],
  // of MI ("MI_Result"): the server's limits are exceeded; it shuts down
  [27, 'quota'], [28, 'interrupted'],
]);

const UNREACHABLE = `${Namespace.addressing} DestinationUnreachable`;

/** Subcodes of DSP0226, section 14, and of WS-Addressing; for where the number says nothing. */
const KINDS_BY_SUBCODE: ReadonlyMap<string, WmiFaultKind> = new Map<string, WmiFaultKind>([
  [`${Namespace.wsman} AccessDenied`, 'access-denied'],
  [`${Namespace.wsman} InvalidSelectors`, 'no-such-instance'],
  [`${Namespace.wsman} TimedOut`, 'timed-out'],
  [`${Namespace.wsman} QuotaLimit`, 'quota'],
  [`${Namespace.wsman} InvalidResourceURI`, 'no-such-class'],
  [UNREACHABLE, 'no-such-class'],
  [`${Namespace.addressing} ActionNotSupported`, 'no-such-method'],
]);

/** Characters of a service's own words that are kept: enough for a log. */
const WORDS_LIMIT = 500;

/**
 * A SOAP fault by its codes; its words are for people, in whatever language the service has them.
 * @param isKeyed whether the request named one instance: `DestinationUnreachable` may mean the class or it
 */
export function readFault(fault: XmlElement, isKeyed: boolean): WmiFault {
  const value = child(child(child(fault, Namespace.soap, 'Code'), Namespace.soap, 'Subcode'), Namespace.soap, 'Value');
  const subcode = value && qualifiedText(value);
  const detail = child(fault, Namespace.soap, 'Detail');
  const wmiError = detail?.children.find(({ name, namespace }) => name === WMI_ERROR && namespace.endsWith(`/${WMI_ERROR}`));
  const property = (name: string): string | undefined => child(wmiError, wmiError?.namespace ?? '', name)?.text;
  const codes = detail ? [...codesIn(detail)] : [];
  const said = whole(property('error_Code'));
  const code = codes.find(isKnown) ?? codes[0] ?? said;
  const status = whole(property('CIMStatusCode'));
  const named = `${subcode?.namespace} ${subcode?.name}`;
  const bySubcode = isKeyed && named === UNREACHABLE ? 'no-such-instance' : KINDS_BY_SUBCODE.get(named);
  const words = child(child(fault, Namespace.soap, 'Reason'), Namespace.soap, 'Text')?.text.trim() ?? '';
  const kind = KINDS_BY_HRESULT.get(code) ?? KINDS_BY_CIM_STATUS.get(status) ?? KINDS_BY_CODE.get(code) ?? bySubcode ?? 'other';
  return new WmiFault(kind, code, words.slice(0, WORDS_LIMIT) || subcode?.name || 'a fault without words');
}

const isKnown = (code: number): boolean => KINDS_BY_CODE.has(code) || KINDS_BY_HRESULT.has(code);

/** A WSManFault may hold that of the provider, whose number says more; from the outside in. */
function* codesIn(element: XmlElement): Generator<number> {
  for (const each of element.children) {
    const code = each.name === 'WSManFault' && each.namespace === Namespace.fault ? each.attributes.get('Code') : undefined;
    if (code !== undefined) yield whole(code);
    yield* codesIn(each);
  }
}

/** Unsigned; some write an HRESULT in hexadecimal, or as the negative number that it is in C. */
function whole(text = ''): number {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number < 0 ? number >>> 0 : number : 0;
}

const NIL = 'http://www.w3.org/2001/XMLSchema-instance nil';
/** Where dates are from (DSP0230, "CIM Datetime"). */
const CIM = 'http://schemas.dmtf.org/wbem/wscim/1/common';
const DATES: readonly string[] = ['Datetime', 'Interval', 'Date', 'Time'];
/** A selector that names the namespace where the resource does not (DSP0227, section 6.1). */
const NAMESPACE_KEY = '__cimnamespace';

/**
 * An instance, or a method's output: its elements by name. One that repeats is an array; an array of
 * one element therefore looks like a single value, and an empty one is not there at all.
 */
export function readObject({ children }: XmlElement): WmiObject {
  const properties = new Map<string, WmiValue>();
  for (const property of children) {
    const value = readValue(property);
    const before = properties.get(property.name);
    if (before === undefined) properties.set(property.name, value);
    else if (Array.isArray(before)) (before as WmiValue[]).push(value);
    else properties.set(property.name, [before, value]);
  }
  return Object.fromEntries(properties);
}

function readValue(element: XmlElement): WmiValue {
  const nil = element.attributes.get(NIL);
  if (nil === 'true' || nil === '1') return null;
  const [first] = element.children;
  if (!first) return element.text;
  const reference = part(element, Namespace.addressing, 'EndpointReference') ?? element;
  const parameters = part(reference, Namespace.addressing, 'ReferenceParameters');
  if (parameters) return readPath(parameters);
  return DATES.includes(first.name) && (first.namespace === CIM || first.namespace === '') ? first.text.trim() : readObject(element);
}

/** Of a query that picks properties, Windows sends fragments, in which nothing has a namespace. */
const part = (element: XmlElement, namespace: string, name: string): XmlElement | undefined =>
  child(element, namespace, name) ?? child(element, '', name);

/** An endpoint reference (DSP0226, section 5.1) as WMI's path. Keys that are references themselves are left out. */
function readPath(parameters: XmlElement): WmiPath {
  const resource = part(parameters, Namespace.wsman, 'ResourceURI')?.text.trim() ?? '';
  const selectors = part(parameters, Namespace.wsman, 'SelectorSet')?.children ?? [];
  const all = new Map(selectors.filter(({ children }) => children.length === 0).map((selector) => [selector.attributes.get('Name') ?? '', selector.text]));
  const named = all.get(NAMESPACE_KEY) ?? '';
  all.delete(NAMESPACE_KEY);
  const place = resource.startsWith(Namespace.wmi) ? resource.slice(Namespace.wmi.length) : `${named}/${resource.slice(resource.lastIndexOf('/') + 1)}`;
  const cut = place.lastIndexOf('/');
  return { namespace: place.slice(0, cut), className: place.slice(cut + 1), keys: Object.fromEntries(all) };
}
