import type { MachineAbilities, ProviderAbilities } from '../drivers/management/contract.js';

/**
 * The management of hosts and machines beyond power: one row a piece of work, part of the table of operations. Which method
 * of which ability carries it out is said here and nowhere else.
 */

interface ProviderRow {
  readonly on: 'provider';
  readonly ability: keyof ProviderAbilities;
}

interface InstanceRow {
  readonly on: 'instance';
  readonly ability: keyof MachineAbilities;
}

type WorkRow = (ProviderRow | InstanceRow) & {
  /** of the ability */
  readonly method: string;
  readonly right: 'read' | 'configure' | 'host';
  /** whose grants hold it, where that is not what stands before the point in its name */
  readonly command?: string;
  /** what is typed for it, where that has another name: `hardware.show`; a grant of either is one of both */
  readonly typed?: string;
  /** written down before anything is done, and again when it has ended */
  readonly audit?: true;
  /** may take long: written down, so that it is known after a restart that nobody knows how it ended; can be followed and cancelled */
  readonly task?: true;
  /** whose turn it takes: two that take the same turn never run at once. `network`: of the host's network */
  readonly turn?: 'instance' | 'network';
  /** what it answers is about machines: who may read only some of them is told of these alone */
  readonly perMachine?: true;
  /** a reading that takes longer than others */
  readonly slow?: true;
  /** machines come or go by it: the provider is listed again */
  readonly lists?: true;
};

export const WORKS = {
  'image.list': { right: 'read', on: 'provider', ability: 'images', method: 'list' },
  'image.create': { right: 'configure', on: 'provider', ability: 'images', method: 'create', audit: true, task: true },
  'image.delete': { right: 'configure', on: 'provider', ability: 'images', method: 'delete', audit: true },
  'template.list': { right: 'read', on: 'provider', ability: 'templates', method: 'list' },
  'template.describe': { typed: 'template.show', right: 'read', on: 'provider', ability: 'templates', method: 'describe', slow: true },
  'template.deploy': { right: 'configure', on: 'provider', ability: 'templates', method: 'deploy', audit: true, task: true, lists: true },
  'template.delete': { right: 'configure', on: 'provider', ability: 'templates', method: 'delete', audit: true },
  'template.preview': { right: 'read', on: 'instance', ability: 'templating', method: 'preview' },
  'template.create': { right: 'configure', on: 'instance', ability: 'templating', method: 'create', audit: true, task: true, turn: 'instance' },
  'machine.limits': { right: 'read', on: 'provider', ability: 'machines', method: 'limits' },
  'machine.install': { right: 'configure', on: 'provider', ability: 'machines', method: 'install', audit: true, task: true, lists: true },
  'machine.delete': { right: 'configure', on: 'instance', ability: 'removal', method: 'delete', audit: true, turn: 'instance', lists: true },
  'machine.migrate': { typed: 'migrate', command: 'migrate', right: 'configure', on: 'instance', ability: 'migration', method: 'to', audit: true, task: true, turn: 'instance', lists: true },
  'hardware.read': { typed: 'hardware.show', right: 'read', on: 'instance', ability: 'hardware', method: 'read' },
  'hardware.change': { right: 'configure', on: 'instance', ability: 'hardware', method: 'change', audit: true, turn: 'instance' },
  'volume.groups': { right: 'read', on: 'provider', ability: 'volumes', method: 'groups' },
  'volume.list': { right: 'read', on: 'provider', ability: 'volumes', method: 'list' },
  'route.list': { right: 'read', on: 'provider', ability: 'network', method: 'routes' },
  'route.add': { right: 'host', on: 'provider', ability: 'network', method: 'addRoute', audit: true, turn: 'network' },
  'route.replace': { right: 'host', on: 'provider', ability: 'network', method: 'replaceRoute', audit: true, turn: 'network' },
  'route.delete': { right: 'host', on: 'provider', ability: 'network', method: 'deleteRoute', audit: true, turn: 'network' },
  'gateway.read': { typed: 'gateway.show', right: 'read', on: 'provider', ability: 'network', method: 'gateway' },
  'gateway.set': { right: 'host', on: 'provider', ability: 'network', method: 'setGateway', audit: true, turn: 'network' },
  'bridge.list': { right: 'read', on: 'provider', ability: 'network', method: 'bridges' },
  'bridge.add': { right: 'host', on: 'provider', ability: 'network', method: 'addBridge', audit: true, turn: 'network' },
  'bridge.change': { right: 'host', on: 'provider', ability: 'network', method: 'changeBridge', audit: true, turn: 'network' },
  'bridge.delete': { right: 'host', on: 'provider', ability: 'network', method: 'deleteBridge', audit: true, turn: 'network' },
  'bridge.add-member': { right: 'host', on: 'provider', ability: 'network', method: 'addMember', audit: true, turn: 'network' },
  'bridge.delete-member': { right: 'host', on: 'provider', ability: 'network', method: 'deleteMember', audit: true, turn: 'network' },
  'stats.host': { right: 'read', on: 'provider', ability: 'statistics', method: 'host', slow: true },
  'stats.guests': { right: 'read', on: 'provider', ability: 'statistics', method: 'guests', perMachine: true },
} as const satisfies Readonly<Record<string, WorkRow>>;

export type WorkName = keyof typeof WORKS;

/** Those that are tasks. */
export type TaskWorkName = { [Name in WorkName]: (typeof WORKS)[Name] extends { readonly task: true } ? Name : never }[WorkName];

type Row<Name extends WorkName> = (typeof WORKS)[Name];
type AbilityOf<R extends Row<WorkName>> = R extends { on: 'provider'; ability: infer A extends keyof ProviderAbilities } ? Required<ProviderAbilities>[A]
  : R extends { on: 'instance'; ability: infer A extends keyof MachineAbilities } ? Required<MachineAbilities>[A] : never;
type MethodOf<R extends Row<WorkName>> = R['method'] extends keyof AbilityOf<R> ? NonNullable<AbilityOf<R>[R['method']]> : never;

/** What the method that carries it out takes. */
export type DriverArgs<Name extends WorkName> = MethodOf<Row<Name>> extends (args: infer Args, call: never) => unknown ? Args : never;

/** What a caller says instead, where the gate finds out the rest: a way to another host is no caller's to name. */
interface CallerArgs {
  /** the provider to which it goes */
  readonly 'machine.migrate': { readonly to: string };
}

/** What a piece of work takes, and what comes of it. */
export type WorkArgs<Name extends WorkName> = Name extends keyof CallerArgs ? CallerArgs[Name] : DriverArgs<Name>;
export type WorkResult<Name extends WorkName> = MethodOf<Row<Name>> extends (...args: never) => Promise<infer Result> ? Result : never;

/** The row of a piece of work, with what only some rows have. */
export const workRow = (name: WorkName): WorkRow => WORKS[name];
