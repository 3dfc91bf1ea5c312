import { randomUUID } from 'node:crypto';
import { ANONYMOUS, FAULT_DETAIL, NS } from './names.js';
import { escapeXml } from './xml.js';

/** What a WS-Management service refuses, as Windows says it. Codes are those of wsmerror.h and winerror.h. */

interface FaultForm {
  readonly by: 'Sender' | 'Receiver' | 'MustUnderstand' | 'VersionMismatch';
  readonly subcode: string;
  readonly code: number;
  /** of CIM (DSP0200): where WMI and not WinRM is who refuses */
  readonly cim?: number;
  readonly detail?: string;
  readonly words: string;
}

const form = (by: FaultForm['by'], subcode: string, code: number, words: string, more: Pick<FaultForm, 'cim' | 'detail'> = {}): FaultForm =>
  ({ by, subcode, code, words, ...more });

export const FAULTS = {
  'bad xml': form('Sender', 'w:SchemaValidationError', 2150858819, 'The request has XML that is not valid.'),
  'bad body': form('Sender', 'w:SchemaValidationError', 2150858817, 'The SOAP XML in the message does not match the corresponding XML schema definition.'),
  'bad parameter': form('Sender', 'w:InvalidParameter', 2150858837, 'An operation parameter is not valid.', { detail: 'InvalidName' }),
  'bad header': form('Sender', 'a:InvalidMessageInformationHeader', 2150858767, 'A header is not valid.'),
  'header missing': form('Sender', 'a:MessageInformationHeaderRequired', 2150858769, 'A header is missing.'),
  'must understand': form('MustUnderstand', '', 2150858768, 'A mandatory header is not understood.'),
  'soap version': form('VersionMismatch', '', 2150858765, 'The SOAP version is not supported.'),
  'reply elsewhere': form('Sender', 'w:UnsupportedFeature', 2150858870, 'The addressing mode is not supported.', { detail: 'AddressingMode' }),
  'locale demanded': form('Sender', 'w:UnsupportedFeature', 2150858887, 'mustUnderstand is not supported on the locale.', { detail: 'Locale' }),
  'bad timeout': form('Sender', 'w:InvalidOptions', 2150858881, 'The timeout header is not valid.', { detail: 'InvalidTimeout' }),
  'small envelope': form('Sender', 'w:EncodingLimit', 2150858878, 'The maximum envelope size is too small.', { detail: 'MinimumEnvelopeLimit' }),
  'envelope exceeded': form('Sender', 'w:EncodingLimit', 2150858824, 'An item is larger than the maximum envelope size.', { detail: 'MaxEnvelopeSizeExceeded' }),
  'resource unknown': form('Sender', 'w:InvalidResourceURI', 2150858811, 'The resource URI was not found in the catalog.', { detail: 'InvalidResourceURI' }),
  'not found': form('Sender', 'a:DestinationUnreachable', 2150858752, 'The service cannot find the resource identified by the resource URI and selectors.', { cim: 6, detail: 'InvalidResourceURI' }),
  'no such class': form('Sender', 'a:DestinationUnreachable', 2150858752, 'The service cannot find the resource identified by the resource URI and selectors.', { cim: 5, detail: 'InvalidResourceURI' }),
  'no such namespace': form('Sender', 'a:DestinationUnreachable', 2150858752, 'The service cannot find the resource identified by the resource URI and selectors.', { cim: 3, detail: 'InvalidResourceURI' }),
  'action unknown': form('Sender', 'a:ActionNotSupported', 2150858753, 'The action URI is not valid.'),
  'no such method': form('Receiver', 'w:InternalError', 0x8004102e, 'The method is not valid.', { cim: 17 }),
  'method parameters': form('Receiver', 'w:InternalError', 0x8004102f, 'The method parameters are not valid.', { cim: 4 }),
  'unexpected selectors': form('Sender', 'w:InvalidSelectors', 2150858843, 'The request contained invalid selectors for the resource.', { detail: 'UnexpectedSelectors' }),
  'insufficient selectors': form('Sender', 'w:InvalidSelectors', 2150858842, 'The request needs more selectors.', { detail: 'InsufficientSelectors' }),
  'duplicate selectors': form('Sender', 'w:InvalidSelectors', 2150858847, 'A selector is there twice.', { detail: 'DuplicateSelectors' }),
  'keys missing': form('Sender', 'w:InvalidSelectors', 2150859002, 'The resource URI does not contain keys, but the class selected is not a singleton.', { cim: 4 }),
  'star missing': form('Sender', 'w:InvalidOptions', 2150859003, 'The resource URI cannot contain keys and the class name must be "*" when a query is used.'),
  'dialect unknown': form('Sender', 'n:FilterDialectRequestedUnavailable', 2150858777, 'The filter dialect is not supported.'),
  'bad query': form('Sender', 'n:CannotProcessFilter', 2150859042, 'The query is not valid.', { cim: 15 }),
  'context unknown': form('Receiver', 'n:InvalidEnumerationContext', 2150858779, 'The enumeration context is not valid.'),
  'timed out': form('Receiver', 'w:TimedOut', 2150858793, 'The operation did not complete in the time specified.'),
  'timed out inside': form('Receiver', 'w:InternalError', 0x80041069, 'The operation has timed out.', { cim: 1 }),
  'call cancelled': form('Receiver', 'w:InternalError', 0x80041032, 'The call was cancelled.', { cim: 1 }),
  quota: form('Receiver', 'w:QuotaLimit', 2150859174, 'The maximum number of concurrent operations for this user has been exceeded.', { cim: 27 }),
  'access denied': form('Sender', 'w:AccessDenied', 5, 'Access is denied.', { cim: 2 }),
  'access denied inside': form('Receiver', 'w:InternalError', 2147942405, 'Access is denied.', { cim: 2 }),
  'access denied by wmi': form('Sender', 'w:AccessDenied', 2150859012, 'The WMI service reported access denied.', { cim: 2 }),
  'internal error': form('Receiver', 'w:InternalError', 0x80041001, 'The WMI service returned an unknown error.', { cim: 1 }),
} as const satisfies Readonly<Record<string, FaultForm>>;

