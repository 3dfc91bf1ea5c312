import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * Between a client and its servers: passes bytes on, or from one moment to the next none any more, with no end of the
 * connection. So is a line that is cut somewhere on the way, or a firewall that has forgotten it.
 */
export class DroppingProxy {
  readonly #server: Server;
  readonly #targets: readonly Target[];
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #next = 0;

  private constructor(targets: readonly Target[], server: Server) {
    this.#targets = targets;
    this.#server = server;
    server.on('connection', (client: Socket) => this.#join(client));
  }

  /** @param targets to which connections go in turn, `host:port` */
  static async start(targets: readonly string[]): Promise<DroppingProxy> {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new DroppingProxy(targets.map((target) => ({ host: '127.0.0.1', port: Number(target.slice(target.lastIndexOf(':') + 1)) })), server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** What was sent meanwhile arrives, as TCP sends it again. */
  heal(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    const target = this.#targets[this.#next++ % this.#targets.length]!;
    const upstream = connect({ ...target, allowHalfOpen: false });
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      this.#sockets.add(from);
      from.on('data', (chunk) => { to.write(chunk); });
      from.on('error', () => undefined);
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#isCut) from.pause();
      else from.resume();
    }
  }
}
