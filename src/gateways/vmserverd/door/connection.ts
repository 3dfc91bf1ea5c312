import type { Socket } from 'node:net';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import { LINGER } from '../../../kit/limits.js';
import { formatDuration, formatEndpoint } from '../../../kit/text.js';
import { VMSERVERD_DOCUMENT_TIME, VMSERVERD_LOGIN } from '../../../kit/vmserverd-limits.js';
import { onAbort } from '../../../kit/within.js';
import { AuthdConversation, AuthdLines, LineTooLongError, LINE_TOO_LONG, UNDECIDED, type AuthdVersion } from '../../../protocols/vmserverd/authd.js';
import { OperationError } from '../../../protocols/vmserverd/codes.js';
import { DocumentStream } from '../../../protocols/vmserverd/framing.js';
import type { Log } from '../../../kit/log.js';
import type { Member } from '../../contract.js';
import type { Calls } from '../calls.js';
import { fault, toOperationError } from '../faults.js';
import type { Parts } from '../operations/parts.js';
import { Inflow } from './inflow.js';
import { Outflow } from './outflow.js';

/** How long things may take, milliseconds. */
export interface Times {
  /** without a request */
  readonly idle: number;
}

export interface ConnectionParts {
  readonly version: AuthdVersion;
  /** the peer's, in its plain form */
  readonly address: string;
  readonly calls: Calls;
  readonly log: Log;
  times(): Times;
  /** @throws ArgoError */
  login(name: string, password: string, signal: AbortSignal): Promise<Member>;
  /** Whether there is an account of that name: for the log, never for a reply. */
  isAccount(name: string): boolean;
  /** The account of the user of this host who has made the connection; undefined: there is none. */
  local(signal: AbortSignal): Promise<Member | undefined>;
  /** Somebody is in, with his account. @param keep as `CallerParts` takes it @returns what his operations work with */
  entered(member: Member, keep: () => () => void): Parts;
}

/**
 * One client behind the banner: the lines of a login, then documents. One thing is answered after the other. Whoever takes
 * too long for a login, a document, or a request is cut off by the gateway's sweep.
 */
export class Connection {
  /** on the clock of performance.now(): when it is cut off, unless something goes on before */
  #until: number;
  /** a login or a request is being worked on: time is ours then, not the client's */
  #isBusy = false;
  #isEnding = false;
  #member: Member | undefined;
  /** once documents follow */
  #stream: DocumentStream | undefined;
  /** how the member came in: by the kernel's word, as whom */
  #localAccount: string | undefined;
  #forgetMember: (() => void) | undefined;
  readonly #gone = new AbortController();
  readonly #socket: Socket;
  readonly #parts: ConnectionParts;
  readonly #in: Inflow;
  readonly #out: Outflow;
  #operating: Parts | undefined;
  readonly #caller: { readonly address: string; readonly from: string; readonly gone: AbortSignal };

