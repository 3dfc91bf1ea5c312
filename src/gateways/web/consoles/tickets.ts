import { CONSOLE_TICKET_LIFE, CONSOLE_TICKETS } from '../../../kit/console-limits.js';
import { ArgoError } from '../../../kit/errors.js';
import { keyHash, newKey } from '../../../kit/random-key.js';
import type { ConsoleRequest } from '../messages.js';

/** What a ticket is for. */
export type TicketOrder = Required<ConsoleRequest>;

interface Kept {
  /** of whoever asked for it */
  readonly session: string;
  readonly order: TicketOrder;
  readonly ends: number;
}

/**
 * One-use tickets for consoles, since a WebSocket of a browser can say who it is in no better way: a URL would be kept in
 * logs. A ticket is kept as its hash, and is burnt by the first who shows it, whoever that is.
 */
export class Tickets {
  /** by their hash, the oldest first */
  readonly #kept = new Map<string, Kept>();

  /**
   * @param session whatever tells the asking session from all others
   * @throws ArgoError BUSY
   */
  issue(session: string, order: TicketOrder): { readonly ticket: string; readonly lives: number } {
    this.#forgetOld();
    if (this.#kept.size >= CONSOLE_TICKETS) throw new ArgoError('BUSY', 'too many consoles are being opened');
    const ticket = newKey();
    this.#kept.set(keyHash(ticket), { session, order: Object.freeze({ ...order }), ends: performance.now() + CONSOLE_TICKET_LIFE });
    return { ticket, lives: CONSOLE_TICKET_LIFE };
  }

  /** @returns what it is for; undefined where it is none, is too old, was used, or is somebody else's */
  redeem(ticket: string, session: string): TicketOrder | undefined {
    const hash = keyHash(ticket);
    const kept = this.#kept.get(hash);
    this.#kept.delete(hash);
    return kept !== undefined && kept.session === session && kept.ends > performance.now() ? kept.order : undefined;
  }

  /** A session has ended, and its tickets with it. */
  endSession(session: string): void {
    for (const [hash, kept] of this.#kept) if (kept.session === session) this.#kept.delete(hash);
  }

  #forgetOld(): void {
    for (const [hash, { ends }] of this.#kept) {
      if (ends > performance.now()) return;
      this.#kept.delete(hash);
    }
  }
}

const SUBPROTOCOL = /^ticket\.([\w-]{1,128})$/;

/**
 * The ticket among the subprotocols that a WebSocket offers (`binary, ticket.…`).
 * @returns undefined where there is not exactly one, or no `binary` beside it, which is what is to be chosen
 */
export function ticketOf(header: string | undefined): string | undefined {
  const offered = (header ?? '').split(',').map((one) => one.trim());
  const tickets = offered.flatMap((one) => SUBPROTOCOL.exec(one)?.[1] ?? []);
  return offered.includes('binary') && tickets.length === 1 ? tickets[0] : undefined;
}
