import type { WebSocket } from 'ws';
import type { Actor } from '../../../instances/actor.js';
import { noConsole } from '../../../instances/console-order.js';
import { ArgoError } from '../../../kit/errors.js';
import { serveConsole } from '../../shared/serve-console.js';
import type { ConsoleMessage, ConsoleRequest, ConsoleTicket } from '../messages.js';
import { Tickets, ticketOf, type TicketOrder } from './tickets.js';

const KINDS: readonly unknown[] = ['vnc', 'text', 'shell'];

/** The consoles of one web gateway: a ticket by the API, and for it a console by a WebSocket. */
export class WebConsoles {
  readonly #tickets = new Tickets();

  /**
   * `POST /api/consoles`.
   * @param session tells the asking session from all others; not the cookie itself
   * @param body what was sent
   * @throws ArgoError
   */
  async order(actor: Actor, session: string, body: unknown): Promise<ConsoleTicket> {
    const order = readOrder(body);
    const instance = await one(actor, order);
    const operation = order.kind === 'shell' ? 'console.shell' : 'console.open';
    if (!actor.may(operation, instance) && !(order.viewOnly && actor.may('console.view', instance))) throw new ArgoError('NOT ALLOWED');
    if (!instance.capabilities.includes(`console ${order.kind}`)) throw noConsole(instance, order.kind);
    const others = actor.consoleHolders(instance).map(({ account, since }) => ({ account, since: since.getTime() }));
    // by its full name, so that it is the same one when the ticket comes
    return { ...this.#tickets.issue(session, { ...order, instance: instance.fullName }), others };
  }

  /** What the ticket among a WebSocket's subprotocols is for; it is burnt. @throws ArgoError NOT ALLOWED, for which the upgrade is refused */
  redeem(subprotocols: string | undefined, session: string): TicketOrder {
    const ticket = ticketOf(subprotocols);
    const order = ticket === undefined ? undefined : this.#tickets.redeem(ticket, session);
    if (order === undefined) throw new ArgoError('NOT ALLOWED', 'the ticket is not valid, or no longer');
    return order;
  }

  /**
   * Opens what a ticket was for and carries it, until either side ends. Never rejects.
   * @param actor whose signal, and whose request, lasts as long as the WebSocket
   * @param ended aborted when the session ends
   */
  serve(web: WebSocket, actor: Actor, order: TicketOrder, ended: AbortSignal): Promise<void> {
    const { kind, viewOnly, force } = order;
    return serveConsole(web, {
      ended,
      open: async (signal) => actor.console(await one(actor, order), { kind, viewOnly, force }, { signal }),
      // RFB has words of its own for it
      opened: () => { if (kind !== 'vnc') web.send(JSON.stringify({ open: true } satisfies ConsoleMessage)); },
    });
  }

  /** A session has ended. */
  endSession(session: string): void {
    this.#tickets.endSession(session);
  }
}

async function one(actor: Actor, { instance }: ConsoleRequest) {
  const { instances: [found] } = await actor.select([{ text: instance, quoted: true }]);
  if (found === undefined) throw new ArgoError('NO SUCH INSTANCE', instance);
  return found;
}

function readOrder(body: unknown): TicketOrder {
  const { instance, kind, viewOnly = false, force = false } = (typeof body === 'object' && body !== null ? body : {}) as Partial<Record<keyof ConsoleRequest, unknown>>;
  if (typeof instance !== 'string' || !KINDS.includes(kind) || typeof viewOnly !== 'boolean' || (viewOnly && kind !== 'vnc') || typeof force !== 'boolean') {
    throw new ArgoError('BAD REQUEST', 'instance, kind ("vnc", "text" or "shell"), for "vnc" viewOnly, and force are expected');
  }
  return { instance, kind: kind as TicketOrder['kind'], viewOnly, force };
}
