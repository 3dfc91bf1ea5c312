import { readFile } from 'node:fs/promises';
import { endianness, networkInterfaces } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

/** Linux's table of the machines in its own networks, for IPv4 (arp(7)). */
const TABLE = '/proc/net/arp';
/** How long those of a sweep are gathered before it is read for all of them, ms. */
const GATHERED_MS = 50;
/** A line for each neighbour: address, type, flags, the address of its card, … */
const LINE = /^(\d\S*)\s+\S+\s+(0x[\da-f]+)\s+(\S+)/gm;
const UNANSWERED = '0x0';
/** Our routes: interface, network, gateway (four bytes in hexadecimal, as this machine has them in memory), … */
const ROUTES = '/proc/net/route';
const GATEWAY = /^\S+\t[\dA-F]{8}\t([\dA-F]{8})\t/gm;

/** Who has an address: some `card`; `nobody`; or the card of a `router` of ours, which may answer for others (proxy ARP). */
export type Holder = 'card' | 'router' | 'nobody';

/** What this machine knows of those in its own networks, for which no right is needed. */
export class Neighbours {
  /** a reading that has not begun yet */
  #next: Promise<ReadonlyMap<string, Holder>> | undefined;
  readonly #table: string;
  readonly #routes: string;

  constructor(table = TABLE, routes = ROUTES) {
    this.#table = table;
    this.#routes = routes;
  }

  /** Who answers the question who has this address (ARP); undefined where that is not known. To be asked after a connection to it was tried: only then it stands there. */
  async holderOf(address: string): Promise<Holder | undefined> {
    if (isOwn(address)) return 'card';
    this.#next ??= this.#read();
    return (await this.#next).get(address);
  }

  async #read(): Promise<ReadonlyMap<string, Holder>> {
    await pause(GATHERED_MS);
    this.#next = undefined;
    // Where there are no such tables, nothing is known.
    const [table, routes] = await Promise.all(
      [this.#table, this.#routes].map((file) => readFile(file, 'latin1').catch(() => '')),
    );
    const cards = new Map(
      [...(table ?? '').matchAll(LINE)].map(([, address = '', flags, card = '']) => [
        address,
        flags === UNANSWERED ? undefined : card,
      ]),
    );
    const gateways = [...(routes ?? '').matchAll(GATEWAY)].map(([, bytes = '']) => addressOf(bytes));
    const isRouters = (address: string, card: string): boolean =>
      gateways.some((gateway) => gateway !== address && cards.get(gateway) === card);
    return new Map(
      [...cards].map(([address, card]) => [
        address,
        card === undefined ? 'nobody' : isRouters(address, card) ? 'router' : 'card',
      ]),
    );
  }
}

const addressOf = (bytes: string): string => {
  const inOrder = Buffer.from(bytes, 'hex');
  return (endianness() === 'LE' ? inOrder.reverse() : inOrder).join('.');
};

/** Of this machine itself. */
function isOwn(address: string): boolean {
  return address.startsWith('127.') || Object.values(networkInterfaces()).flat().some((own) => own?.address === address);
}
