import { Places } from '../../kit/places.js';
import { onAbort, underAll, unlessAborted } from '../../kit/within.js';
import { connectTrusted } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import type { WmiObject, WmiParameters, WmiPath } from '../wmi/connection.js';
import { WmiAccessError, WmiAnswerError, WmiLoginRefusedError } from '../wmi/errors.js';
import { BoundLoginError, isRefusedAnyway, mayUnbind, rememberRefused } from './login.js';
import { Channel } from './channel.js';
import { DEFAULT_LIMITS, type WsmanConnection, type WsmanIdentity, type WsmanLimits, type WsmanOptions } from './options.js';
import { isIdentity, readPage, writeEnumerate, writeGet, writeIdentify, writeInvoke, writePull, writeRelease, type Addressee, type Envelope } from './soap.js';
import { readObject } from './answers.js';
import { child, type XmlElement } from './xml.js';

/** How long an answer that nobody waits for any more may still take, so that the connection lives on, ms. */
const ABANDONED_MS = 1_000;

/** Pages without objects, one after the other, of a query that has more. */
const EMPTY_PAGES = 3;

/** Whether a request may go out again where the connection broke before anything was answered. */
type Effect = 'reads' | 'acts';

/** WMI over WS-Management (DSP0226, [MS-WSMV]): one socket, requests in turn, logged in when first needed. */
export class WsmanSession implements WsmanConnection {
  readonly #options: WsmanOptions;
  readonly #limits: WsmanLimits;
  readonly #addressee: Addressee;
  readonly #turns: Places;
  #channel: Channel | undefined;
  /** a password that was refused is not sent again: others need another session */
  #refusal: WmiLoginRefusedError | undefined;
  /** the service takes our login, and not its binding */
  #isUnbound = false;
  readonly #closed = new AbortController();

  /** @throws WmiAccessError where the options would send a password, or all that is said, in the clear without leave */
  constructor(options: WsmanOptions) {
    const { origin, login, allowUnencrypted = false } = options;
    if (origin.protocol !== 'https:' && login.kind === 'basic' && !allowUnencrypted) {
      throw new WmiAccessError(`over plain HTTP, ${login.kind} would leave everything readable on the way`);
    }
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#addressee = { url: origin.href, timeout: this.#limits.requestTimeout };
    this.#turns = new Places(1, this.#limits.queue);
  }

  identify(signal: AbortSignal): Promise<WsmanIdentity> {
    return unlessAborted(this.#identify(signal), signal);
  }

  get(path: WmiPath, signal: AbortSignal): Promise<WmiObject> {
    return unlessAborted(this.#get(path, signal), signal);
  }

  query(namespace: string, wql: string, signal: AbortSignal): Promise<readonly WmiObject[]> {
    return unlessAborted(this.#query(namespace, wql, signal), signal);
  }

  invoke(path: WmiPath, method: string, parameters: WmiParameters, signal: AbortSignal): Promise<WmiObject> {
    return unlessAborted(this.#invoke(path, method, parameters, signal), signal);
  }

  close(): Promise<void> {
    const end = new ConnectionLostError('the session is being closed', false);
    this.#closed.abort(end);
    this.#channel?.close();
    return Promise.resolve();
  }

  async #identify(signal: AbortSignal): Promise<WsmanIdentity> {
    const answer = await this.#ask(writeIdentify(), 'reads', signal);
    if (answer.name !== 'IdentifyResponse' || !isIdentity(answer.namespace)) throw new WmiAnswerError('it does not identify itself as WS-Management');
    const part = (name: string): string => child(answer, answer.namespace, name)?.text.trim() ?? '';
    return { protocolVersion: part('ProtocolVersion'), productVendor: part('ProductVendor'), productVersion: part('ProductVersion') };
  }

  async #get(path: WmiPath, signal: AbortSignal): Promise<WmiObject> {
    return readObject(await this.#ask(writeGet(this.#addressee, path), 'reads', signal));
  }

  async #invoke(path: WmiPath, method: string, parameters: WmiParameters, signal: AbortSignal): Promise<WmiObject> {
    const answer = await this.#ask(writeInvoke(this.#addressee, path, method, parameters), 'acts', signal);
    if (answer.name !== `${method}_OUTPUT`) throw new WmiAnswerError('it answers a method with something else');
    return readObject(answer);
  }

  /** Goes on behind the back of a caller who gave up, to let the service forget what it holds for us. */
  async #query(namespace: string, wql: string, signal: AbortSignal): Promise<WmiObject[]> {
    const objects: WmiObject[] = [];
    let context: string | undefined;
    let empty = 0;
    try {
      do {
        // What a Pull has taken is gone at the service, so only the first request may go out twice.
        const answer = context === undefined
          ? await this.#ask(writeEnumerate(this.#addressee, namespace, wql), 'reads', signal)
          : await this.#ask(writePull(this.#addressee, namespace, context), 'acts', signal);
        const page = readPage(answer, context);
        context = page.context;
        for (const item of page.items) objects.push(readObject(item));
        signal.throwIfAborted();
        if (objects.length > this.#limits.objects) throw new WmiAnswerError(`it finds more than ${this.#limits.objects} objects`);
        // Some services begin with the context alone; one that keeps giving nothing would never end.
        empty = page.items.length === 0 ? empty + 1 : 0;
        if (empty > EMPTY_PAGES && context !== undefined) throw new WmiAnswerError('it says there is more, and gives nothing');
      } while (context !== undefined);
      return objects;
    } catch (error) {
      if (context !== undefined) void this.#release(namespace, context);
      throw error;
    }
  }

  /** Where the connection is gone, so is the reason to log in again: enumerations expire by themselves. */
  async #release(namespace: string, context: string): Promise<void> {
    const leave = await this.#turns.take(this.#closed.signal).catch(() => undefined);
    if (!leave) return;
    const envelope = writeRelease(this.#addressee, namespace, context);
    await this.#channel?.ask(envelope, AbortSignal.timeout(ABANDONED_MS)).catch(() => undefined);
    leave();
  }

  async #ask(envelope: Envelope, effect: Effect, signal: AbortSignal): Promise<XmlElement> {
    const leave = await this.#turns.take(signal);
    const patience = outlasting(signal);
    try {
      return await this.#attempt(envelope, effect, signal, patience.signal);
    } finally {
      patience.end();
      leave();
    }
  }

  /** @param later what is under way may last until then; nothing more is sent once the caller's own signal is aborted */
  async #attempt(envelope: Envelope, effect: Effect, signal: AbortSignal, later: AbortSignal): Promise<XmlElement> {
    const kept = this.#channel;
    if (kept?.isOpen) {
      try {
        return await this.#askAt(kept, envelope, later);
      } catch (error) {
        if (!mayRepeat(error, kept, effect)) throw error;
      }
      signal.throwIfAborted();
    }
    const channel = await this.#connect(later);
    signal.throwIfAborted();
    return this.#askAt(channel, envelope, later);
  }

