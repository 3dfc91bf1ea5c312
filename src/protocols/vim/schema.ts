/**
 * The part of the vSphere Web Services API that is spoken here, as one table: the elements of each
 * type in the order of VMware's vim-types.xsd, which vCenter insists on. The whole description is
 * 3 MB, and takes most of a second to load.
 *
 * A field is `type`, with `?` where it may be absent and `*` where it may come any number of times.
 * Types are those of this table, `ref` (a ManagedObjectReference), `any`, and XML Schema's.
 */

export type Fields = Readonly<Record<string, string>>;

export const TYPES: Readonly<Record<string, Fields>> = {
  // What is only answered needs no fields that nobody reads, and these are asked first.
  AboutInfo: { fullName: 'string', apiType: 'string' },
  ServiceContent: {
    rootFolder: 'ref', propertyCollector: 'ref', viewManager: 'ref?', about: 'AboutInfo', sessionManager: 'ref?', perfManager: 'ref?',
  },
  UserSession: { key: 'string', userName: 'string' },
  PropertySpec: { type: 'string', all: 'boolean?', pathSet: 'string*' },
  // A SelectionSpec (its name) with what a TraversalSpec adds; which one it is says xsi:type.
  TraversalSpec: { name: 'string?', type: 'string', path: 'string', skip: 'boolean?', selectSet: 'TraversalSpec*' },
  ObjectSpec: { obj: 'ref', skip: 'boolean?', selectSet: 'TraversalSpec*' },
  PropertyFilterSpec: { propSet: 'PropertySpec*', objectSet: 'ObjectSpec*', reportMissingObjectsInResults: 'boolean?' },
  RetrieveOptions: { maxObjects: 'int?' },
  DynamicProperty: { name: 'string', val: 'any' },
  LocalizedMethodFault: { fault: 'any', localizedMessage: 'string?' },
  MissingProperty: { path: 'string', fault: 'LocalizedMethodFault' },
  ObjectContent: { obj: 'ref', propSet: 'DynamicProperty*', missingSet: 'MissingProperty*' },
  RetrieveResult: { token: 'string?', objects: 'ObjectContent*' },
  WaitOptions: { maxWaitSeconds: 'int?', maxObjectUpdates: 'int?' },
  PropertyChange: { name: 'string', op: 'string', val: 'any?' },
  ObjectUpdate: { kind: 'string', obj: 'ref', changeSet: 'PropertyChange*', missingSet: 'MissingProperty*' },
  MissingObject: { obj: 'ref', fault: 'LocalizedMethodFault' },
  PropertyFilterUpdate: { filter: 'ref', objectSet: 'ObjectUpdate*', missingSet: 'MissingObject*' },
  UpdateSet: { version: 'string', filterSet: 'PropertyFilterUpdate*', truncated: 'boolean?' },
  // How a host itself behaves (its defaults) is not changed.
  HostAutoStartManagerConfig: { powerInfo: 'AutoStartPowerInfo*' },
  AutoStartPowerInfo: {
    key: 'ref', startOrder: 'int', startDelay: 'int', waitForHeartbeat: 'string', startAction: 'string', stopDelay: 'int', stopAction: 'string',
  },
  VirtualMachineTicket: { ticket: 'string', host: 'string?', port: 'int?', sslThumbprint: 'string?' },
  PerfMetricId: { counterId: 'int', instance: 'string' },
  PerfQuerySpec: {
    entity: 'ref', startTime: 'dateTime?', endTime: 'dateTime?', maxSample: 'int?', metricId: 'PerfMetricId*', intervalId: 'int?', format: 'string?',
  },
  PerfSampleInfo: { timestamp: 'dateTime', interval: 'int' },
  PerfMetricIntSeries: { id: 'PerfMetricId', value: 'long*' },
  PerfEntityMetric: { entity: 'ref', sampleInfo: 'PerfSampleInfo*', value: 'PerfMetricIntSeries*' },
};

export interface MethodShape {
  /** what follows `_this` */
  readonly takes: Fields;
  /** as a field; undefined where nothing is answered */
  readonly returns?: string;
}

const none: Fields = {};

