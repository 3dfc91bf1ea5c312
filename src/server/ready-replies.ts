import { READY_REPLIES } from '../kit/limits.js';
import type { Principal } from '../instances/principal.js';
import type { CommandTable } from '../plugins/host/command-table.js';
import type { LineEnd } from './reply.js';

/** What a reply was made from, beside its line and its account. */
export interface Source {
  readonly table: CommandTable;
  /** of the instances and their states */
  readonly version: number;
}

interface Ready {
  readonly word: string;
  readonly text: string;
}

/** The replies of one account that are true for as long as their source is the same. */
interface Shelf extends Source {
  readonly byLine: Readonly<Record<LineEnd, Map<string, Ready>>>;
}

/**
 * Replies of repeatable commands as they went out, for the next one who sends the same line: what scripts
 * ask for all day then costs a third. An account is made anew by every reload, so nothing outlives its grants.
 */
export class ReadyReplies {
  #shelves = new WeakMap<Principal, Shelf>();
  #size = 0;

  find(principal: Principal, line: string, eol: LineEnd, { table, version }: Source): Ready | undefined {
    const shelf = this.#shelves.get(principal);
    if (shelf === undefined || shelf.version !== version || shelf.table !== table) return undefined;
    return shelf.byLine[eol].get(line);
  }

  /** @param source as it was before the command ran: a reply that took in a later change is not found again */
  keep(principal: Principal, line: string, eol: LineEnd, { table, version }: Source, reply: Ready): void {
    if (this.#size >= READY_REPLIES) this.#clear();
    this.#size += 1;
    let shelf = this.#shelves.get(principal);
    if (shelf === undefined || shelf.version !== version || shelf.table !== table) {
      shelf = { table, version, byLine: { '\n': new Map(), '\r\n': new Map() } };
      this.#shelves.set(principal, shelf);
    }
    // the line may be a part of a whole chunk, which must not be kept with it
    shelf.byLine[eol].set(Buffer.from(line).toString(), reply);
  }

  #clear(): void {
    this.#shelves = new WeakMap();
    this.#size = 0;
  }
}