  async #askAt(channel: Channel, envelope: Envelope, signal: AbortSignal): Promise<XmlElement> {
    try {
      return await channel.ask(envelope, signal);
    } catch (error) {
      if (error instanceof WmiLoginRefusedError) this.#refusal = error;
      throw error;
    }
  }

  async #connect(signal: AbortSignal): Promise<Channel> {
    this.#closed.signal.throwIfAborted();
    if (this.#refusal !== undefined) throw this.#refusal;
    this.#channel?.close();
    try {
      return await this.#open(signal);
    } catch (error) {
      if (error instanceof WmiLoginRefusedError) this.#refusal = error;
      throw error;
    }
  }

  /** Where a login is refused that was bound to the channel, another without a binding tells whether that is to blame. */
  async #open(signal: AbortSignal): Promise<Channel> {
    const options = this.#options;
    const unbound: WsmanOptions = { ...options, channelBinding: 'off' };
    if (this.#isUnbound) return this.#logIn(unbound, signal);
    try {
      return await this.#logIn(options, signal);
    } catch (error) {
      if (!(error instanceof BoundLoginError)) throw error;
      if (!mayUnbind(options) || isRefusedAnyway(options.login)) throw error.refusal;
    }
    const channel = await this.#logIn(unbound, signal).catch((error: unknown) => {
      if (error instanceof WmiLoginRefusedError) rememberRefused(options.login);
      throw error;
    });
    this.#isUnbound = true;
    return channel;
  }

  async #logIn(options: WsmanOptions, signal: AbortSignal): Promise<Channel> {
    const connecting = connectTrusted(options.origin, options.trust, options.address);
    const socket = await underAll([signal, this.#closed.signal], (both) => unlessAborted(connecting, both)).catch((error: unknown) => {
      connecting.then((late) => late.destroy(), () => undefined);
      throw error;
    });
    const channel = this.#channel = new Channel(socket, options, this.#limits);
    await channel.logIn(signal).catch((error: unknown) => {
      channel.close();
      throw error;
    });
    return channel;
  }
}

/** Whether a request to a connection that was kept may go out once more on a new one. */
function mayRepeat(error: unknown, { isSilent, isForgotten }: Channel, effect: Effect): boolean {
  if (error instanceof ConnectionLostError) return !error.sent || (effect === 'reads' && isSilent);
  return effect === 'reads' && isForgotten && error instanceof WmiAccessError;
}

/** A signal that follows another a little later. */
function outlasting(signal: AbortSignal): { readonly signal: AbortSignal; end(): void } {
  const later = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const forget = onAbort(signal, (reason) => { timer = setTimeout(() => later.abort(reason), ABANDONED_MS); });
  return {
    signal: later.signal,
    end: () => {
      clearTimeout(timer);
      forget();
    },
  };
}
