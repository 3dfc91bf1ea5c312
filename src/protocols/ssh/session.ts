import type { Duplex } from 'node:stream';
import { runCommand, type CommandResult, type RunOptions } from './command.js';
import { SshConnection, type SshOptions, type SshShell, type TerminalSize } from './connection.js';
import { SshCommandError, SshConnectionError } from './errors.js';
import { HOLDS, type Holds } from '../../kit/lockout.js';
import { learnHostKey } from './host-certificates.js';
import { SshLogins } from './logins.js';
import { Places } from '../../kit/places.js';
import { isAbort, within, unlessAborted } from '../../kit/within.js';

/** Milliseconds where nothing else is said, and counts. */
export interface SessionLimits {
  /** from the first packet until the credentials are taken */
  readonly connect: number;
  /** without a command, after which the connection is closed */
  readonly idle: number;
  /** silence after which the host is asked whether it is still there before a command is sent */
  readonly trusted: number;
  /** how long it may take to answer that */
  readonly probe: number;
  /** commands at a time; sshd takes ten channels (MaxSessions) on a connection */
  readonly commands: number;
  /** further ones that act, so that none of them waits for readings */
  readonly spare: number;
  /** commands that wait for a place, of those that act and of those that read */
  readonly waiting: number;
  /** how long what acts waits for a host that takes no more commands on its connection, before it gets a connection of its own */
  readonly room: number;
  /** before refused credentials are tried again */
  readonly holds: Holds;
}

export const SESSION_LIMITS: SessionLimits = {
  connect: 8_000, idle: 120_000, trusted: 1_000, probe: 3_000, commands: 6, spare: 2, waiting: 256, room: 1_000, holds: HOLDS,
};

/** How often a command is tried on a host that takes no more at the time. */
const TRIES = 8;

/** Whether a command that was cut off may simply be given once more. */
export type Effect = 'reads' | 'acts';

/**
 * One host with a connection that is kept: made by the first command, made anew by the next one after
 * it was lost, closed when it has been idle. Never two attempts to connect at a time, and none for a
 * while with credentials that were refused.
 */
export class SshSession {
  readonly #options: () => SshOptions;
  readonly #limits: SessionLimits;
  readonly #via: SshSession | undefined;
  readonly #places: Places;
  readonly #logins: SshLogins;
  readonly #closing = new AbortController();
  #connection: SshConnection | undefined;
  /** connections that take no further commands */
  readonly #retired = new Set<SshConnection>();
  #attempt: Promise<SshConnection> | undefined;
  /** when the host was last known to answer */
  #heard = 0;
  /** the connection has not taken a command yet */
  #isNew = true;
  #users = 0;
  #idle: NodeJS.Timeout | undefined;

  /**
   * @param options read anew for each connection, so that a file that was put right is used; what it
   *   throws, the command throws
   * @param via the jump host through which it is reached
   */
  constructor(options: () => SshOptions, limits: Partial<SessionLimits> = {}, via?: SshSession) {
    this.#options = options;
    this.#limits = { ...SESSION_LIMITS, ...limits };
    this.#via = via;
    this.#places = new Places(this.#limits.commands, this.#limits.waiting, this.#limits.spare);
    this.#logins = new SshLogins(this.#limits.holds);
  }

  /** Whether there is a connection now. */
  get isOpen(): boolean {
    return this.#connection !== undefined;
  }

