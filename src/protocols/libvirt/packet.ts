import { ProtocolError } from './errors.js';

/**
 * libvirt's packets (src/rpc/virnetprotocol.x): four bytes of length, which count themselves, six
 * words of header, the body.
 */

export const HEADER_BYTES = 28;

/** VIR_NET_MESSAGE_MAX and its length word, bytes. What says it is longer is not libvirt. */
export const MAX_PACKET_BYTES = 33_554_432 + 4;

export const Program = {
  REMOTE: 0x2000_8086,
  /** src/rpc/virkeepaliveprotocol.x; "keep" in ASCII */
  KEEPALIVE: 0x6b65_6570,
} as const;

/** Both programs are at version 1, and have been since 2008. */
const VERSION = 1;

export const MessageType = { CALL: 0, REPLY: 1, MESSAGE: 2, STREAM: 3 } as const;

export const Status = { OK: 0, ERROR: 1, CONTINUE: 2 } as const;

export interface Packet {
  readonly program: number;
  readonly procedure: number;
  readonly type: number;
  readonly serial: number;
  readonly status: number;
  readonly body: Buffer;
}

/** @returns one buffer, so that a packet leaves in one write */
export function encodePacket(packet: Packet): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + packet.body.length);
  const words = [bytes.length, packet.program, VERSION, packet.procedure, packet.type, packet.serial, packet.status];
  words.forEach((word, index) => bytes.writeUInt32BE(word, index * 4));
  packet.body.copy(bytes, HEADER_BYTES);
  return bytes;
}

function decodePacket(bytes: Buffer): Packet {
  const version = bytes.readUInt32BE(8);
  if (version !== VERSION) throw new ProtocolError(`a packet of version ${version}`);
  return {
    program: bytes.readUInt32BE(4),
    procedure: bytes.readUInt32BE(12),
    type: bytes.readUInt32BE(16),
    serial: bytes.readUInt32BE(20),
    status: bytes.readUInt32BE(24),
    body: bytes.subarray(HEADER_BYTES),
  };
}

/** Cuts a stream of bytes into packets, however it was cut before. */
export class PacketReader {
  #chunks: Buffer[] = [];
  #held = 0;
  /** bytes that must be there before it is worth looking again */
  #wanted = 4;

  /**
   * @returns the packets that are complete now
   * @throws ProtocolError on a length that no packet can have; the stream is of no use after that
   */
  push(chunk: Buffer): Packet[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#wanted) return [];
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#held);
    const packets: Packet[] = [];
    this.#wanted = 4;
    while (bytes.length >= 4) {
      const length = bytes.readUInt32BE(0);
      if (length < HEADER_BYTES || length > MAX_PACKET_BYTES) throw new ProtocolError(`a packet of ${length} bytes`);
      if (bytes.length < length) {
        this.#wanted = length;
        break;
      }
      packets.push(decodePacket(bytes.subarray(0, length)));
      bytes = bytes.subarray(length);
    }
    this.#chunks = bytes.length > 0 ? [bytes] : [];
    this.#held = bytes.length;
    return packets;
  }
}
