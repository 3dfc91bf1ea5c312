import { createServer, createConnection, type Server, type Socket } from 'node:net';
import { MessageType, PacketReader, Program } from '../src/protocols/libvirt/packet.js';

/** A unix socket before libvirtd's, which counts the calls that go through it. */
export class CountingSocket {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #calls = 0;

  private constructor(readonly path: string, target: string) {
    this.#server = createServer((client) => {
      const libvirtd = createConnection(target);
      const reader = new PacketReader();
      for (const socket of [client, libvirtd]) {
        this.#open.add(socket);
        socket.on('error', () => undefined).once('close', () => {
          this.#open.delete(socket);
          client.destroy();
          libvirtd.destroy();
        });
      }
      client.on('data', (chunk: Buffer) => {
        libvirtd.write(chunk);
        for (const { program, type } of reader.push(chunk)) if (program === Program.REMOTE && type === MessageType.CALL) this.#calls += 1;
      });
      libvirtd.on('data', (chunk: Buffer) => { client.write(chunk); });
    });
  }

  static async start(path: string, target: string): Promise<CountingSocket> {
    const one = new CountingSocket(path, target);
    await new Promise<void>((resolve, reject) => { one.#server.once('error', reject).listen(path, resolve); });
    return one;
  }

  /** Calls since it was asked last. */
  taken(): number {
    const calls = this.#calls;
    this.#calls = 0;
    return calls;
  }

  close(): void {
    this.#server.close();
    this.#open.forEach((socket) => socket.destroy());
  }
}