export const METHODS = {
  RetrieveServiceContent: { takes: none, returns: 'ServiceContent' },
  CurrentTime: { takes: none, returns: 'dateTime' },
  Login: { takes: { userName: 'string', password: 'string', locale: 'string?' }, returns: 'UserSession' },
  Logout: { takes: none },
  CreateContainerView: { takes: { container: 'ref', type: 'string*', recursive: 'boolean' }, returns: 'ref' },
  CreatePropertyCollector: { takes: none, returns: 'ref' },
  DestroyPropertyCollector: { takes: none },
  CreateFilter: { takes: { spec: 'PropertyFilterSpec', partialUpdates: 'boolean' }, returns: 'ref' },
  RetrievePropertiesEx: { takes: { specSet: 'PropertyFilterSpec*', options: 'RetrieveOptions' }, returns: 'RetrieveResult?' },
  ContinueRetrievePropertiesEx: { takes: { token: 'string' }, returns: 'RetrieveResult' },
  WaitForUpdatesEx: { takes: { version: 'string?', options: 'WaitOptions?' }, returns: 'UpdateSet?' },
  PowerOnVM_Task: { takes: { host: 'ref?' }, returns: 'ref' },
  // What further options there are (OptionValue) is not used.
  PowerOnMultiVM_Task: { takes: { vm: 'ref*' }, returns: 'ref' },
  PowerOffVM_Task: { takes: none, returns: 'ref' },
  SuspendVM_Task: { takes: none, returns: 'ref' },
  ResetVM_Task: { takes: none, returns: 'ref' },
  ShutdownGuest: { takes: none },
  RebootGuest: { takes: none },
  PowerOnVApp_Task: { takes: none, returns: 'ref' },
  PowerOffVApp_Task: { takes: { force: 'boolean' }, returns: 'ref' },
  SuspendVApp_Task: { takes: none, returns: 'ref' },
  AcquireTicket: { takes: { ticketType: 'string' }, returns: 'VirtualMachineTicket' },
  CancelTask: { takes: none },
  AnswerVM: { takes: { questionId: 'string', answerChoice: 'string' } },
  ReconfigureAutostart: { takes: { spec: 'HostAutoStartManagerConfig' } },
  EnterMaintenanceMode_Task: { takes: { timeout: 'int', evacuatePoweredOffVms: 'boolean?' }, returns: 'ref' },
  ExitMaintenanceMode_Task: { takes: { timeout: 'int' }, returns: 'ref' },
  ShutdownHost_Task: { takes: { force: 'boolean' }, returns: 'ref' },
  RebootHost_Task: { takes: { force: 'boolean' }, returns: 'ref' },
  PowerDownHostToStandBy_Task: { takes: { timeoutSec: 'int', evacuatePoweredOffVms: 'boolean?' }, returns: 'ref' },
  PowerUpHostFromStandBy_Task: { takes: { timeoutSec: 'int' }, returns: 'ref' },
  QueryPerf: { takes: { querySpec: 'PerfQuerySpec*' }, returns: 'PerfEntityMetric*' },
} satisfies Readonly<Record<string, MethodShape>>;

export type Method = keyof typeof METHODS;

/** The service's description (WSDL 1.1), made from the table of methods and types: of one method each. */

const XML_TYPES = new Set(['string', 'boolean', 'int', 'long', 'dateTime']);

function typeName(type: string): string {
  if (type === 'ref') return 'v:ManagedObjectReference';
  if (type === 'any') return 'xsd:anyType';
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
const requestOf = (name: string, { takes, returns }: MethodShape): string =>
  `<complexType name="${name}RequestType">${sequence({ _this: 'ref', ...takes })}</complexType>`
  + `<element name="${name}" type="v:${name}RequestType"/>`
  + `<element name="${name}Response"><complexType>${sequence(returns === undefined ? {} : { returnval: returns })}</complexType></element>`;

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
  const shape: MethodShape = METHODS[method];
  const needed = collectTypes([...Object.values(shape.takes), shape.returns ?? 'any']);
  const types = [...needed].map((name) => `<complexType name="${name}">${sequence(TYPES[name]!)}</complexType>`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<definitions targetNamespace="urn:vim25Service" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"',
    ' xmlns:t="urn:vim25Service" xmlns:v="urn:vim25" xmlns:xsd="http://www.w3.org/2001/XMLSchema">',
    '<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:vim25" elementFormDefault="qualified">',
    '<complexType name="ManagedObjectReference"><simpleContent><extension base="xsd:string"><attribute name="type" type="xsd:string"/>',
    '</extension></simpleContent></complexType>',
    ...types, requestOf(method, shape), '</schema></types>',
    messagesOf(method),
    '<portType name="VimPortType">', operationOf(method), '</portType>',
    '<binding name="VimBinding" type="t:VimPortType"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>',
    bindingOf(method), '</binding>',
    '<service name="VimService"><port name="VimPort" binding="t:VimBinding"><s:address location="https://localhost/sdk"/></port></service>',
    '</definitions>',
  ].join('\n');
}
