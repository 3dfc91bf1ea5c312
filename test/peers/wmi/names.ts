/** Names of SOAP 1.2, WS-Addressing, WS-Transfer, WS-Enumeration (DSP0226) and of Windows' own ([MS-WSMV] 2.2.1). */

export const NS = {
  soap: 'http://www.w3.org/2003/05/soap-envelope',
  addressing: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  enumeration: 'http://schemas.xmlsoap.org/ws/2004/09/enumeration',
  transfer: 'http://schemas.xmlsoap.org/ws/2004/09/transfer',
  wsman: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
  windows: 'http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd',
  identity: 'http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd',
  fault: 'http://schemas.microsoft.com/wbem/wsman/1/wsmanfault',
  binding: 'http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd',
  common: 'http://schemas.dmtf.org/wbem/wscim/1/common',
  wmiError: 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError',
  instance: 'http://www.w3.org/2001/XMLSchema-instance',
} as const;

export const ACTION = {
  get: `${NS.transfer}/Get`,
  enumerate: `${NS.enumeration}/Enumerate`,
  pull: `${NS.enumeration}/Pull`,
  release: `${NS.enumeration}/Release`,
} as const;

export const ANONYMOUS = `${NS.addressing}/role/anonymous`;
/** What a WMI namespace and a class are appended to. */
export const WMI = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/';
export const WQL = 'http://schemas.microsoft.com/wbem/wsman/1/WQL';
export const FAULT_DETAIL = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail';