  /**
   * Runs a command in the user's shell; quote what comes from elsewhere.
   *
   * @param effect `reads`: a command whose connection was lost is run once more on a new one. `acts`:
   *   only where it certainly had not begun.
   * @throws HostKeyError, SshAuthenticationError, SshConnectionError, ArgoError BUSY: it was not sent.
   *   SshCommandError, which says whether it may have begun. The signal's reason, where it was aborted
   *   after the command was sent; before that, SshConnectionError.
   */
  async run(effect: Effect, command: string, options: RunOptions): Promise<CommandResult> {
    const { signal } = options;
    let sent = false;
    const send = (connection: SshConnection): Promise<CommandResult> => {
      signal.throwIfAborted();
      sent = true;
      return runCommand(connection, command, options);
    };
    try {
      for (let tried = 1; ; tried += 1) {
        const leave = await this.#place(effect, signal, tried);
        try {
          return await this.#using(signal, send, (error) => isHarmless(error, effect));
        } catch (error) {
          if (!isFull(error) || tried === TRIES || !this.#makeRoom()) throw error;
          sent = false;
        } finally {
          leave();
        }
      }
    } catch (error) {
      if (sent || !signal.aborted || error !== signal.reason) throw error;
      throw new SshConnectionError('the time was over before the command was sent', { cause: error });
    }
  }

  /**
   * Connects to a TCP port as the host sees it. The session counts as in use for as long as the
   * stream is open.
   * @throws as {@link run}
   */
  async openTcp(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
    const stream = await this.#using(signal, (connection) => connection.openTcp(host, port, signal), () => false);
    this.#enter();
    stream.once('close', () => this.#leave());
    return stream;
  }

  /** A login shell. The session counts as in use for as long as it is open. @throws as {@link run} */
  async openShell(size: TerminalSize, signal: AbortSignal): Promise<SshShell> {
    const shell = await this.#using(signal, (connection) => connection.openShell(size, signal), () => false);
    this.#enter();
    shell.stream.once('close', () => this.#leave());
    return shell;
  }

  /**
   * Gives the connection no further commands, as when the host is going down: the next command makes
   * a new one. What runs on it goes on for as long as the connection lasts, or the idle limit.
   */
  retire(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    const timer = setTimeout(() => connection.close(), this.#limits.idle).unref();
    this.#retired.add(connection);
    connection.onEnd(() => {
      clearTimeout(timer);
      this.#retired.delete(connection);
    });
  }

  /** Ends it for good; what is under way fails. */
  close(): void {
    this.#closing.abort(new SshConnectionError('the session is being closed'));
    this.#drop();
    this.#retired.forEach((connection) => connection.close());
  }

  /** A place for a command: first come, first served; those that act before those that read. */
  async #place(effect: Effect, signal: AbortSignal, tried: number): Promise<() => void> {
    if (effect === 'reads' || tried === 1) return this.#places.take(signal, effect === 'acts');
    try {
      return await within(this.#limits.room, [signal], (limit) => this.#places.take(limit, true));
    } catch (error) {
      if (!isAbort(error)) throw error;
      signal.throwIfAborted();
      this.#renew();
      return this.#places.take(signal, true);
    }
  }

  /**
   * The host takes no further command on the connection: those that run on it have to end first. Where
   * there are none, it is what we gave up that still runs there, and a new connection has room.
   * @returns false where nothing but the host's own will is in the way
   */
  #makeRoom(): boolean {
    const others = this.#places.taken - 1;
    if (others > 0) this.#places.narrow(others);
    else if (!this.#isNew) this.#renew();
    else return false;
    return true;
  }

  /** The next command gets a new connection; what runs on this one goes on. */
  #renew(): void {
    this.retire();
    this.#places.widen();
  }

  #drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    clearTimeout(this.#idle);
    connection?.close();
  }

  async #using<T>(signal: AbortSignal, work: (connection: SshConnection) => Promise<T>, again: (error: unknown) => boolean): Promise<T> {
    this.#enter();
    try {
      try {
        return await this.#once(signal, work);
      } catch (error) {
        if (signal.aborted || this.#closing.signal.aborted || !again(error)) throw error;
      }
      return await this.#once(signal, work);
    } finally {
      this.#leave();
    }
  }

  async #once<T>(signal: AbortSignal, work: (connection: SshConnection) => Promise<T>): Promise<T> {
    const connection = await this.#get(signal);
    try {
      const result = await work(connection);
      this.#heard = performance.now();
      this.#isNew = false;
      return result;
    } catch (error) {
      if (!isFull(error)) this.#isNew = false;
      throw error;
    }
  }

  async #get(signal: AbortSignal): Promise<SshConnection> {
    this.#closing.signal.throwIfAborted();
    signal.throwIfAborted();
    const kept = this.#connection;
    if (kept !== undefined) {
      if (performance.now() - this.#heard < this.#limits.trusted) return kept;
      // A host that went down without a word leaves a connection behind that only looks alive.
      if (await unlessAborted(kept.answers(this.#limits.probe), signal)) {
        this.#heard = performance.now();
        return kept;
      }
      if (this.#connection === kept) this.#drop();
    }
    this.#attempt ??= this.#connect().finally(() => { this.#attempt = undefined; });
    return unlessAborted(this.#attempt, signal);
  }

  async #connect(): Promise<SshConnection> {
    const signal = this.#closing.signal;
    const via = this.#via;
    const given = { ...this.#options(), timeout: this.#limits.connect };
    const options = via === undefined ? given : await learnHostKey(given, signal, (limit) => this.#through(via, given, limit));
    const stream = via === undefined ? undefined : await this.#through(via, options, signal);
    try {
      const way = { ...options, ...(stream === undefined ? {} : { stream }) };
      const connection = await this.#logins.guard(this.#where(), way, () => SshConnection.connect(way, signal), signal);
      this.#connection = connection;
      this.#isNew = true;
      this.#places.widen();
      this.#heard = performance.now();
      connection.onEnd(() => { if (this.#connection === connection) this.#drop(); });
      return connection;
    } catch (error) {
      stream?.destroy();
      throw error;
    }
  }

  /** Tells the host from all others. */
  #where(): string {
    const { host, port = 22 } = this.#options();
    return `${host}:${port}${this.#via === undefined ? '' : ` via ${this.#via.#where()}`}`;
  }

  async #through(via: SshSession, { host, port = 22 }: SshOptions, closing: AbortSignal): Promise<Duplex> {
    try {
      return await within(this.#limits.connect, [closing], (limit) => via.openTcp(host, port, limit));
    } catch (error) {
      closing.throwIfAborted();
      if (isAbort(error)) throw new SshConnectionError('the jump host does not connect to it in time', { cause: error });
      throw error;
    }
  }

  #enter(): void {
    this.#users += 1;
    clearTimeout(this.#idle);
  }

  #leave(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#drop(), this.#limits.idle).unref();
  }
}

const isFull = (error: unknown): boolean => error instanceof SshCommandError && error.kind === 'full';

function isHarmless(error: unknown, effect: Effect): boolean {
  return error instanceof SshCommandError && error.kind === 'lost' && (effect === 'reads' || !error.mayHaveStarted);
}
