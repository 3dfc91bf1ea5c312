import { setMaxListeners } from 'node:events';
import { ArgoError } from '../../kit/errors.js';
import type { Lockout } from '../../kit/lockout.js';
import { CannotTell } from '../../protocols/ping/outcome.js';
import { probeTcp } from '../../protocols/ping/tcp.js';
import { WmiAccessError, WmiLoginRefusedError } from '../../protocols/wmi/errors.js';
import type { WmiConnection, WmiObject, WmiParameters, WmiPath } from '../../protocols/wmi/connection.js';
import { beforeSending } from '../../kit/within.js';
import { explain, type Effect } from './errors.js';

/** Until a service counts as silent when it is looked for before a login, ms. */
const APPROACH_TIMEOUT_MS = 10_000;

/** Where the service is and how to get in. */
export interface LinkParts {
  readonly address: string;
  readonly port: number;
  /** what should listen there */
  readonly service: 'WinRM' | 'DCOM';
  readonly guard: Lockout;
  /** Tells the credentials as they are now from others. @throws ArgoError */
  mark(): string;
  /** A connection with the credentials as they are now. @throws ArgoError, WmiAccessError */
  open(): Promise<WmiConnection>;
}

/**
 * A driver's way to one machine's WMI: opened when it is needed, opened anew with the credentials as
 * they are then after a refused login, and held back with them.
 */
export class WmiLink {
  #connection: Promise<WmiConnection> | undefined;
  /** the one that was used last with success */
  #lastGood: Promise<WmiConnection> | undefined;
  readonly #parts: LinkParts;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Several calls as one step, with errors in a user's words. @throws ArgoError, or the signal's reason */
  async use<T>(effect: Effect, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw explain(error, effect);
    }
  }

  /** @throws as {@link WmiConnection.get}; WmiLoginRefusedError while a refused login is held back */
  get(path: WmiPath, signal: AbortSignal): Promise<WmiObject> {
    return this.#call((connection) => connection.get(path, signal), signal);
  }

  /** @throws as {@link get} */
  query(namespace: string, wql: string, signal: AbortSignal): Promise<readonly WmiObject[]> {
    return this.#call((connection) => connection.query(namespace, wql, signal), signal);
  }

  /** @throws as {@link get}; ArgoError UNREACHABLE where the signal was aborted before it was its turn */
  invoke(path: WmiPath, method: string, parameters: WmiParameters, signal: AbortSignal): Promise<WmiObject> {
    return beforeSending(signal, (sending) => this.#call((connection) => {
      sending();
      return connection.invoke(path, method, parameters, signal);
    }, signal));
  }

  /** Whether anybody listens where the service should be. @throws the signal's reason */
  async isListening(signal: AbortSignal, timeout: number): Promise<boolean> {
    const { address, port } = this.#parts;
    const found = await probeTcp(address, port, { signal, timeout }).catch((error: unknown) => {
      if (error instanceof CannotTell) return undefined;
      throw error;
    });
    return found?.alive === true && found.open;
  }

  /** Ends the connection; the next call opens another. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.then((open) => open.close(), () => undefined);
  }

  async #call<T>(work: (connection: WmiConnection) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { guard } = this.#parts;
    signal.throwIfAborted();
    // One reading may ask dozens of questions at a time.
    setMaxListeners(0, signal);
    return guard.guardCall({ credentials: () => [this.#parts.mark()], approach: () => this.#approach(signal), work: () => this.#work(work) }, signal);
  }

  async #work<T>(work: (connection: WmiConnection) => Promise<T>): Promise<T> {
    const opening = this.#connection ??= this.#parts.open();
    let isOpen = false;
    try {
      const connection = await opening;
      isOpen = true;
      const result = await work(connection);
      this.#lastGood = opening;
      return result;
    } catch (error) {
      if ((!isOpen || error instanceof WmiAccessError) && this.#connection === opening) await this.close();
      // A service that was restarted has forgotten who we are. Whoever is not let in has ordered nothing.
      const isForgotten = error instanceof WmiAccessError && !(error instanceof WmiLoginRefusedError) && this.#lastGood === opening;
      if (!isForgotten) throw error;
      this.#lastGood = undefined;
      return this.#work(work);
    }
  }

  async #approach(signal: AbortSignal): Promise<void> {
    const { address, port, service } = this.#parts;
    const found = await probeTcp(address, port, { signal, timeout: APPROACH_TIMEOUT_MS }).catch((error: unknown) => {
      if (error instanceof CannotTell) throw new ArgoError('UNREACHABLE', error.message, { cause: error });
      throw error;
    });
    if (!found.alive) throw new ArgoError('UNREACHABLE', `WMI: ${found.reason}`);
    if (!found.open) throw new ArgoError('UNREACHABLE', `WMI: nobody listens on port ${port}; is ${service} set up there?`);
  }
}
