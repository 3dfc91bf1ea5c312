import { afterFailures } from '../../kit/backoff.js';
import { ArgoError } from '../../kit/errors.js';
import { beforeSending, unlessAborted } from '../../kit/within.js';
import type { LibvirtClient, LibvirtEvent } from '../../protocols/libvirt/client.js';
import { ConnectionLostError, CrowdedError } from '../../protocols/libvirt/errors.js';
import { placeOf, type Domain } from '../../protocols/libvirt/types.js';
import type { DriverHost } from '../driver.js';
import { explain, type Effect } from './errors.js';
import { GuestConnections, type GuestPlace } from './guest-connections.js';

/** How one attempt to connect is made. */
export type Connect = (signal: AbortSignal, onEvent: (event: LibvirtEvent) => void) => Promise<LibvirtClient>;

export interface ConnectionParts {
  readonly connect: Connect;
  readonly host: DriverHost;
  readonly onEvent: (event: LibvirtEvent) => void;
  /** the connection is gone: events may be missed from now on */
  readonly onLost: () => void;
  /** whether further connections have the same guests */
  readonly areShared: boolean;
}

/** Milliseconds. */
export interface ConnectionPace {
  /** deadline of one attempt, from the socket to the events */
  readonly attempt: number;
  /** wait before the second attempt by timer; it doubles from there */
  readonly retryFirst: number;
  readonly retryMost: number;
  /** for this long after a failure, callers get its error without another attempt */
  readonly failureHolds: number;
}

export const CONNECTION_PACE: ConnectionPace = { attempt: 15_000, retryFirst: 500, retryMost: 60_000, failureHolds: 250 };

/** Waits vary by this share, so that many providers do not knock together. */
const JITTER = 0.3;

/**
 * The connection to one libvirt, kept up: made when it is first needed, made again by the next call
 * or by a timer after it was lost, never twice at a time.
 */
export class LibvirtConnection {
  readonly #connect: Connect;
  readonly #host: DriverHost;
  readonly #onEvent: (event: LibvirtEvent) => void;
  readonly #onLost: () => void;
  readonly #pace: ConnectionPace;
  #closing: ArgoError | undefined;
  /** ends the attempt that is under way */
  #stop: AbortController | undefined;
  #client: LibvirtClient | undefined;
  #attempt: Promise<LibvirtClient> | undefined;
  #failure: { readonly error: unknown; readonly at: number } | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #wasCutOff = false;
  readonly #guests: GuestConnections;

  constructor({ connect, host, onEvent, onLost, areShared }: ConnectionParts, pace: ConnectionPace = CONNECTION_PACE) {
    this.#connect = connect;
    this.#host = host;
    this.#onEvent = onEvent;
    this.#onLost = onLost;
    this.#pace = pace;
    this.#guests = new GuestConnections((signal) => connect(signal, () => undefined), host.log, areShared);
  }

