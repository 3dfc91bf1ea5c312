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
  PowerOffVM_Task: { takes: none, returns: 'ref' },
  SuspendVM_Task: { takes: none, returns: 'ref' },
  ResetVM_Task: { takes: none, returns: 'ref' },
  ShutdownGuest: { takes: none },
  RebootGuest: { takes: none },
  CancelTask: { takes: none },
  AnswerVM: { takes: { questionId: 'string', answerChoice: 'string' } },
  EnterMaintenanceMode_Task: { takes: { timeout: 'int', evacuatePoweredOffVms: 'boolean?' }, returns: 'ref' },
  ExitMaintenanceMode_Task: { takes: { timeout: 'int' }, returns: 'ref' },
  ShutdownHost_Task: { takes: { force: 'boolean' }, returns: 'ref' },
  RebootHost_Task: { takes: { force: 'boolean' }, returns: 'ref' },
  QueryPerf: { takes: { querySpec: 'PerfQuerySpec*' }, returns: 'PerfEntityMetric*' },
} satisfies Readonly<Record<string, MethodShape>>;

export type Method = keyof typeof METHODS;
