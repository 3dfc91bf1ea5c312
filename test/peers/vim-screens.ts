import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';

/** The screens of a vSphere: a ticket for each look, and a WebSocket for each ticket. */
export class VimScreens {
  /** where a screen's bytes come from: the port of a VNC server of 127.0.0.1 */
  port = 0;
  /** what tickets say of where they are good, as XML; an ESXi alone says nothing of its name */
  place = '';
  /** that were given, whether or not they were used */
  readonly given: string[] = [];
  readonly #good = new Set<string>();
  readonly #web = new WebSocketServer({ noServer: true, perMessageDeflate: false, handleProtocols: () => 'binary' });

  /** A VirtualMachineTicket, as XML. */
  give(machine: string): string {
    const ticket = randomUUID();
    this.given.push(ticket);
    this.#good.add(ticket);
    return `<returnval><ticket>${ticket}</ticket><cfgFile>[ds] ${machine}/${machine}.vmx</cfgFile>${this.place}</returnval>`;
  }

  /** A screen behind a ticket, which is burnt. Whoever does not ask for `binary` is cut off, as others saw ESXi 7.0 do. */
  show(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const [, ticket = ''] = /^\/ticket\/([\w-]+)$/.exec(request.url ?? '') ?? [];
    socket.on('error', () => undefined);
    if (request.headers['sec-websocket-protocol'] !== 'binary') return void socket.destroy();
    if (!this.#good.delete(ticket)) return void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    this.#web.handleUpgrade(request, socket, head, (web) => {
      const server = connect(this.port, '127.0.0.1');
      const stream = createWebSocketStream(web);
      const end = (): void => { stream.destroy(); server.destroy(); };
      for (const one of [stream, server]) one.on('error', end).on('close', end);
      stream.pipe(server).pipe(stream);
    });
  }

  /** Forgets tickets, as time does. */
  expire(): void {
    this.#good.clear();
  }

  close(): void {
    this.#web.clients.forEach((client) => client.terminate());
  }
}
