import { Duplex, PassThrough } from 'node:stream';
import { encodePacket, MessageType, PacketReader, Program, Status, type Packet } from '../../../src/protocols/libvirt/packet.js';
import { XdrWriter } from '../../../src/protocols/libvirt/xdr.js';

/** The two ends of a wire. */
export function wire(): [Duplex, Duplex] {
  const there = new PassThrough();
  const back = new PassThrough();
  const near = Duplex.from({ readable: back, writable: there });
  const far = Duplex.from({ readable: there, writable: back });
  near.on('error', () => undefined);
  far.on('error', () => undefined);
  return [near, far];
}

/** The far side of a conversation, as the test wants it to be. */
export class FakeLibvirtd {
  readonly calls: Packet[] = [];
  readonly keepalives: number[] = [];
  readonly #reader = new PacketReader();
  readonly #onCall: (call: Packet, self: FakeLibvirtd) => void;

  /** @param onCall is given each call, to answer it with {@link reply} or {@link fail}, or not */
  constructor(readonly stream: Duplex, onCall: (call: Packet, self: FakeLibvirtd) => void = () => undefined) {
    this.#onCall = onCall;
    stream.on('data', (chunk: Buffer) => {
      for (const packet of this.#reader.push(chunk)) this.#take(packet);
    });
  }

  #take(packet: Packet): void {
    if (packet.program === Program.KEEPALIVE) {
      this.keepalives.push(packet.procedure);
      return;
    }
    this.calls.push(packet);
    this.#onCall(packet, this);
  }

  send(packet: Partial<Packet>): void {
    this.stream.write(encodePacket({
      program: Program.REMOTE, procedure: 0, type: MessageType.REPLY, serial: 0, status: Status.OK, body: Buffer.alloc(0), ...packet,
    }));
  }

  reply(call: Packet, body: Buffer = Buffer.alloc(0)): void {
    this.send({ procedure: call.procedure, serial: call.serial, body });
  }

  fail(call: Packet, code: number, message: string): void {
    this.send({ procedure: call.procedure, serial: call.serial, status: Status.ERROR, body: errorBody(code, message) });
  }

  event(procedure: number, body: Buffer): void {
    this.send({ procedure, type: MessageType.MESSAGE, body });
  }

  ping(): void {
    this.send({ program: Program.KEEPALIVE, procedure: 1, type: MessageType.MESSAGE });
  }
}

/** `struct remote_error`, whole. */
export function errorBody(code: number, message: string): Buffer {
  const none = 0;
  return new XdrWriter().int(code).int(10).optionalString(message).int(2)
    .int(none).optionalString(message).optionalString(null).optionalString(null).int(-1).int(-1).int(none).bytes();
}
