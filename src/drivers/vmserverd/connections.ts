import { Lockout } from '../../kit/lockout.js';
import { Places } from '../../kit/places.js';
import { VmserverdClient, type ExecOptions } from '../../protocols/vmserverd/client.js';
import type { Credentials, VmserverdAddress } from '../../protocols/vmserverd/login.js';
import type { Message } from '../../protocols/vmserverd/messages.js';
import { ConnectionLostError } from '../../protocols/tls/errors.js';
import { refusal } from './errors.js';

/**
 * Connections at a time: a server answers what comes on one of them in its order, so that what takes long must not have those of
 * others behind it. Orders have some of their own: they may wait for a guest.
 */
const READINGS_AT_A_TIME = 4;
const ORDERS_AT_A_TIME = 8;
/** That wait for one; a further one is BUSY at once. */
const MOST_WAITING = 4096;
/** Connections that stay open while nobody needs them, of each kind. */
const KEPT = 2;

export interface ConnectionsParts {
  /** read anew for each login. @throws ArgoError */
  address(): VmserverdAddress;
  /** as {@link address} */
  credentials(): Credentials;
  /** for the lockout: who counts the failures of the account */
  readonly realm: string;
}

type Kind = 'readings' | 'orders';

interface Taken {
  readonly client: VmserverdClient;
  readonly wasIdle: boolean;
}

/** The connections of one provider, logged in when they are needed. */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #lockout: Lockout;
  readonly #places = { readings: new Places(READINGS_AT_A_TIME, MOST_WAITING), orders: new Places(ORDERS_AT_A_TIME, MOST_WAITING) };
  readonly #idle: Record<Kind, VmserverdClient[]> = { readings: [], orders: [] };
  readonly #open = new Set<VmserverdClient>();
  #isClosed = false;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
    this.#lockout = new Lockout(refusal, { realm: `vmserverd ${parts.realm}` });
  }

  /** One question. @throws as {@link VmserverdClient.call} and {@link logIn} */
  ask<In, Out>(operation: string, message: Message<In, Out>, args: In, signal: AbortSignal): Promise<Out> {
    return this.use('readings', signal, (held) => held.ask(operation, message, args));
  }

  /** Several requests on a connection of one's own. */
  async use<T>(kind: Kind, signal: AbortSignal, work: (held: HeldConnection) => Promise<T>): Promise<T> {
    const leave = await this.#places[kind].take(signal);
    const held = new HeldConnection((fresh) => this.#take(kind, signal, fresh), signal);
    try {
      return await work(held);
    } finally {
      this.#putBack(kind, held);
      leave();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#open.forEach((client) => client.close());
  }

  /** @param isFresh not one that has been idle */
  async #take(kind: Kind, signal: AbortSignal, isFresh: boolean): Promise<Taken> {
    if (this.#isClosed) throw new ConnectionLostError('the provider is closed', false);
    for (const client of this.#open) if (client.isClosed) this.#open.delete(client);
    for (let client = this.#idle[kind].pop(); client !== undefined; client = this.#idle[kind].pop()) {
      if (client.isClosed || isFresh) this.#drop(client);
      else return { client, wasIdle: true };
    }
    const client = await this.#lockout.guardAttempt({
      credentials: () => { const { user, password } = this.#parts.credentials(); return [user, password]; },
      work: () => VmserverdClient.connect(this.#parts.address(), this.#parts.credentials(), signal),
    }, signal);
    this.#open.add(client);
    if (this.#isClosed) this.#drop(client);
    return { client, wasIdle: false };
  }

  #putBack(kind: Kind, { client, isDirty }: HeldConnection): void {
    if (client === undefined) return;
    if (client.isClosed || isDirty || this.#isClosed || this.#idle[kind].length >= KEPT) this.#drop(client);
    else this.#idle[kind].push(client);
  }

  #drop(client: VmserverdClient): void {
    client.close();
    this.#open.delete(client);
  }
}

/** A connection that nobody else has at present. */
export class HeldConnection {
  readonly #take: (isFresh: boolean) => Promise<Taken>;
  readonly #signal: AbortSignal;
  #client: VmserverdClient | undefined;
  #wasIdle = false;
  #isDirty = false;

  /** @param take a connection; fresh: not one that has been idle */
  constructor(take: (isFresh: boolean) => Promise<Taken>, signal: AbortSignal) {
    this.#take = take;
    this.#signal = signal;
  }

  get client(): VmserverdClient | undefined {
    return this.#client;
  }

  /** whether an answer is still to come on it */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  /** A question, which is asked once more on a new connection where the first one had been idle and is lost: as servers end them. */
  async ask<In, Out>(operation: string, message: Message<In, Out>, args: In): Promise<Out> {
    await this.#connect(false);
    try {
      return await this.#call(operation, message, args);
    } catch (error) {
      if (!(error instanceof ConnectionLostError) || !this.#wasIdle) throw error;
      await this.#connect(true);
      return this.#call(operation, message, args);
    }
  }

  /** Something that changes a machine; on the connection on which a question has just been answered. Never sent twice. */
  async order<In, Out>(operation: string, message: Message<In, Out>, args: In, options: ExecOptions): Promise<Out> {
    await this.#connect(false);
    return this.#call(operation, message, args, options);
  }

  async #connect(isFresh: boolean): Promise<void> {
    if (this.#client !== undefined && !isFresh) return;
    const { client, wasIdle } = await this.#take(isFresh);
    this.#client = client;
    this.#wasIdle = wasIdle;
  }

  async #call<In, Out>(operation: string, message: Message<In, Out>, args: In, options?: ExecOptions): Promise<Out> {
    this.#isDirty = true;
    const client = this.#client!;
    try {
      const answer = await client.call(operation, message, args, this.#signal, options);
      this.#wasIdle = false;
      return answer;
    } finally {
      // with a signal that was aborted, the answer may be on its way
      this.#isDirty = this.#signal.aborted;
    }
  }
}
