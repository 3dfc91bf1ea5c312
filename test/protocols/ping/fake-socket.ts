import type { OnPacket, PacketSocket } from '../../../src/protocols/ping/socket.js';

export interface Sent {
  readonly packet: Uint8Array;
  readonly address: string;
}

/** A socket in memory: tells what it is given to send, and hands over what the test says. */
export class FakeSocket implements PacketSocket {
  readonly sent: Sent[] = [];
  /** what the kernel holds while nobody reads */
  readonly held: [Uint8Array, string][] = [];
  reading = false;
  closed = false;
  onSend: (sent: Sent) => void = () => undefined;
  readonly #onPacket: OnPacket;
  private constructor(onPacket: OnPacket, readonly lose: (error: Error) => void) {
    this.#onPacket = onPacket;
  }

  /** @returns what an echo session opens, and the sockets that it has opened */
  static opener(prepare: (socket: FakeSocket) => void = () => undefined) {
    const sockets: FakeSocket[] = [];
    const open = (onPacket: OnPacket, onLost: (error: Error) => void): Promise<PacketSocket> => {
      const socket = new FakeSocket(onPacket, onLost);
      prepare(socket);
      sockets.push(socket);
      return Promise.resolve(socket);
    };
    return { open, sockets };
  }

  send(packet: Uint8Array, address: string): void {
    const sent = { packet, address };
    this.onSend(sent);
    this.sent.push(sent);
  }

  /** A packet arrives. */
  receive(packet: Uint8Array, source: string): void {
    if (this.reading) this.#onPacket(packet, source);
    else this.held.push([packet, source]);
  }

  drain(): void {
    for (const [packet, source] of this.held.splice(0)) this.#onPacket(packet, source);
  }

  pause(): void { this.reading = false; }
  resume(): void { this.reading = true; }
  close(): void { this.closed = true; }

  /** How many requests went to an address. */
  requests(address: string): number {
    return this.sent.filter((sent) => sent.address === address).length;
  }
}
