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

/** Text of this kind is the same bytes in Latin-1, which is written faster. */
export const ASCII = /^[\u0000-\u007f]*$/;

/** A reply as it went out. */
export interface Ready {
  readonly line: string;
  readonly eol: LineEnd;
  /** of the command */
  readonly word: string;
  readonly text: string;
  readonly isAscii: boolean;
}

/** The replies of one account that are true for as long as their source is the same. */
interface AccountReplies extends Source {
  readonly byLine: Readonly<Record<LineEnd, Map<string, Ready>>>;
  /** what was found last: whoever sends many lines at a time mostly sends the same, and to compare is a fifth cheaper than to look up */
  last: Ready | undefined;
}

/**
 * Replies of repeatable commands as they went out, for the next one who sends the same line: what scripts
 * ask for all day then costs a third. An account is made anew by every reload, so nothing outlives its grants.
 */
export class ReadyReplies {
  #replies = new WeakMap<Principal, AccountReplies>();
  #size = 0;

  find(principal: Principal, line: string, eol: LineEnd, source: Source): Ready | undefined {
    const replies = this.#current(principal, source);
    if (replies === undefined) return undefined;
    const { last } = replies;
    if (last !== undefined && last.line === line && last.eol === eol) return last;
    const ready = replies.byLine[eol].get(line);
    if (ready !== undefined) replies.last = ready;
    return ready;
  }

  /** @param source as it was before the command ran: a reply that took in a later change is not found again */
  keep(principal: Principal, line: string, eol: LineEnd, source: Source, reply: Pick<Ready, 'word' | 'text'>): void {
    if (this.#size >= READY_REPLIES) this.#clear();
    this.#size += 1;
    let replies = this.#current(principal, source);
    if (replies === undefined) {
      replies = { ...source, byLine: { '\n': new Map(), '\r\n': new Map() }, last: undefined };
      this.#replies.set(principal, replies);
    }
    // the line may be a part of a whole chunk, which must not be kept with it
    const own = Buffer.from(line).toString();
    replies.byLine[eol].set(own, { ...reply, line: own, eol, isAscii: ASCII.test(reply.text) });
  }

  /** What there is of an account, where it is of this source. */
  #current(principal: Principal, { table, version }: Source): AccountReplies | undefined {
    const replies = this.#replies.get(principal);
    return replies?.version === version && replies.table === table ? replies : undefined;
  }

  #clear(): void {
    this.#replies = new WeakMap();
    this.#size = 0;
  }
}
