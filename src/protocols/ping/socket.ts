import type { RawSocket, Session } from 'net-ping';
import type { Family } from './address.js';
import { wantedTypes } from './echo.js';
import { CannotTell } from './outcome.js';

/**
 * The raw ICMP socket, as net-ping opens it. Of net-ping nothing else is used: it takes any packet
 * with its 16-bit id and sequence for a reply, whoever sent it; it takes a redirect for a failure;
 * it cannot read the errors of ICMPv6; and raw-socket's queue sends nothing while there is something
 * to read, so that a flood of others' packets would keep ours from ever leaving.
 */

/** Packets read in one go before others get their turn. */
const READ_AT_ONCE = 64;
/** The largest packet that is looked at, in bytes; what is longer is cut, and none of ours. */
const BUFFER = 2048;
/** Bytes in the kernel for packets that wait to be read: some 1,400 of them. */
const RECEIVE_BUFFER = 1024 * 1024;

/** Socket levels and options of Linux that raw-socket has no names for: <linux/icmp.h>, <linux/icmpv6.h>, <asm/socket.h>. */
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const SOL_ICMPV6 = 58;
const ICMPV6_FILTER = 1;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;

/** What an echo session needs of a socket; packets come by the callback that it was opened with. */
export interface PacketSocket {
  /** @throws SendFailure */
  send(packet: Uint8Array, address: string): void;
  /** Reads what has come meanwhile, without waiting. */
  drain(): void;
  /** Stops to read, so that the socket keeps no process alive. */
  pause(): void;
  resume(): void;
  close(): void;
}

export type OnPacket = (packet: Uint8Array, source: string) => void;

/** A packet that our own system did not send. */
export class SendFailure extends Error {
  /** @param passing whether it may go well a moment later: the kernel's buffers are full */
  constructor(message: string, readonly passing: boolean) {
    super(message);
  }
}

/** raw-socket's errors have no codes: these are the words of strerror(3) for EPERM, EACCES, EAGAIN and ENOBUFS. */
const NO_RIGHT = new Set(['Operation not permitted', 'Permission denied']);
const PASSING = new Set(['Resource temporarily unavailable', 'No buffer space available']);

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Opens a raw socket for one family.
 * @param onLost the socket failed and has been closed
 * @throws CannotTell `no right` where it may not be opened, or where net-ping is not installed
 */
export async function openSocket(family: Family, onPacket: OnPacket, onLost: (error: Error) => void): Promise<PacketSocket> {
  const { default: netPing } = await import('net-ping').catch((error: unknown) => {
    throw new CannotTell('no right', 'the package net-ping is not installed', { cause: error });
  });
  try {
    const session = netPing.createSession({ networkProtocol: family === 4 ? netPing.NetworkProtocol.IPv4 : netPing.NetworkProtocol.IPv6 });
    return new RawPacketSocket(session, family, onPacket, onLost);
  } catch (error) {
    const words = wordsOf(error);
    if (NO_RIGHT.has(words)) throw new CannotTell('no right', 'ICMP needs the right CAP_NET_RAW', { cause: error });
    throw new CannotTell('not sent', `no ICMP socket for IPv${family}: ${words}`, { cause: error });
  }
}

class RawPacketSocket implements PacketSocket {
  readonly #buffer = new Uint8Array(BUFFER);
  /** Kept, because a session that is asked for its socket after its end opens another one. */
  readonly #socket: RawSocket;
  #closed = false;
  readonly #session: Session;
  readonly #onPacket: OnPacket;

  constructor(session: Session, family: Family, onPacket: OnPacket, onLost: (error: Error) => void) {
    this.#session = session;
    this.#onPacket = onPacket;
    const socket = session.getSocket();
    this.#socket = socket;
    this.pause();
    session.on('error', (error) => {
      if (this.#closed) return;
      this.close();
      onLost(error);
    });
    dropUnwanted(socket, family);
    enlarge(socket);
    socket.wrap.removeAllListeners('recvReady');
    socket.wrap.on('recvReady', () => this.drain());
  }

  send(packet: Uint8Array, address: string): void {
    if (this.#closed) throw new SendFailure('the socket is closed', true);
    try {
      this.#socket.wrap.send(packet, 0, packet.length, address, () => undefined);
    } catch (error) {
      const words = wordsOf(error);
      throw new SendFailure(words, PASSING.has(words));
    }
  }

  drain(): void {
    for (let count = 0; count < READ_AT_ONCE && !this.#closed; count += 1) {
      try {
        this.#socket.wrap.recv(this.#buffer, this.#received);
      } catch {
        return; // Nothing is there. What really fails comes as an error of the session.
      }
    }
  }

  pause(): void {
    if (!this.#closed) this.#socket.pauseRecv();
  }

  resume(): void {
    if (!this.#closed) this.#socket.resumeRecv();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session.close();
  }

  readonly #received = (buffer: Uint8Array, bytes: number, source: string): void => {
    this.#onPacket(buffer.subarray(0, bytes), source);
  };
}

/** Lets the kernel drop the types that no session wants, first of all the echo requests to ourselves. */
function dropUnwanted(socket: RawSocket, family: Family): void {
  const mask = new Uint32Array(family === 4 ? 1 : 8).fill(0xffff_ffff);
  for (const type of wantedTypes(family)) mask[type >> 5] = (mask[type >> 5] ?? 0) & ~(1 << (type & 31));
  const bytes = Buffer.from(mask.buffer);
  if (family === 4) socket.setOption(SOL_RAW, ICMP_FILTER, bytes, bytes.length);
  else socket.setOption(SOL_ICMPV6, ICMPV6_FILTER, bytes, bytes.length);
}

function enlarge(socket: RawSocket): void {
  for (const option of [SO_RCVBUFFORCE, SO_RCVBUF]) {
    try {
      return socket.setOption(SOL_SOCKET, option, RECEIVE_BUFFER);
    } catch {
      // Forcing it needs CAP_NET_ADMIN; without, the kernel gives what it allows everyone.
    }
  }
}
