import { open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { isLoopback, plainAddress } from '../../../kit/addresses.js';
import { Places } from '../../../kit/places.js';
import { VMSERVERD_LOOKUPS, VMSERVERD_LOOKUPS_WAITING, VMSERVERD_SOCKETS, VMSERVERD_USERS } from '../../../kit/vmserverd-limits.js';
import { entriesIn } from '../host-accounts.js';

/**
 * Who on this host has made a connection: the owner of the other end's socket, as the kernel tells it in /proc/net/tcp and tcp6
 * (proc_pid_net(5)). Only of both ends on the loopback: whatever else comes to this host may have been forwarded by somebody.
 */

/** Both ends of a connection, as this server sees it. */
export interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

const LITTLE = endianness() === 'LE';

/** Four bytes as the kernel prints a word of them. */
const word = (bytes: readonly number[]): string => (LITTLE ? [...bytes].reverse() : bytes).map((byte) => byte.toString(16).padStart(2, '0')).join('').toUpperCase();

/** An end as the kernel prints it, in either table: `0100007F:D431`. @returns for IPv4 also as a socket of both families has it */
function forms(address: string, port: number): readonly string[] {
  const hex = port.toString(16).padStart(4, '0').toUpperCase();
  const one = plainAddress(address);
  const zeros = word([0, 0, 0, 0]);
  if (one === '::1') return [`${zeros.repeat(3)}${word([0, 0, 0, 1])}:${hex}`];
  const bytes = word(one.split('.').map(Number));
  return [`${bytes}:${hex}`, `${zeros.repeat(2)}${word([0, 0, 255, 255])}${bytes}:${hex}`];
}

/**
 * The number of the user whose socket is at the other end.
 * @param table as /proc/net/tcp has it
 * @returns undefined where nobody has it, or no longer: a socket that was closed has no inode, and 0 as its user, which would be root
 */
export function ownerIn(table: string, { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Ends): number | undefined {
  const [theirs, ours] = [forms(remoteAddress, remotePort), forms(localAddress, localPort)];
  for (const theirEnd of theirs) {
    for (let at = table.indexOf(` ${theirEnd} `); at >= 0; at = table.indexOf(` ${theirEnd} `, at + 1)) {
      const end = table.indexOf('\n', at);
      const [local, remote, , , , , uid = '', , inode = ''] = table.slice(at + 1, end < 0 ? undefined : end).split(/ +/);
      if (local !== theirEnd || remote === undefined || !ours.includes(remote)) continue;
      if (!/^[1-9]\d*$/.test(inode) || !/^\d{1,10}$/.test(uid)) return undefined;
      return Number(uid);
    }
  }
  return undefined;
}

/** Names of a user, of /etc/passwd. */
export const namesIn = (passwd: string, uid: number): readonly string[] => entriesIn(passwd).filter(([, id]) => id === uid).map(([name]) => name);

/** A file that has no size beforehand, up to a limit. @throws Error where it cannot be read or has more */
async function readUpTo(path: string, most: number): Promise<string> {
  const file = await open(path);
  try {
    const chunks: Buffer[] = [];
    for (let size = 0; ;) {
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.allocUnsafe(64 * 1024), position: null });
      if (bytesRead === 0) return Buffer.concat(chunks).toString('latin1');
      if ((size += bytesRead) > most) throw new Error(`${path} has more than ${most} bytes`);
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** Finds the accounts of local users. */
export class LocalUsers {
  readonly #places = new Places(VMSERVERD_LOOKUPS, VMSERVERD_LOOKUPS_WAITING);
  readonly #read: (path: string, most: number) => Promise<string>;

  /** @param read a file's text; others in tests */
  constructor(read: (path: string, most: number) => Promise<string> = readUpTo) {
    this.#read = read;
  }

  /**
   * The account that a table has for the user who made a connection.
   * @param users accounts by names or numbers of users
   * @returns undefined: none; never for a connection that did not come from this host itself
   * @throws Error where it cannot be found out, or too many wait for that: nobody is let in then
   */
  async accountFor(ends: Ends, users: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string | undefined> {
    if (process.platform !== 'linux' || Object.keys(users).length === 0 || !isLoopback(ends.remoteAddress) || !isLoopback(ends.localAddress)) return undefined;
    const leave = await this.#places.take(signal);
    try {
      const uid = ownerIn(await this.#read('/proc/net/tcp', VMSERVERD_SOCKETS), ends) ?? ownerIn(await this.#read('/proc/net/tcp6', VMSERVERD_SOCKETS), ends);
      if (uid === undefined) return undefined;
      if (Object.hasOwn(users, String(uid))) return users[String(uid)];
      const name = namesIn(await this.#read('/etc/passwd', VMSERVERD_USERS), uid).find((one) => Object.hasOwn(users, one));
      return name === undefined ? undefined : users[name];
    } finally {
      leave();
    }
  }
}
