import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { AddressInfo } from 'node:net';

/** What the double answers a line with: text that is sent as it is, or whatever the function does. */
export type Answer = string | ((socket: Socket, line: string) => void);

/** A server that answers lines from a table, to show the client what a real one seldom does. */
export class LineServer {
  /** the lines that came, in order, over all connections */
  readonly received: string[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  readonly #server: Server;
  readonly #answers: Record<string, Answer>;

  private constructor(server: Server, answers: Record<string, Answer>) {
    this.#server = server;
    this.#answers = answers;
  }

  /** @param answers by the whole line, else by its first word; what is missing is an unknown command */
  static async start(
    answers: Record<string, Answer>,
    options: { tls?: TlsOptions; host?: string; onConnect?: (socket: Socket) => void } = {},
  ): Promise<LineServer> {
    const serve = (socket: Socket): void => {
      double.#serve(socket);
      options.onConnect?.(socket);
    };
    const server = options.tls ? createTlsServer(options.tls, serve) : createServer(serve);
    const double: LineServer = new LineServer(server, answers);
    server.on('tlsClientError', () => {
      /* a client that does not trust us */
    });
    await new Promise<void>((resolve) => {
      server.listen(0, options.host ?? '127.0.0.1', resolve);
    });
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Ends listening and all connections. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('error', () => {
      /* the client may leave at any time */
    });
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#answer(socket, line);
    });
  }

  #answer(socket: Socket, line: string): void {
    this.received.push(line);
    const answer
      = this.#answers[line] ?? this.#answers[line.split(' ', 1)[0] ?? ''] ?? '400 UNKNOWN COMMAND: help lists the commands\n';
    if (typeof answer === 'string') socket.write(answer);
    else answer(socket, line);
  }
}

export const OK = '200 OK\n300 DONE\n';

/** A reply with these body lines. */
export const body = (...lines: string[]): string => `200 OK\n${lines.map((line) => `${line}\n`).join('')}300 DONE\n`;
