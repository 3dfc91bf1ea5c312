import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Test } from 'tap';
import { WebSocketServer } from 'ws';
import { WebConsoles } from '../../../src/gateways/web/consoles/consoles.js';
import type { ConsoleTicket } from '../../../src/gateways/web/messages.js';
import type { Actor } from '../../../src/instances/actor.js';
import type { ConsoleOrder } from '../../../src/instances/console-order.js';
import { ConsolePipe } from '../../../src/instances/console-pipe.js';
import type { ConsoleHolder, OpenConsole } from '../../../src/instances/consoles.js';
import { RfbViewer } from '../../../src/instances/rfb-viewer.js';

/** Consoles behind the double of the server: the gateway's own tickets and relay, in front of whatever a test has opened. */
export class ConsoleSide {
  readonly #consoles = new WebConsoles();
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, handleProtocols: () => 'binary' });
  readonly #actor: () => Actor;
  /** the tickets that were given out */
  readonly tickets: string[] = [];
  /** ended when the session does */
  session = new AbortController();

  constructor(actor: () => Actor) {
    this.#actor = actor;
  }

  /** @throws ArgoError */
  async order(session: string, body: unknown): Promise<ConsoleTicket> {
    const answer = await this.#consoles.order(this.#actor(), session, body);
    this.tickets.push(answer.ticket);
    return answer;
  }

  /** @returns whether it was let in */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, session: string): boolean {
    try {
      const order = this.#consoles.redeem(request.headers['sec-websocket-protocol'], session);
      this.#sockets.handleUpgrade(request, socket, head, (web) => void this.#consoles.serve(web, this.#actor(), order, this.session.signal));
      return true;
    } catch {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
      return false;
    }
  }

  get open(): number {
    return this.#sockets.clients.size;
  }

  /** As where the process is gone. */
  terminate(): void {
    for (const web of this.#sockets.clients) web.terminate();
  }
}

type Opener = (order: ConsoleOrder) => Duplex;

/** An actor of which only consoles are wanted: the gate's own pipe around what a test opens. */
export function actorWith(
  open: Opener,
  parts: { readonly may?: (operation: string) => boolean; readonly others?: () => readonly ConsoleHolder[] } = {},
): Actor {
  const { may = () => true, others = () => [] } = parts;
  return {
    may,
    consoleHolders: others,
    select: ([word]: readonly { readonly text: string }[]) =>
      Promise.resolve({
        instances: [{ name: word!.text, fullName: word!.text, capabilities: ['console vnc', 'console text', 'console shell'] }],
        isSingle: true,
      }),
    console: (_on: unknown, order: ConsoleOrder): Promise<OpenConsole> =>
      new Promise((resolve) => {
        const stream = new ConsolePipe(
          open(order),
          order.kind === 'vnc' ? new RfbViewer(order.viewOnly === true) : undefined,
          () => undefined,
        );
        stream.on('error', () => undefined);
        resolve({ stream, others: others(), auditId: 1, resize: () => undefined });
      }),
  } as unknown as Actor;
}

/** Ends with the test whatever is open. */
export function sideFor(t: Test, actor: () => Actor): ConsoleSide {
  const side = new ConsoleSide(actor);
  t.teardown(() => side.terminate());
  return side;
}
