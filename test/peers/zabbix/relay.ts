import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { inflateSync } from 'node:zlib';

const HOST = '127.0.0.1';

/**
 * What the network does to what passes:
 * - `pass`: nothing;
 * - `drop-answers`: what is asked arrives, the connection is cut before the answer does;
 * - `stop`: connections stay, and nothing passes any more;
 * - `refuse`: cut at once.
 */
export type Weather = 'pass' | 'drop-answers' | 'stop' | 'refuse';

/** One message of Zabbix's protocol, as it passed. */
export interface Passed {
  /** from the one who connected, or to it */
  readonly from: 'client' | 'server';
  readonly message: Readonly<Record<string, unknown>>;
}

/** Reads what passes, without a word to either side. Frames as in https://www.zabbix.com/documentation/6.0/en/manual/appendix/protocols/header_datalen */
class Reader {
  #rest: Buffer = Buffer.alloc(0);

  constructor(readonly from: Passed['from'], readonly passed: (message: Passed) => void) {}

  push(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 13) {
      if (this.#rest.toString('latin1', 0, 4) !== 'ZBXD') return; // of TLS nothing can be read
      const end = 13 + this.#rest.readUInt32LE(5);
      if (this.#rest.length < end) return;
      const body = this.#rest.subarray(13, end);
      const text = (this.#rest[4]! & 2) === 0 ? body : inflateSync(body);
      if (text.length > 0) this.passed({ from: this.from, message: JSON.parse(text.toString()) as Passed['message'] });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

/** A network between two programs of this machine that can be cut. */
export class Relay {
  readonly port: number;
  /** connections that were cut by it before their answer */
  dropped = 0;
  /** all connections so far */
  connections = 0;
  /** pieces of answers that came, also those that got no further */
  answers = 0;
  /** told of each of them at once */
  onAnswer: (() => void) | undefined;
  /** is given each message that is read from either side, also where it gets no further; without it nothing is read */
  onMessage: ((passed: Passed) => void) | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #weather: Weather = 'pass';
  #toDrop = Infinity;

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
    this.#toDrop = answers;
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
    const [asked, answered] = (['client', 'server'] as const).map((from) => new Reader(from, (passed) => this.onMessage?.(passed))) as [Reader, Reader];
    client.on('data', (chunk: Buffer) => {
      if (this.onMessage) asked.push(chunk);
      this.#pass(chunk, client, server);
    });
    server.on('data', (chunk: Buffer) => {
      this.answers += 1;
      this.onAnswer?.();
      if (this.onMessage) answered.push(chunk);
      if (this.#weather !== 'drop-answers') return this.#pass(chunk, server, client);
      this.dropped += 1;
      this.#toDrop -= 1;
      if (this.#toDrop <= 0) this.#weather = 'pass';
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
