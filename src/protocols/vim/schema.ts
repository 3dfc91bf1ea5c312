/**
 * The part of the vSphere Web Services API that is spoken here, as one table: the elements of each
 * type in the order of VMware's vim-types.xsd, which vCenter insists on. The whole description is
 * 3 MB, and takes most of a second to load.
 *
 * A field is `type`, with `?` where it may be absent and `*` where it may come any number of times.
 * Types are those of this table, `ref` (a ManagedObjectReference), and XML Schema's.
 */

export type Fields = Readonly<Record<string, string>>;

export const TYPES: Readonly<Record<string, Fields>> = {
  PropertySpec: { type: 'string', all: 'boolean?', pathSet: 'string*' },
  // A SelectionSpec (its name) with what a TraversalSpec adds; which one it is says xsi:type.
  TraversalSpec: { name: 'string?', type: 'string', path: 'string', skip: 'boolean?', selectSet: 'TraversalSpec*' },
  ObjectSpec: { obj: 'ref', skip: 'boolean?', selectSet: 'TraversalSpec*' },
  PropertyFilterSpec: { propSet: 'PropertySpec*', objectSet: 'ObjectSpec*', reportMissingObjectsInResults: 'boolean?' },
  RetrieveOptions: { maxObjects: 'int?' },
  WaitOptions: { maxWaitSeconds: 'int?', maxObjectUpdates: 'int?' },
  // How a host itself behaves (its defaults) is not changed.
  HostAutoStartManagerConfig: { powerInfo: 'AutoStartPowerInfo*' },
  AutoStartPowerInfo: {
    key: 'ref', startOrder: 'int', startDelay: 'int', waitForHeartbeat: 'string', startAction: 'string', stopDelay: 'int', stopAction: 'string',
  },
  PerfMetricId: { counterId: 'int', instance: 'string' },
  PerfQuerySpec: {
    entity: 'ref', startTime: 'dateTime?', endTime: 'dateTime?', maxSample: 'int?', metricId: 'PerfMetricId*', intervalId: 'int?', format: 'string?',
  },
};

const none: Fields = {};

/** What each method takes beside `_this`. What it answers is read as it says itself. */
export const METHODS = {
  RetrieveServiceContent: none,
  CurrentTime: none,
  Login: { userName: 'string', password: 'string', locale: 'string?' },
  Logout: none,
  DestroyView: none,
  CreateContainerView: { container: 'ref', type: 'string*', recursive: 'boolean' },
  CreatePropertyCollector: none,
  DestroyPropertyCollector: none,
  CreateFilter: { spec: 'PropertyFilterSpec', partialUpdates: 'boolean' },
  RetrievePropertiesEx: { specSet: 'PropertyFilterSpec*', options: 'RetrieveOptions' },
  ContinueRetrievePropertiesEx: { token: 'string' },
  WaitForUpdatesEx: { version: 'string?', options: 'WaitOptions?' },
  PowerOnVM_Task: { host: 'ref?' },
  // What further options there are (OptionValue) is not used.
  PowerOnMultiVM_Task: { vm: 'ref*' },
  PowerOffVM_Task: none,
  SuspendVM_Task: none,
  ResetVM_Task: none,
  ShutdownGuest: none,
  RebootGuest: none,
  PowerOnVApp_Task: none,
  PowerOffVApp_Task: { force: 'boolean' },
  SuspendVApp_Task: none,
  AcquireTicket: { ticketType: 'string' },
  CancelTask: none,
  AnswerVM: { questionId: 'string', answerChoice: 'string' },
  ReconfigureAutostart: { spec: 'HostAutoStartManagerConfig' },
  EnterMaintenanceMode_Task: { timeout: 'int', evacuatePoweredOffVms: 'boolean?' },
  ExitMaintenanceMode_Task: { timeout: 'int' },
  ShutdownHost_Task: { force: 'boolean' },
  RebootHost_Task: { force: 'boolean' },
  PowerDownHostToStandBy_Task: { timeoutSec: 'int', evacuatePoweredOffVms: 'boolean?' },
  PowerUpHostFromStandBy_Task: { timeoutSec: 'int' },
  QueryPerf: { querySpec: 'PerfQuerySpec*' },
} satisfies Readonly<Record<string, Fields>>;