  constructor(socket: Socket, parts: ConnectionParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#until = performance.now() + VMSERVERD_LOGIN;
    this.#caller = { address: parts.address, from: formatEndpoint({ host: parts.address, port: socket.remotePort ?? 0 }), gone: this.#gone.signal };
    socket.on('error', () => socket.destroy());
    socket.on('finish', () => setTimeout(() => socket.destroy(), LINGER).unref());
    socket.once('close', () => {
      this.#gone.abort(new ArgoError('UNREACHABLE', 'the client has gone'));
      this.#leave();
    });
    this.#in = new Inflow(socket);
    this.#out = new Outflow(socket, () => this.#active());
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** as whom somebody is in by the kernel's word */
  get localAccount(): string | undefined {
    return this.#localAccount;
  }

  /** Serves it to its end. Never rejects. */
  async serve(): Promise<void> {
    try {
      if (await this.#logIn()) await this.#takeDocuments();
      this.#out.flush();
      await this.#out.drain();
      this.#socket.end();
    } catch (thrown) {
      if (!this.#gone.signal.aborted) this.#fail(thrown);
      this.#out.flush();
      this.#socket.end();
    }
  }

  /** Ends it if it has taken too long. @param now of performance.now() */
  sweep(now: number): void {
    if (now <= this.#until || (this.#isBusy && !this.#out.isBlocked)) return;
    // a client that does not read what it has asked for, or does not go when it was told to
    if (this.#out.isBlocked || this.#isEnding) return this.destroy();
    this.#isEnding = true;
    this.#until = now + LINGER;
    if (this.#stream === undefined) this.#parts.log('info', 'no login in time', { from: this.#caller.from });
    this.#finish(UNDECIDED.late, fault('TIMEOUT', `no end of the document in ${formatDuration(VMSERVERD_DOCUMENT_TIME)}`));
  }

  /** Takes nothing more; what is being worked on is answered. */
  end(): void {
    this.#isEnding = true;
    if (!this.#isBusy) this.#finish(UNDECIDED.ending, toOperationError(new ArgoError('SHUTTING DOWN')));
  }

  /** Ends it at once, since its place is somebody else's now: a login that is being checked is told that nothing comes of it. */
  crowdOut(): void {
    if (this.#isBusy) this.#parts.log('warn', 'login not decided', { from: this.#caller.from, reason: 'too many connections without a login' });
    this.#out.append(UNDECIDED.crowded);
    this.#out.flush();
    this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Nothing more is taken. Whoever is at a login, or in the middle of a document, is told why; who has asked for nothing is told nothing. */
  #finish(loginWord: string, error: OperationError): void {
    if (this.#stream === undefined) this.#out.append(loginWord);
    else if (this.#stream.isWithin) this.#out.append(this.#lastDocument(error));
    this.#in.stop();
  }

  #fail(thrown: unknown): void {
    const { log } = this.#parts;
    const { from } = this.#caller;
    if (thrown instanceof LineTooLongError) {
      log('info', 'a line of a login is too long', { from });
      this.#out.append(LINE_TOO_LONG);
      return;
    }
    // what ends with the account or the server is no fault
    if (!(thrown instanceof ArgoError) && !(thrown instanceof OperationError)) log('error', 'connection failed', { from, cause: thrown });
    if (this.#stream === undefined) this.#out.append(UNDECIDED.failed);
  }

  #lastDocument(error: OperationError): string {
    return `${this.#parts.calls.failure(error)}\0`;
  }

  #active(): void {
    this.#until = performance.now() + this.#parts.times().idle;
  }

  /** @returns whether documents follow */
  async #logIn(): Promise<boolean> {
    const lines = new AuthdLines();
    let conversation: AuthdConversation | undefined;
    for (let chunk = await this.#in.next(); chunk !== undefined; chunk = await this.#in.next()) {
      for (let at = 0, before = ''; at < chunk.length;) {
        const found = lines.next(chunk, at);
        if (found === undefined) break;
        const isAgain = at > 0 && before === '' && found.line === '';
        [at, before] = [found.end, found.line];
        // two empty lines at once, as nmap sends them, have one answer: with two it takes this for an FTP server
        if (isAgain) continue;
        const { reply, then } = await this.#busy(async () => (conversation ??= await this.#converse()).take(found.line));
        if (conversation?.isLoggedIn !== true && this.#member !== undefined) this.#leave();
        if (this.#localAccount !== undefined && this.#member?.name !== this.#localAccount) this.#localAccount = undefined;
        if (this.#isEnding) {
          this.#out.append(UNDECIDED.ending);
          return false;
        }
        this.#out.append(reply);
        // a page in the browser of a local user could send what it likes behind its first line, which is none of these
        if (then === 'close' || (this.#localAccount !== undefined && reply.startsWith('5'))) return false;
        if (then === 'documents') {
          this.#in.unread(chunk.subarray(at));
          this.#out.flush();
          return this.#member !== undefined;
        }
      }
      this.#out.flush();
      await this.#out.drain();
    }
    return false;
  }

  /** Begins when the first line has come: who only stands there is not looked up. */
  async #converse(): Promise<AuthdConversation> {
    const { version, local, log } = this.#parts;
    const { signal } = this.#gone;
    const member = await local(signal);
    signal.throwIfAborted();
    if (member !== undefined) {
      this.#localAccount = member.name;
      this.#enter(member);
      log('info', 'login', { account: member.name, from: this.#caller.from, by: 'local user' });
    }
    return new AuthdConversation(version, {
      login: (name, password) => this.#check(name, password),
      hasService: () => true,
    }, member !== undefined);
  }

  /** @returns whether the password is right; why that is not known: nothing is said of it then */
  async #check(name: string, password: string): Promise<boolean | 'busy' | 'failed'> {
    const { login, isAccount, log } = this.#parts;
    const { signal } = this.#gone;
    const { from } = this.#caller;
    try {
      this.#enter(await login(name, password, signal));
      log('info', 'login', { account: name, from });
      return true;
    } catch (thrown) {
      signal.throwIfAborted();
      const { phrase, detail } = toArgoError(thrown);
      if (phrase === 'NOT AUTHENTICATED') return false;
      // what was typed as a name may be a password: only names of accounts are told
      const who = { account: isAccount(name) ? name : undefined, from };
      if (phrase === 'BUSY') {
        log('warn', 'login not decided', { ...who, reason: detail });
        return 'busy';
      }
      log('error', 'login not decided', { ...who, cause: thrown });
      return 'failed';
    }
  }

  /** What takes us time does not take the client's. */
  async #busy<T>(work: () => Promise<T>): Promise<T> {
    this.#isBusy = true;
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.#isBusy = false;
      this.#until += performance.now() - began;
    }
  }

  async #takeDocuments(): Promise<void> {
    const caller = { ...this.#caller, member: this.#member!, parts: this.#operating! };
    const stream = this.#stream = new DocumentStream();
    this.#active();
    for (let chunk = await this.#in.next(); chunk !== undefined; chunk = await this.#in.next()) {
      const wasWithin = stream.isWithin;
      this.#isBusy = true;
      try {
        for (const received of stream.push(chunk)) {
          if (received.kind === 'nul') this.#out.append('\0');
          else {
            const answered = this.#parts.calls.answer(received.root, caller, this.#out);
            if (answered !== undefined) {
              this.#out.flush();
              await answered;
            }
            this.#out.append(received.end);
            const full = this.#out.drain();
            if (full !== undefined) await full;
          }
          this.#active();
          if (this.#isEnding || this.#gone.signal.aborted) return;
        }
      } catch (thrown) {
        if (!(thrown instanceof OperationError)) throw thrown;
        // what cannot be read is the last that is read
        this.#out.append(this.#lastDocument(thrown));
        return;
      } finally {
        this.#isBusy = false;
      }
      if (!this.#in.hasMore) this.#out.flushInTurn();
      if (stream.isWithin && !wasWithin) this.#until = performance.now() + VMSERVERD_DOCUMENT_TIME;
    }
  }

  #enter(member: Member): void {
    this.#leave();
    this.#member = member;
    const { keep, free } = heldBy(member);
    const forget = onAbort(member.signal, () => this.destroy());
    this.#forgetMember = () => {
      forget();
      free();
    };
    this.#operating = this.#parts.entered(member, keep);
  }

  #leave(): void {
    this.#forgetMember?.();
    this.#forgetMember = undefined;
    this.#member = undefined;
  }
}

/** Lets a member go when neither his connection nor a task of his needs him. */
function heldBy(member: Member): { readonly keep: () => () => void; readonly free: () => void } {
  let holders = 0;
  const keep = (): (() => void) => {
    let isHeld = true;
    holders += 1;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      holders -= 1;
      if (holders === 0) member.release();
    };
  };
  return { keep, free: keep() };
}
