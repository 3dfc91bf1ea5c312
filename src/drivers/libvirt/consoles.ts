import { ArgoError, TAKES_IT_OVER } from '../../kit/errors.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { LibvirtError } from '../../protocols/libvirt/errors.js';
import type { Domain } from '../../protocols/libvirt/types.js';
import type { ConsoleCall, Consoles, ConsoleStream, MachineType } from '../driver.js';
import { openScreen } from '../screen.js';
import { parseDomainXml, type Screen } from './domain-xml.js';
import { explain } from './errors.js';
import type { Transport } from './transport.js';

/** Milliseconds for the good-bye to a libvirt whose console has ended. */
const CLOSE_MS = 2_000;

/**
 * The consoles of one domain. Each has a connection of its own: one that is read slowly holds up nothing but itself.
 */
export class LibvirtConsoles {
  readonly #domain: Domain;
  readonly #transport: Transport;
  /** what the domain may have; whether it has, only its description tells */
  readonly offered: Consoles;

  constructor(domain: Domain, { type, hasConsoles }: { readonly type: MachineType; readonly hasConsoles: boolean }, transport: Transport) {
    this.#domain = domain;
    this.#transport = transport;
    this.offered = !hasConsoles ? {} : {
      text: (call) => this.#openText(call),
      ...(type === 'vm' ? { vnc: (call: ConsoleCall) => this.#openScreen(call) } : {}),
    };
  }

  async #openText({ signal, force = false }: ConsoleCall): Promise<ConsoleStream> {
    return this.#on(signal, async (client) => {
      const domain = await client.lookup(this.#domain.uuid, signal);
      const stream = await client.openConsole(domain, force, signal).catch((error: unknown) => { throw asTaken(error); });
      stream.once('close', () => { client.close(AbortSignal.timeout(CLOSE_MS)).catch(() => undefined); });
      return { stream };
    });
  }

  async #openScreen({ signal }: ConsoleCall): Promise<ConsoleStream> {
    const screen = await this.#on(signal, async (client) => {
      const domain = await client.lookup(this.#domain.uuid, signal);
      const found = await readScreen(client, domain, signal);
      void client.close(AbortSignal.timeout(CLOSE_MS)).catch(() => undefined);
      if (found) return found;
      throw domain.id === -1 ? new ArgoError('WRONG STATE', `${domain.name} is off`) : new ArgoError('NOT SUPPORTED', `${domain.name} has no screen by VNC`);
    });
    const asOurs = (error: unknown): unknown => explain(error, 'reads');
    const stream = await this.#transport.reach(screen, signal).catch((error: unknown) => { throw asOurs(error); });
    return openScreen(stream, screen.password, asOurs, signal);
  }

  /** Does work on a connection that is ended where the work fails. */
  async #on<T>(signal: AbortSignal, work: (client: LibvirtClient) => Promise<T>): Promise<T> {
    let client: LibvirtClient | undefined;
    try {
      client = await this.#transport.connect(signal, () => undefined, true);
      return await work(client);
    } catch (error) {
      client?.destroy(new Error('no console could be opened'));
      throw explain(error, 'reads');
    }
  }
}

/** Passwords are told only to whom libvirt trusts with them; without one the screen is tried all the same. */
async function readScreen(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<Screen | undefined> {
  const xml = await client.xmlWithPasswords(domain, signal).catch((error: unknown) => {
    if (error instanceof LibvirtError) return client.xml(domain, signal);
    throw error;
  });
  return domain.id === -1 ? undefined : parseDomainXml(xml).screen;
}

/** libvirt has no number of its own for a console that somebody has (VIR_ERR_OPERATION_FAILED, in English). */
function asTaken(error: unknown): unknown {
  const isTaken = error instanceof LibvirtError && /active console session exists/i.test(error.message);
  return isTaken ? new ArgoError('BUSY', `somebody has its console open${TAKES_IT_OVER}`, { cause: error }) : error;
}
