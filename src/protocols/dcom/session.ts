import { Places } from '../../kit/places.js';
import { onAbort, underAll } from '../../kit/within.js';
import { ConnectionLostError } from '../tls/errors.js';
import type { WmiConnection, WmiObject, WmiParameters, WmiPath } from '../wmi/connection.js';
import { KINDS_BY_HRESULT, WmiAnswerError, WmiFault, WmiLoginRefusedError } from '../wmi/errors.js';
import { HELPER, Helper, type HelperCommand, PYTHON, type Told } from './helper.js';
import { HelperPlaces } from './helper-places.js';
import { readObject, writePath } from './values.js';

/** Helpers at the same time, over all machines: each is a Python of some 40 MB. */
const HELPERS = 32;
const helpers = new HelperPlaces(HELPERS);

export interface DcomLimits {
  /** from the start of a helper until it is logged in, ms */
  readonly loginTimeout: number;
  /** for one request, ms */
  readonly requestTimeout: number;
  /** after which a helper that nobody asks ends, ms */
  readonly idle: number;
  /** requests that wait for their turn */
  readonly queue: number;
  /** that one query may find */
  readonly objects: number;
}

const DEFAULT_LIMITS: DcomLimits = { loginTimeout: 30_000, requestTimeout: 60_000, idle: 60_000, queue: 100, objects: 20_000 };
/** `-I`: neither the environment nor a user's folders say what is run. */
const COMMAND: HelperCommand = { program: PYTHON, args: ['-I', HELPER] };

export interface DcomOptions {
  readonly host: string;
  readonly user: string;
  readonly password: string;
  /** empty: the machine's own */
  readonly domain: string;
  readonly limits?: Partial<DcomLimits>;
  readonly command?: HelperCommand;
}

type Request = { readonly op: 'query' | 'get' | 'invoke'; readonly namespace: string } & Readonly<Record<string, unknown>>;

/** What the helper says went wrong. `sent` is whether an order had gone out. */
function toError({ error, code, words }: Told, sent: boolean): Error {
  const text = typeof words === 'string' ? words : '';
  const number = typeof code === 'number' ? code : 0;
  switch (error) {
    case 'wmi': return new WmiFault(KINDS_BY_HRESULT.get(number >>> 0) ?? 'other', number, text);
    case 'access': return new WmiLoginRefusedError(text);
    case 'lost': return new ConnectionLostError(text, sent);
    case 'missing': return new ConnectionLostError(`impacket cannot be loaded: ${text}`, false);
    case 'answer': return sent ? new WmiAnswerError(text) : new ConnectionLostError(text, false);
    default: return new WmiFault('other', number, text);
  }
}

/**
 * WMI over DCOM ([MS-WMI]) with packet privacy, by a helper process on impacket, which is started and
 * logged in when first needed and again after it has ended. It dies with an aborted or late request,
 * since what it waits for cannot be taken back otherwise.
 */
export class DcomSession implements WmiConnection {
  readonly #options: DcomOptions;
  readonly #limits: DcomLimits;
  readonly #turns: Places;
  #helper: Helper | undefined;
  #idle: NodeJS.Timeout | undefined;
  #requests = 0;
  #isBusy = false;
  readonly #closed = new AbortController();

  constructor(options: DcomOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#turns = new Places(1, this.#limits.queue);
  }

  async get(path: WmiPath, signal: AbortSignal): Promise<WmiObject> {
    return this.#one({ op: 'get', namespace: path.namespace, path: writePath(path) }, signal);
  }

  query(namespace: string, wql: string, signal: AbortSignal): Promise<readonly WmiObject[]> {
    return this.#ask({ op: 'query', namespace, wql }, signal);
  }

  async invoke(path: WmiPath, method: string, parameters: WmiParameters, signal: AbortSignal): Promise<WmiObject> {
    return this.#one({ op: 'invoke', namespace: path.namespace, class: path.className, path: writePath(path), method, parameters }, signal);
  }

  close(): Promise<void> {
    const end = new ConnectionLostError('the session is being closed', false);
    this.#closed.abort(end);
    this.#helper?.kill();
    return Promise.resolve();
  }

  async #one(request: Request, signal: AbortSignal): Promise<WmiObject> {
    const [found] = await this.#ask(request, signal);
    if (!found) throw new WmiAnswerError('its helper answers without an object');
    return found;
  }

  #ask(request: Request, signal: AbortSignal): Promise<WmiObject[]> {
    return underAll([signal, this.#closed.signal], (both) => this.#askInTurn(request, both));
  }

  async #askInTurn(request: Request, signal: AbortSignal): Promise<WmiObject[]> {
    const leave = await this.#turns.take(signal);
    this.#isBusy = true;
    clearTimeout(this.#idle);
    try {
      const helper = this.#helper?.isAlive ? this.#helper : await this.#start(signal);
      return await this.#exchange(helper, request, signal);
    } finally {
      this.#isBusy = false;
      this.#rest();
      leave();
    }
  }

  /** Lets the helper go after a while, or at once where another machine needs its place. */
  #rest(): void {
    this.#idle = setTimeout(() => this.#helper?.kill(), this.#limits.idle).unref();
    helpers.noteIdle();
  }

  async #start(signal: AbortSignal): Promise<Helper> {
    const { host, user, password, domain, command = COMMAND } = this.#options;
    const giveBack = await helpers.take({ isBusy: () => this.#isBusy, leave: () => this.#helper?.kill() }, signal);
    const helper = this.#helper = new Helper(command, giveBack);
    await this.#limited(helper, this.#limits.loginTimeout, signal, () => false, helper.ask({ host, user, password, domain }, (told) => {
      if (told.ok === true) return true;
      throw toError(told, false);
    }));
    return helper;
  }

  async #exchange(helper: Helper, request: Request, signal: AbortSignal): Promise<WmiObject[]> {
    const id = ++this.#requests;
    const objects: WmiObject[] = [];
    let sent = request.op !== 'invoke';
    // An error of the other side's leaves the helper as it is; it is thrown when the answer is complete.
    let refusal: Error | undefined;
    const answer = helper.ask({ id, ...request }, (told) => {
      if (told.id !== id) throw new WmiAnswerError('its helper answers another request');
      if (told.sent === true) sent = true;
      if (told.error !== undefined) refusal = toError(told, sent);
      if (told.row !== undefined) objects.push(readObject(told.row, request.namespace));
      if (objects.length > this.#limits.objects) throw new WmiAnswerError(`it finds more than ${this.#limits.objects} objects`);
      return told.done === true || refusal !== undefined;
    });
    await this.#limited(helper, this.#limits.requestTimeout, signal, () => sent, answer);
    if (refusal instanceof ConnectionLostError) helper.kill();
    if (refusal) throw refusal;
    return objects;
  }

  /** What the helper's work comes to; where that takes too long or is aborted, the helper dies. */
  async #limited(helper: Helper, timeout: number, signal: AbortSignal, isSent: () => boolean, work: Promise<void>): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => { isLate = true; helper.kill(); }, timeout);
    const forget = onAbort(signal, () => helper.kill());
    try {
      await work;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (isLate) throw new ConnectionLostError(`no answer within ${timeout / 1000} s`, isSent());
      throw error instanceof ConnectionLostError ? new ConnectionLostError(error.message, isSent(), { cause: error }) : error;
    } finally {
      clearTimeout(timer);
      forget();
    }
  }
}
