import type { Socket } from 'node:net';
import { ArgoError, type Phrase, PHRASES } from '../kit/errors.js';
import { formatEndpoint } from '../kit/text.js';
import { Connection, plainTextWarning } from './connection.js';
import { isEnd, type ReplyEvent } from './replies.js';
import { quoteWord, type Request } from './request.js';
import type { Settings } from './settings.js';

/** A login may wait for the server's growing delay after failures, and for others' logins; milliseconds. */
const AUTH_TIMEOUT = 60_000;

/** What the server needs on top of a `--timeout=SECONDS` of the request to answer, in milliseconds. */
const TIMEOUT_GRACE = 30_000;

/** The longest that a timer can be set to, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

export interface SessionHooks {
  /** the password of the account, asked for just before it is needed */
  password(account: string): Promise<string | undefined>;
  warn(message: string): void;
}

/** A phrase of the server as one of ours; a newer server may have more than we know. */
const asPhrase = (phrase: string): Phrase => (Object.hasOwn(PHRASES, phrase) ? (phrase as Phrase) : 'FAILED');

/** A server and who we are there; its connection is made when needed, and again after it was lost. */
export class Session {
  #connection: Connection | undefined;
  #credentials: { account: string; password: string } | undefined;
  #turn: Promise<void> = Promise.resolve();
  #warned = false;
  #connectedBefore = false;
  readonly #hooks: SessionHooks;

  constructor(readonly settings: Settings, hooks: SessionHooks) {
    this.#hooks = hooks;
  }

  /** Who is logged in, for the prompt. */
  get account(): string | undefined {
    return this.#credentials?.account ?? this.settings.account;
  }

  /**
   * Connects and logs in where that has not been done.
   * @throws ArgoError · SettingsError
   */
  async connect(signal?: AbortSignal): Promise<Connection> {
    if (this.#connection?.usable === true && !this.#connection.dismissed) return this.#connection;
    this.#connection?.close();
    const connection = await Connection.open(this.settings, signal);
    try {
      await this.#logIn(connection, signal);
    } catch (error) {
      connection.close();
      throw error;
    }
    if (this.#connectedBefore) this.#hooks.warn(`the connection was gone; connected to ${formatEndpoint(this.settings.address)} again`);
    this.#connectedBefore = true;
    this.#connection = connection;
    return connection;
  }

  /**
   * Sends a request and gives its reply in batches. It is sent once: after a lost connection nobody
   * knows how far it went, so it is never repeated.
   * @param silence milliseconds of silence that are borne; left out: what the settings and the request say
   * @throws ArgoError · the signal's reason
   */
  async*run(request: Request, signal?: AbortSignal, silence = this.#silenceFor(request)): AsyncGenerator<readonly ReplyEvent[], void> {
    const before = this.#turn;
    let free = () => {};
    this.#turn = new Promise((resolve) => { free = resolve; });
    try {
      await before;
      const connection = await this.connect(signal);
      if (request.command === 'auth') this.#warnIfExposed(connection);
      for await (const batch of connection.request(request.line, { silence, signal })) {
        if (request.command === 'auth' && batch.some(isEnd)) this.#remember(request, batch.at(-1)!);
        yield batch;
      }
    } finally {
      free();
    }
  }

  /**
   * A connection, logged in, for something that takes it whole; the next request makes a new one.
   * @throws as {@link connect}
   */
  async handOver(signal?: AbortSignal): Promise<Socket> {
    const connection = await this.connect(signal);
    this.#connection = undefined;
    this.#connectedBefore = false;
    return connection.release();
  }

  /** Lets go of the connection. What runs at the server goes on there. */
  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Lets go of a command that is under way; connecting again is then no surprise worth a word. */
  detach(): void {
    this.close();
    this.#connectedBefore = false;
  }

  async #logIn(connection: Connection, signal: AbortSignal | undefined): Promise<void> {
    const { account } = this.settings;
    if (this.#credentials === undefined) {
      if (account === undefined) return;
      const password = await this.#hooks.password(account);
      if (password === undefined) {
        throw new ArgoError('NOT AUTHENTICATED', `no password for ${account}: set ARGO_PASSWORD, or password-file in config.toml`);
      }
      this.#credentials = { account, password };
    }
    this.#warnIfExposed(connection);
    const { account: user, password } = this.#credentials;
    const line = `auth ${quoteWord(user)} ${quoteWord(password)}`;
    for await (const batch of connection.request(line, { silence: AUTH_TIMEOUT, signal })) {
      const end = batch.at(-1);
      if (end?.kind !== 'error') continue;
      this.#credentials = undefined;
      const refused = end.phrase === 'NOT AUTHENTICATED' ? `the server refuses the account ${user}, its password, or this network` : '';
      throw new ArgoError(asPhrase(end.phrase), end.detail || refused);
    }
  }

  /** A person who typed `auth` in the shell stays logged in after the connection was lost. */
  #remember(request: Request, end: ReplyEvent): void {
    const [account, password] = request.words;
    this.#credentials = end.kind === 'done' && account && password
      ? { account: account.text, password: password.text }
      : undefined;
  }

  #warnIfExposed(connection: Connection): void {
    if (!connection.exposed || this.settings.allowPlain || this.#warned) return;
    this.#warned = true;
    this.#hooks.warn(plainTextWarning(formatEndpoint(this.settings.address)));
  }

  /** `--wait` ends when the state is reached, whenever that is; the server has its own deadline for it. */
  #silenceFor({ options }: Request): number | undefined {
    if (options.some((option) => option === '--wait' || option.startsWith('--wait='))) return undefined;
    const asked = options.map((option) => /^--timeout=(\d+)$/.exec(option)?.[1]).find((value) => value !== undefined);
    const needed = asked === undefined ? 0 : Number(asked) * 1000 + TIMEOUT_GRACE;
    return Math.min(Math.max(this.settings.replyTimeout, needed), LONGEST_TIMER);
  }
}
