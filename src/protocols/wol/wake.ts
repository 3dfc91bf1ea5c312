import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Destination } from './destinations.js';

/** Packets for one order, since nobody confirms any, and between two of them, ms. */
export const PACKETS = 3;
export const GAP = 100;
/** Opening a socket and handing over one packet, which wait for nobody, ms. */
const SEND_TIMEOUT = 2000;

export interface WakeOptions {
  readonly signal: AbortSignal;
  readonly packets?: number;
  /** milliseconds */
  readonly gap?: number;
}

export interface WakeReport {
  /** packets that our system sent; nobody can tell whether any arrived */
  readonly sent: number;
  /** what went wrong, for people: one line for each destination */
  readonly failures: readonly string[];
}

/**
 * Sends a packet several times to each of several destinations. Rejects for no destination that
 * fails: the report says so.
 * @throws the signal's reason, where nothing was sent before it; else it just ends early
 */
export async function sendPackets(packet: Uint8Array, to: readonly Destination[], options: WakeOptions): Promise<WakeReport> {
  const { signal, packets = PACKETS, gap = GAP } = options;
  let sent = 0;
  const failures = new Map<string, string>();
  for (let round = 0; round < packets; round += 1) {
    if (round > 0) await pause(gap, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    await Promise.all(to.map(async (destination) => {
      try {
        await sendOne(packet, destination);
        sent += 1;
      } catch (error) {
        failures.set(destination.address, `${destination.address}: ${explain(error)}`);
      }
    }));
  }
  if (sent === 0) signal.throwIfAborted();
  return { sent, failures: [...failures.values()] };
}

async function sendOne(packet: Uint8Array, { address, port, from }: Destination): Promise<void> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const deadline = AbortSignal.timeout(SEND_TIMEOUT);
  try {
    socket.bind({ port: 0, ...(from !== undefined && { address: from }) });
    await once(socket, 'listening', { signal: deadline });
    if (!isIPv6(address)) socket.setBroadcast(true);
    await send(socket, packet, port, address);
  } finally {
    socket.on('error', () => undefined);
    socket.close();
  }
}

/** Called with addresses alone, so nothing is looked up here. */
const send = (socket: Socket, packet: Uint8Array, port: number, address: string): Promise<void> => new Promise((resolve, reject) => {
  socket.once('error', reject);
  socket.send(packet, port, address, (error) => (error ? reject(error) : resolve()));
});

const WORDS: Readonly<Record<string, string>> = {
  ENETUNREACH: 'no route to it',
  EHOSTUNREACH: 'no route to it',
  EADDRNOTAVAIL: 'the address to send from is not ours',
  EACCES: 'sending to it is not allowed',
  EPERM: 'a filter of this system forbids it',
};

function explain(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return WORDS[code] ?? code;
}