  /**
   * Makes calls on the connection that wait for no guest, and makes the connection first where there is none. What
   * certainly was not sent, or only asks, is tried once more on a new connection.
   * @throws ArgoError, UNREACHABLE where it was not sent in time; else the signal's reason
   */
  use<T>(effect: Effect, signal: AbortSignal, work: (client: LibvirtClient) => Promise<T>): Promise<T> {
    return this.#twice(
      effect,
      signal,
      async (isLast) => this.#guests.takeForQuestion(await this.#get(signal), isLast, signal),
      work,
    );
  }

  /**
   * As {@link use}, for calls that may wait for a guest: on a connection where guests that hang leave a place.
   * @param isForced for what ends the guest, however it hangs
   */
  useFor<T>(
    domain: Domain,
    effect: Effect,
    signal: AbortSignal,
    work: (client: LibvirtClient) => Promise<T>,
    isForced = false,
  ): Promise<T> {
    return this.#useAt(placeOf(domain, isForced), effect, signal, work, isForced);
  }

  /** As {@link useFor}, for calls that may wait for something else than a guest, as for a store that does not answer. @param place what they are counted under */
  useAt<T>(place: string, effect: Effect, signal: AbortSignal, work: (client: LibvirtClient) => Promise<T>): Promise<T> {
    return this.#useAt(place, effect, signal, work, false);
  }

  #useAt<T>(
    place: string,
    effect: Effect,
    signal: AbortSignal,
    work: (client: LibvirtClient) => Promise<T>,
    isForced: boolean,
  ): Promise<T> {
    return this.#twice(effect, signal, async () => this.#guests.take(await this.#get(signal), place, isForced, signal), work);
  }

  async #twice<T>(
    effect: Effect,
    signal: AbortSignal,
    take: (isLast: boolean) => Promise<GuestPlace>,
    work: (client: LibvirtClient) => Promise<T>,
  ): Promise<T> {
    const once = async (isLast: boolean): Promise<T> => {
      const prepare = (): Promise<GuestPlace> => take(isLast);
      const place = await (effect === 'acts' ? beforeSending(signal, prepare) : prepare());
      try {
        return await work(place.client);
      } finally {
        place.free();
      }
    };
    try {
      return await once(false);
    } catch (error) {
      if (!isHarmless(error, effect) || signal.aborted) throw this.#explain(error, effect);
    }
    try {
      return await once(true);
    } catch (error) {
      throw this.#explain(error, effect);
    }
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closing = new ArgoError('UNREACHABLE', 'the provider is being closed');
    this.#stop?.abort(this.#closing);
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    await Promise.all([client?.close(signal).catch(() => undefined), this.#guests.close(signal)]);
    await this.#attempt?.catch(() => undefined);
  }

  #explain(error: unknown, effect: Effect): unknown {
    const explained = explain(error, effect);
    if (explained instanceof ArgoError && explained.phrase === 'NO SUCH INSTANCE') this.#host.relist();
    return explained;
  }

  async #get(signal: AbortSignal): Promise<LibvirtClient> {
    if (this.#closing) throw this.#closing;
    signal.throwIfAborted();
    if (this.#client) return this.#client;
    if (this.#failure && performance.now() - this.#failure.at < this.#pace.failureHolds) throw this.#failure.error;
    return unlessAborted(this.#connectOnce(), signal);
  }

  #connectOnce(): Promise<LibvirtClient> {
    clearTimeout(this.#timer);
    this.#attempt ??= this.#try().finally(() => {
      this.#attempt = undefined;
    });
    return this.#attempt;
  }

  async #try(): Promise<LibvirtClient> {
    const stop = new AbortController();
    this.#stop = stop;
    const late = new ArgoError('UNREACHABLE', `libvirt did not answer within ${this.#pace.attempt / 1000} s`);
    const deadline = setTimeout(() => stop.abort(late), this.#pace.attempt);
    let client: LibvirtClient | undefined;
    try {
      client = await this.#connect(stop.signal, this.#onEvent);
      await client.watch(stop.signal);
      stop.signal.throwIfAborted();
    } catch (error) {
      client?.destroy(new Error('it could not be used'));
      const failure: unknown = stop.signal.aborted ? stop.signal.reason : error;
      this.#failed(failure);
      throw failure;
    } finally {
      clearTimeout(deadline);
    }
    this.#connected(client);
    return client;
  }

  #connected(client: LibvirtClient): void {
    this.#client = client;
    this.#failure = undefined;
    this.#failures = 0;
    void client.closed.then((reason) => this.#lost(client, reason));
    this.#host.log('info', 'connected to libvirt');
    if (this.#wasCutOff) this.#host.relist();
    this.#wasCutOff = false;
  }

  #failed(error: unknown): void {
    if (this.#closing) return;
    this.#failure = { error, at: performance.now() };
    this.#wasCutOff = true;
    // A refusal stays one until somebody changes something; asking again and again locks accounts.
    const explained = explain(error, 'reads');
    if (explained instanceof ArgoError && explained.phrase === 'UNREACHABLE') this.#retryLater();
  }

  #lost(client: LibvirtClient, reason: Error): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#wasCutOff = true;
    this.#onLost();
    this.#host.log('warn', 'the connection to libvirt was lost', { reason: reason.message });
    this.#host.lost(reason.message);
    this.#retryLater();
  }

  #retryLater(): void {
    this.#failures += 1;
    const wait = afterFailures(this.#failures, this.#pace.retryFirst, this.#pace.retryMost);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#connectOnce().catch((error: unknown) => {
          this.#host.log('debug', 'libvirt cannot be reached yet', { error: String(explain(error, 'reads')) });
        });
      },
      wait * (1 + JITTER * (Math.random() * 2 - 1)),
    ).unref();
  }
}

function isHarmless(error: unknown, effect: Effect): boolean {
  return error instanceof CrowdedError || error instanceof ConnectionLostError && (effect === 'reads' || !error.sent);
}
