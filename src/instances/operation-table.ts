import { WORKS } from './work-table.js';

/**
 * What can be done with machines and their providers: one row an operation. Grants, the audit, `help`,
 * the documents and every gateway read this table.
 */

/** What a grant may name beside single words. `shell` and `console-view` are in no set: they are words of their own. */
export const RIGHTS = ['read', 'power', 'console', 'console-view', 'configure', 'host', 'plan', 'shell'] as const;

/** The right that an operation needs. */
export type Right = (typeof RIGHTS)[number];

interface OperationRow {
  /** the command of the line protocol whose verb it is */
  readonly command?: string;
  readonly right: Right;
  /** on an instance, or on a provider as a whole */
  readonly on: 'instance' | 'provider';
  /** written down before anything is sent, and again when it has ended */
  readonly audit?: true;
  /** whose turn it takes: two that take the same turn never run at once */
  readonly turn?: 'instance' | 'network';
  /** an answer that is not older than the caller allows may be given to several */
  readonly cacheable?: true;
}

export const OPERATIONS = {
  start: { right: 'power', on: 'instance', audit: true, turn: 'instance' },
  stop: { right: 'power', on: 'instance', audit: true, turn: 'instance' },
  reboot: { right: 'power', on: 'instance', audit: true, turn: 'instance' },
  pause: { right: 'power', on: 'instance', audit: true, turn: 'instance' },
  unpause: { right: 'power', on: 'instance', audit: true, turn: 'instance' },
  suspend: { right: 'power', on: 'instance', audit: true, turn: 'instance' },
  resume: { right: 'power', on: 'instance', audit: true, turn: 'instance' },
  status: { right: 'read', on: 'instance', cacheable: true },
  info: { right: 'read', on: 'instance', cacheable: true },
  ip: { right: 'read', on: 'instance', cacheable: true },
  mac: { right: 'read', on: 'instance', cacheable: true },
  uptime: { right: 'read', on: 'instance', cacheable: true },
  rx: { right: 'read', on: 'instance', cacheable: true },
  tx: { right: 'read', on: 'instance', cacheable: true },
  load: { right: 'read', on: 'instance', cacheable: true },
  disk: { right: 'read', on: 'instance', cacheable: true },
  autostart: { right: 'configure', on: 'instance', audit: true, turn: 'instance' },
  'console.open': { right: 'console', on: 'instance', audit: true },
  'console.view': { right: 'console-view', on: 'instance', audit: true },
  'console.shell': { right: 'shell', on: 'instance', audit: true },
  dmesg: { right: 'read', on: 'provider' },
  'tag.list': { command: 'tag', right: 'read', on: 'instance' },
  'tag.add': { command: 'tag', right: 'configure', on: 'instance', audit: true },
  'tag.remove': { command: 'tag', right: 'configure', on: 'instance', audit: true },
  'tag.rename': { command: 'tag', right: 'configure', on: 'instance', audit: true },
  'tag.list-host': { command: 'tag', right: 'read', on: 'provider' },
  'tag.add-host': { command: 'tag', right: 'configure', on: 'provider', audit: true },
  'tag.remove-host': { command: 'tag', right: 'configure', on: 'provider', audit: true },
  'tag.rename-host': { command: 'tag', right: 'configure', on: 'provider', audit: true },
  'tag.type': { command: 'tag', right: 'host', on: 'provider', audit: true },
  ...WORKS,
} as const satisfies Readonly<Record<string, OperationRow>>;

export type OperationName = keyof typeof OPERATIONS;

/** Names of the operations that are a power action. */
export type PowerAction = { [Name in OperationName]: (typeof OPERATIONS)[Name]['right'] extends 'power' ? Name : never }[OperationName];

export const POWER_ACTIONS = (Object.keys(OPERATIONS) as OperationName[]).filter((name): name is PowerAction => OPERATIONS[name].right === 'power');
