import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const HOST = '127.0.0.1';

/**
 * What the network does to what passes:
 * - `pass`: nothing;
 * - `drop-answers`: what is asked arrives, the connection is cut before the answer does;
 * - `stop`: connections stay, and nothing passes any more;
 * - `refuse`: cut at once.
 */
export type Weather = 'pass' | 'drop-answers' | 'stop' | 'refuse';

/** A network between two programs of this machine that can be cut. */
export class Relay {
  readonly port: number;
  /** connections that were cut by it before their answer */
  dropped = 0;
  /** all connections so far */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #weather: Weather = 'pass';
  #answers = Infinity;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#relay(client, target));
  }

  static async start(target: number): Promise<Relay> {
    const server = createServer({ allowHalfOpen: true }).listen(0, HOST);
    await once(server, 'listening');
    return new Relay(server, target);
  }

  /** @param answers how many answers are dropped before all is well again; of `drop-answers` only */
  set(weather: Weather, answers = Infinity): void {
    this.#weather = weather;
    this.#answers = answers;
    if (weather === 'refuse') this.#cut();
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#cut();
    await once(this.#server, 'close').catch(() => undefined);
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #relay(client: Socket, target: number): void {
    this.connections += 1;
    if (this.#weather === 'refuse') return void client.destroy();
    const server = connect({ port: target, host: HOST, allowHalfOpen: true });
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      from.on('close', () => { this.#sockets.delete(from); to.destroy(); }).on('error', () => to.destroy()).on('end', () => to.end());
    }
    client.on('data', (chunk: Buffer) => this.#pass(chunk, client, server));
    server.on('data', (chunk: Buffer) => {
      if (this.#weather !== 'drop-answers') return this.#pass(chunk, server, client);
      this.dropped += 1;
      this.#answers -= 1;
      if (this.#answers <= 0) this.#weather = 'pass';
      client.destroy();
    });
  }

  #pass(chunk: Buffer, from: Socket, to: Socket): void {
    if (this.#weather === 'stop') return;
    if (to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  }
}
