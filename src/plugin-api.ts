/** What authors of plugins import: `import type { Plugin } from 'argo-server'`. */
export type { Body, Command, Context, OptionName, Options, Plugin, Target, Verb, VerbCommand } from './plugins/host/contract.js';
export type { Actor, WorkSubject } from './instances/actor.js';
export type { InstanceInfo, InstanceRef } from './instances/info.js';
export type { OperationName, PowerAction, Right } from './instances/operation-table.js';
export type { Call, Outcome, PowerCall, PowerOrder, ReadCall, WorkRequest } from './instances/order.js';
export type { WorkArgs, WorkName, WorkResult } from './instances/work-table.js';
export type { WorkTask } from './instances/work-tasks.js';
export type { PowerState } from './drivers/driver.js';
export { ArgoError, PHRASES, SettingsFault, type Phrase } from './kit/errors.js';

/** What authors of gateways import. */
export type { Accounts, Doors, Gateway, GatewayHost, GatewayModule, GatewayOptions, Listener, Member } from './gateways/contract.js';
export type { Change } from './listening/change.js';
export { HttpError, type HttpHandler, type HttpMount, type Visit } from './listening/http.js';
export { entranceEntries, entranceSettings, type EntranceOptions } from './listening/options.js';
