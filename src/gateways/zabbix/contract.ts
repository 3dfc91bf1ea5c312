import type { ConfiguredItem, ProxyConfiguration } from '../../protocols/zabbix/configuration.js';
import type { AvailabilityRow, DiscoveryRow, HistoryRow, RegistrationRow, RemoteCommand, TaskResult } from '../../protocols/zabbix/messages.js';
import type { DropReason } from './figures.js';

/**
 * The gateway's two halves. One speaks with servers and keeps what they are to get (speaking/); the other
 * looks at the machines (collecting/, items/, discovering/). Each knows the other by these interfaces alone.
 */

/** A value that was collected; its number is given by the buffer. */
export type NewValue = Omit<HistoryRow, 'id'>;

/** Where the collecting half puts what the server is to get. */
export interface Outgoing {
  /**
   * On the disk when it resolves. Values are checked against their items' types before.
   * @throws StateError `unavailable` where the disk is full, `too large` where they are too long for one go
   */
  values(values: readonly NewValue[]): Promise<void>;
  /** Some were collected, and are lost. */
  dropped(reason: DropReason, count: number): void;
  /** The latest of an interface replaces what waits of it. */
  availability(rows: readonly AvailabilityRow[]): void;
  discovery(rows: readonly DiscoveryRow[]): void;
  registration(rows: readonly RegistrationRow[]): void;
}

/** What the speaking half hands over. */
export interface Incoming {
  /** The server's wishes, after each change. Items are those of {@link Incoming.serves}. */
  configured(configuration: ProxyConfiguration): void;
  /** Whether items of such a key are ours to serve: others are answered by nobody here, and are not handed over. */
  serves(item: Pick<ConfiguredItem, 'type' | 'key'>): boolean;
  /** An operator wants an item's value at once. */
  checkNow(itemid: string): void;
  /**
   * Runs a command as the configured account; the caller has made sure that it is run once.
   * @param origin the server's address, for the audit
   * @returns what was verified, for people; never rejects
   */
  run(command: RemoteCommand, origin: string, signal: AbortSignal): Promise<Pick<TaskResult, 'status' | 'info'>>;
  /** Ends collecting. */
  close(): Promise<void>;
}