export type FaultName = keyof typeof FAULTS;

/** Refuses a request. */
export class SoapFault extends Error {
  constructor(readonly kind: FaultName) {
    super(kind);
  }
}

export interface FaultStyle {
  /** in which the words are; codes are the same everywhere */
  readonly locale: string;
  /** true: WMI's own refusals are an MSFT_WmiError without a WSManFault, as from Windows Server 2012 on */
  readonly wmiErrors: boolean;
}

/** What a machine says that does not speak English: nobody may go by it. */
const localised = (words: string, locale: string): string => (locale.startsWith('en') ? words : `«${locale}» ${[...words].reverse().join('')}`);

function wsmanFault(code: number, words: string): string {
  const name = `f:WSManFault xmlns:f="${NS.fault}" Code="${code}" Machine="127.0.0.1"`;
  return `<${name}><f:Message><f:ProviderFault provider="WMI Provider" path="%systemroot%\\system32\\WsmWmiPl.dll">`
    + `<${name}><f:Message>${words}</f:Message></f:WSManFault></f:ProviderFault></f:Message></f:WSManFault>`;
}

function wmiError(code: number, cim: number, words: string): string {
  const nil = (name: string): string => `<p:${name} xsi:type="cim:cimString" xsi:nil="true"/>`;
  const number = (name: string, value: number): string => `<p:${name} xsi:type="cim:cimUnsignedInt">${value}</p:${name}>`;
  return `<p:MSFT_WmiError b:IsCIM_Error="true" xmlns:xsi="${NS.instance}" xmlns:b="${NS.binding}" xmlns:p="${NS.wmiError}" xmlns:cim="${NS.common}" xsi:type="p:MSFT_WmiError_Type">`
    + `${number('CIMStatusCode', cim)}${nil('CIMStatusCodeDescription')}${nil('ErrorSource')}${number('ErrorSourceFormat', 0)}${number('ErrorType', 0)}`
    + `<p:Message xsi:type="cim:cimString">${words}</p:Message><p:MessageID xsi:type="cim:cimString">HRESULT 0x${code.toString(16)}</p:MessageID>`
    + `${number('error_Category', 6)}${number('error_Code', code)}<p:error_Type xsi:type="cim:cimString">HRESULT</p:error_Type>`
    + `<p:error_WindowsErrorMessage xsi:type="cim:cimString">${words}</p:error_WindowsErrorMessage></p:MSFT_WmiError>`;
}

/** @param relatesTo the MessageID of what is refused, where it had one */
export function writeFault(kind: FaultName, relatesTo: string | undefined, { locale, wmiErrors }: FaultStyle): string {
  const { by, subcode, code, cim, detail, words }: FaultForm = FAULTS[kind];
  const spoken = escapeXml(localised(`The WS-Management service cannot process the request. ${words}`, locale));
  const isAddressing = subcode.startsWith('a:');
  return `<s:Envelope xml:lang="${locale}" xmlns:s="${NS.soap}" xmlns:a="${NS.addressing}" xmlns:x="${NS.transfer}" xmlns:n="${NS.enumeration}" xmlns:w="${NS.wsman}" xmlns:p="${NS.windows}">`
    + `<s:Header><a:Action>${isAddressing ? `${NS.addressing}/fault` : 'http://schemas.dmtf.org/wbem/wsman/1/wsman/fault'}</a:Action>`
    + `<a:MessageID>uuid:${randomUUID().toUpperCase()}</a:MessageID><a:To>${ANONYMOUS}</a:To>`
    + `${relatesTo === undefined ? '' : `<a:RelatesTo>${escapeXml(relatesTo)}</a:RelatesTo>`}</s:Header><s:Body><s:Fault>`
    + `<s:Code><s:Value>s:${by}</s:Value>${subcode === '' ? '' : `<s:Subcode><s:Value>${subcode}</s:Value></s:Subcode>`}</s:Code>`
    + `<s:Reason><s:Text xml:lang="${locale}">${spoken}</s:Text></s:Reason><s:Detail>`
    + `${detail === undefined ? '' : `<w:FaultDetail>${FAULT_DETAIL}/${detail}</w:FaultDetail>`}`
    + `${wmiErrors && cim !== undefined ? wmiError(code, cim, spoken) : wsmanFault(code, spoken)}`
    + '</s:Detail></s:Fault></s:Body></s:Envelope>';
}