export type Method = keyof typeof METHODS;

/** The service's description (WSDL 1.1), made from the table of methods and types: of one method each. */

const XML_TYPES = new Set(['string', 'boolean', 'int', 'dateTime']);

function typeName(type: string): string {
  if (type === 'ref') return 'v:ManagedObjectReference';
  return XML_TYPES.has(type) ? `xsd:${type}` : `v:${type}`;
}

const withoutCount = (field: string): string => field.replace(/[?*]$/, '');

function element(name: string, field: string): string {
  const type = withoutCount(field);
  const occurs = field.endsWith('*') ? ' minOccurs="0" maxOccurs="unbounded"' : field.endsWith('?') ? ' minOccurs="0"' : '';
  return `<element name="${name}" type="${typeName(type)}"${occurs}/>`;
}

const sequence = (fields: Fields): string =>
  `<sequence>${Object.entries(fields).map(([name, field]) => element(name, field)).join('')}</sequence>`;

/** The order of elements is kept for named types only, so each request has one. */
const requestOf = (name: string, takes: Fields): string =>
  `<complexType name="${name}RequestType">${sequence({ _this: 'ref', ...takes })}</complexType>`
  + `<element name="${name}" type="v:${name}RequestType"/>`
  + `<element name="${name}Response"><complexType><sequence/></complexType></element>`;

const messagesOf = (name: string): string =>
  `<message name="${name}RequestMsg"><part name="parameters" element="v:${name}"/></message>`
  + `<message name="${name}ResponseMsg"><part name="parameters" element="v:${name}Response"/></message>`;

const operationOf = (name: string): string =>
  `<operation name="${name}"><input message="t:${name}RequestMsg"/><output message="t:${name}ResponseMsg"/></operation>`;

const bindingOf = (name: string): string =>
  `<operation name="${name}"><s:operation soapAction="" style="document"/>`
  + '<input><s:body use="literal"/></input><output><s:body use="literal"/></output></operation>';

/** Adds the types of the table that fields lead to. */
function collectTypes(fields: readonly string[], found = new Set<string>()): Set<string> {
  for (const type of fields.map(withoutCount)) {
    const its = TYPES[type];
    if (its === undefined || found.has(type)) continue;
    found.add(type);
    collectTypes(Object.values(its), found);
  }
  return found;
}

/** The description of a method, with the types that it needs. */
export function buildWsdl(method: Method): string {
  const takes: Fields = METHODS[method];
  const needed = collectTypes(Object.values(takes));
  const types = [...needed].map((name) => `<complexType name="${name}">${sequence(TYPES[name]!)}</complexType>`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<definitions targetNamespace="urn:vim25Service" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"',
    ' xmlns:t="urn:vim25Service" xmlns:v="urn:vim25" xmlns:xsd="http://www.w3.org/2001/XMLSchema">',
    '<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:vim25" elementFormDefault="qualified">',
    '<complexType name="ManagedObjectReference"><simpleContent><extension base="xsd:string"><attribute name="type" type="xsd:string"/>',
    '</extension></simpleContent></complexType>',
    ...types, requestOf(method, takes), '</schema></types>',
    messagesOf(method),
    '<portType name="VimPortType">', operationOf(method), '</portType>',
    '<binding name="VimBinding" type="t:VimPortType"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>',
    bindingOf(method), '</binding>',
    '<service name="VimService"><port name="VimPort" binding="t:VimBinding"><s:address location="https://localhost/sdk"/></port></service>',
    '</definitions>',
  ].join('\n');
}
