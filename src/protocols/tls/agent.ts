import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { connectTrusted, type Trust } from './connect.js';

/** An agent for one server, whose sockets are connected and trusted before a request sees them. */
export class TrustedAgent extends Agent {
  readonly #origin: URL;
  readonly #trust: Trust;

  /** @param limits of its sockets; they are kept open between requests */
  constructor(origin: URL, trust: Trust, limits: Pick<AgentOptions, 'maxSockets' | 'maxFreeSockets' | 'timeout'>) {
    super({ keepAlive: true, ...limits });
    this.#origin = origin;
    this.#trust = trust;
  }

  override createConnection(_options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    const done = callback as (error: Error | null, stream?: Duplex) => void;
    // In a turn of its own: the first request and the first handshake of a process take some ms each.
    turn().then(() => connectTrusted(this.#origin, this.#trust)).then((socket) => done(null, socket), (error: Error) => done(error));
  }
}
