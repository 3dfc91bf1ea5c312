import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/** Linux's table of the machines in its own networks, for IPv4 (arp(7)). */
const TABLE = '/proc/net/arp';
/** How long those of a sweep are gathered before it is read for all of them, ms. */
const GATHERED_MS = 50;
/** A line for each neighbour: address, type, flags (0x0: nobody has told its card's address), … */
const UNANSWERED = /^(\S+)\s+\S+\s+0x0\s/gm;

/** What this machine knows of those in its own networks, for which no right is needed. */
export class Neighbours {
  /** a reading that has not begun yet */
  #next: Promise<ReadonlySet<string>> | undefined;
  readonly #table: string;

  constructor(table = TABLE) {
    this.#table = table;
  }

  /** Whether nobody answers the question who has this address (ARP). To be asked after a connection to it was tried in vain: only then it stands there. */
  async lacks(address: string): Promise<boolean> {
    this.#next ??= this.#read();
    return (await this.#next).has(address);
  }

  async #read(): Promise<ReadonlySet<string>> {
    await pause(GATHERED_MS);
    this.#next = undefined;
    // Where there is no such table, nothing is known.
    const table = await readFile(this.#table, 'latin1').catch(() => '');
    return new Set([...table.matchAll(UNANSWERED)].map(([, address = '']) => address));
  }
}
