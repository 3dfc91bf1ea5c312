import { WmiFault, type WmiFaultKind } from '../wmi/errors.js';
import { KINDS_BY_HRESULT } from '../wmi/fault-kinds.js';
import { child, qualifiedText, type XmlElement } from './xml.js';

const SOAP = 'http://www.w3.org/2003/05/soap-envelope';
const WSMAN = 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd';
const ADDRESSING = 'http://schemas.xmlsoap.org/ws/2004/08/addressing';
const WSMAN_FAULT = 'http://schemas.microsoft.com/wbem/wsman/1/wsmanfault';
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

const UNREACHABLE = `${ADDRESSING} DestinationUnreachable`;

/** Subcodes of DSP0226, section 14, and of WS-Addressing; for where the number says nothing. */
const KINDS_BY_SUBCODE: ReadonlyMap<string, WmiFaultKind> = new Map<string, WmiFaultKind>([
  [`${WSMAN} AccessDenied`, 'access-denied'],
  [`${WSMAN} InvalidSelectors`, 'no-such-instance'],
  [`${WSMAN} TimedOut`, 'timed-out'],
  [`${WSMAN} QuotaLimit`, 'quota'],
  [`${WSMAN} InvalidResourceURI`, 'no-such-class'],
  [UNREACHABLE, 'no-such-class'],
  [`${ADDRESSING} ActionNotSupported`, 'no-such-method'],
]);

/** Characters of a service's own words that are kept: enough for a log. */
const WORDS_LIMIT = 500;

/**
 * A SOAP fault by its codes; its words are for people, in whatever language the service has them.
 * @param isKeyed whether the request named one instance: `DestinationUnreachable` may mean the class or it
 */
export function readFault(fault: XmlElement, isKeyed: boolean): WmiFault {
  const value = child(child(child(fault, SOAP, 'Code'), SOAP, 'Subcode'), SOAP, 'Value');
  const subcode = value && qualifiedText(value);
  const detail = child(fault, SOAP, 'Detail');
  const wmiError = detail?.children.find(({ name, namespace }) => name === WMI_ERROR && namespace.endsWith(`/${WMI_ERROR}`));
  const property = (name: string): string | undefined => child(wmiError, wmiError?.namespace ?? '', name)?.text;
  const codes = detail ? [...codesIn(detail)] : [];
  const said = whole(property('error_Code'));
  const code = codes.find(isKnown) ?? codes[0] ?? said;
  const status = whole(property('CIMStatusCode'));
  const named = `${subcode?.namespace} ${subcode?.name}`;
  const bySubcode = isKeyed && named === UNREACHABLE ? 'no-such-instance' : KINDS_BY_SUBCODE.get(named);
  const words = child(child(fault, SOAP, 'Reason'), SOAP, 'Text')?.text.trim() ?? '';
  const kind = KINDS_BY_HRESULT.get(code) ?? KINDS_BY_CIM_STATUS.get(status) ?? KINDS_BY_CODE.get(code) ?? bySubcode ?? 'other';
  return new WmiFault(kind, code, words.slice(0, WORDS_LIMIT) || subcode?.name || 'a fault without words');
}

const isKnown = (code: number): boolean => KINDS_BY_CODE.has(code) || KINDS_BY_HRESULT.has(code);

/** A WSManFault may hold that of the provider, whose number says more; from the outside in. */
function* codesIn(element: XmlElement): Generator<number> {
  for (const each of element.children) {
    const code = each.name === 'WSManFault' && each.namespace === WSMAN_FAULT ? each.attributes.get('Code') : undefined;
    if (code !== undefined) yield whole(code);
    yield* codesIn(each);
  }
}

/** Unsigned; some write an HRESULT in hexadecimal, or as the negative number that it is in C. */
function whole(text = ''): number {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number < 0 ? number >>> 0 : number : 0;
}
