import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { connectTrusted, type Trust } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';

/** How Node lets an agent say that a connection is there, or why not. */
type Connected = (error: Error | null, stream?: Duplex) => void;

/** An agent for one server, whose sockets are connected and trusted before a request sees them. */
export class TrustedAgent extends Agent {
  readonly #origin: URL;
  readonly #trust: Trust;
  readonly #address: string | undefined;

  /**
   * @param limits of its sockets, which are kept open between requests; `timeout` in ms without any traffic
   * @param address where the server is, for one with a zone (`fe80::1%eth0`), which a URL cannot hold
   */
  constructor(origin: URL, trust: Trust, limits: Pick<AgentOptions, 'maxSockets' | 'maxFreeSockets' | 'timeout'>, address?: string) {
    super({ keepAlive: true, ...limits });
    this.#origin = origin;
    this.#trust = trust;
    this.#address = address;
  }

  override createConnection(_options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    const done = callback as Connected;
    // In a turn of its own: the first request and the first handshake of a process take some ms each.
    turn().then(() => connectTrusted(this.#origin, this.#trust, this.#address)).then((socket) => done(null, socket), (error: Error) => done(error));
  }

  /** Where one idle connection is broken, so are the others, most likely: the next request gets a new one. */
  dropIdle(): void {
    for (const sockets of Object.values(this.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}

/** An agent with one socket, which it was given: for logins that are good for one connection only. */
export class OneSocketAgent extends Agent {
  #used = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(_options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void): Duplex | undefined {
    if (!this.#used) {
      this.#used = true;
      return this.#socket;
    }
    const done = callback as Connected;
    process.nextTick(() => done(new ConnectionLostError('the connection was cut off', false)));
    return undefined;
  }
}
