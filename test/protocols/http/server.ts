import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Test } from 'tap';
import { TrustedAgent } from '../../../src/protocols/http/agents.js';
import { HttpClient } from '../../../src/protocols/http/client.js';
import { until } from '../../support/until.js';

/** A request as it came, to the byte. */
export interface Received {
  readonly line: string;
  /** by lower-case name */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** which connection it came over, from 1 */
  readonly connection: number;
}

/** Writes an answer, or does whatever else it likes with the socket. */
export type Behaviour = (socket: Socket, request: Received) => void;

export interface LittleServer {
  readonly origin: URL;
  readonly received: Received[];
  readonly connections: () => number;
  behave: Behaviour;
}

/** A server that takes requests of HTTP/1.1 with a Content-Length, or none, to the letter; any other byte is an error of the test's. */
export async function serve(t: Test, behave: Behaviour): Promise<LittleServer> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    const connection = ++count;
    let input = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk]);
      const taken = take(input, connection);
      if (taken === undefined) return;
      input = Buffer.from(input.subarray(taken.length));
      made.received.push(taken.request);
      made.behave(socket, taken.request);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const made: LittleServer = {
    origin: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), received: [], connections: () => sockets.size, behave,
  };
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return made;
}

function take(input: Buffer, connection: number): { request: Received; length: number } | undefined {
  const end = input.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...fields] = input.toString('latin1', 0, end).split('\r\n');
  if (!/^[A-Z]+ \/\S* HTTP\/1\.1$/.test(line)) throw new Error(`no request line: ${line}`);
  const headers = new Map(fields.map((field) => {
    const [, name, value] = /^([\w-]+): (.*)$/.exec(field) ?? [];
    if (name === undefined || value === undefined) throw new Error(`no header: ${field}`);
    return [name.toLowerCase(), value] as const;
  }));
  if (headers.size !== fields.length || headers.has('transfer-encoding')) throw new Error(`odd headers: ${fields.join('; ')}`);
  const length = end + 4 + Number(headers.get('content-length') ?? 0);
  if (input.length < length) return undefined;
  return { request: { line, headers, body: input.toString('utf8', end + 4, length), connection }, length };
}

/** A whole answer, as a server writes it that keeps the connection. */
export const reply = (status: number, body = '', headers: readonly string[] = []): string =>
  [`HTTP/1.1 ${status} Some words`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers, '', body].join('\r\n');

export function clientOf(t: Test, { origin }: LittleServer, maxSockets = 4): HttpClient & { readonly agent: TrustedAgent } {
  const agent = new TrustedAgent(origin, { kind: 'anyone' }, { maxSockets });
  const client = Object.assign(new HttpClient(origin, agent), { agent });
  t.teardown(() => client.close());
  return client;
}

const idle = (agent: TrustedAgent): number => Object.values(agent.freeSockets).flat().length;

/** When so many connections are kept. */
export const untilIdle = (agent: TrustedAgent, count: number): Promise<void> => until(() => idle(agent) === count, 5000, `${count} idle connections`);
