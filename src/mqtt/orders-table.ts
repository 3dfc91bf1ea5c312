import type { Order } from './machine.js';

/** What is written to `set`, by what it orders. */
export const PAYLOADS = { start: 'ON', stop: 'OFF', reboot: 'REBOOT', forceOff: 'FORCE_OFF' } as const;

export interface OrderRow {
  readonly order: Order;
  /** what the server is asked for, before the name */
  readonly command: string;
  /** behind it */
  readonly options: readonly string[];
}

/** By what is written to `set`. All wait until the machine itself says that it is so. */
export const ORDERS: ReadonlyMap<string, OrderRow> = new Map([
  [PAYLOADS.start, { order: 'start', command: 'start', options: [] }],
  [PAYLOADS.stop, { order: 'stop', command: 'stop', options: [] }],
  [PAYLOADS.reboot, { order: 'reboot', command: 'reboot', options: [] }],
  [PAYLOADS.forceOff, { order: 'force-off', command: 'stop', options: ['--force'] }],
]);

/** How an order ended. `accepted`: the machine's manager has it, and cannot tell when it is done. `replaced`: by a later one, before it was sent. */
export const OUTCOMES = ['done', 'accepted', 'failed', 'replaced'] as const;
export type Outcome = (typeof OUTCOMES)[number];
