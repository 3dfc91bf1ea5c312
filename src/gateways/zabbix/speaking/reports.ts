import { ZABBIX_ROWS_KEPT, ZABBIX_ROWS_SENT } from '../../../kit/zabbix-gateway-limits.js';
import type { AvailabilityRow, DiscoveryRow, RegistrationRow } from '../../../protocols/zabbix/messages.js';

/** What of a {@link Reports} is in one message. */
export interface ReportsPart {
  readonly availability: readonly AvailabilityRow[];
  readonly discovery: readonly DiscoveryRow[];
  readonly registration: readonly RegistrationRow[];
}

export const NO_REPORTS: ReportsPart = { availability: [], discovery: [], registration: [] };

/**
 * What waits for the server beside values. It is in memory alone: each row is what a look at the machines found, and is
 * found again at the next one.
 */
export class Reports {
  readonly #availability = new Map<number, AvailabilityRow>();
  readonly #discovery: DiscoveryRow[] = [];
  readonly #registration: RegistrationRow[] = [];

  /** The latest of an interface counts. */
  availability(rows: readonly AvailabilityRow[]): void {
    for (const row of rows) this.#availability.set(row.interfaceid, row);
  }

  discovery(rows: readonly DiscoveryRow[]): void {
    add(this.#discovery, rows);
  }

  registration(rows: readonly RegistrationRow[]): void {
    add(this.#registration, rows);
  }

  /** What goes in the next message; it stays until {@link done} is told. */
  next(): ReportsPart {
    return { availability: [...this.#availability.values()], discovery: this.#wholeAddresses(), registration: this.#registration.slice(0, ZABBIX_ROWS_SENT) };
  }

  /** The server has these. */
  done({ availability, discovery, registration }: ReportsPart): void {
    for (const row of availability) if (this.#availability.get(row.interfaceid) === row) this.#availability.delete(row.interfaceid);
    remove(this.#discovery, discovery);
    remove(this.#registration, registration);
  }

  /** Interfaces that are gone. */
  keep(has: (interfaceid: number) => boolean): void {
    for (const interfaceid of this.#availability.keys()) if (!has(interfaceid)) this.#availability.delete(interfaceid);
  }

  /** The rows of an address stay together: those that end without one whose `dcheck` is null are no report of it. */
  #wholeAddresses(): DiscoveryRow[] {
    const rows = this.#discovery.slice(0, ZABBIX_ROWS_SENT);
    if (rows.length === this.#discovery.length) return rows;
    const end = rows.findLastIndex(({ dcheck }) => dcheck === null);
    return end === -1 ? rows : rows.slice(0, end + 1);
  }
}

function add<T>(all: T[], rows: readonly T[]): void {
  all.push(...rows);
  if (all.length > ZABBIX_ROWS_KEPT) all.splice(0, all.length - ZABBIX_ROWS_KEPT);
}

function remove<T>(all: T[], rows: readonly T[]): void {
  const gone = new Set(rows);
  const left = all.filter((row) => !gone.has(row));
  all.splice(0, all.length, ...left);
}
