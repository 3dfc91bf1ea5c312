import type { Socket } from 'node:net';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import { LINGER } from '../../../kit/limits.js';
import { formatEndpoint } from '../../../kit/text.js';
import { VMSERVERD_DOCUMENT_TIME, VMSERVERD_LOGIN } from '../../../kit/vmserverd-limits.js';
import { onAbort } from '../../../kit/within.js';
import { AuthdConversation, AuthdLines, type AuthdVersion } from '../../../protocols/vmserverd/authd.js';
import { OperationError } from '../../../protocols/vmserverd/codes.js';
import { DocumentStream } from '../../../protocols/vmserverd/framing.js';
import type { Log } from '../../../kit/log.js';
import type { Member } from '../../contract.js';
import type { Calls } from '../calls.js';
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
      // a login that ends with its connection or the server is no fault
      if (!this.#gone.signal.aborted && !(thrown instanceof ArgoError) && !(thrown instanceof OperationError) && !(thrown instanceof RangeError)) this.#parts.log('error', 'connection failed', { from: this.#caller.from, cause: thrown });
      this.#out.flush();
      this.#socket.end();
    }
  }

  /** Ends it if it has taken too long. @param now of performance.now() */
  sweep(now: number): void {
    if (!this.#isBusy && now > this.#until) this.destroy();
    // a client that does not read what it has asked for
    else if (this.#out.isBlocked && now > this.#until) this.destroy();
  }

  /** Takes nothing more; what is being worked on is answered. */
  end(): void {
    this.#isEnding = true;
    if (!this.#isBusy) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
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
        if (this.#isEnding) return false;
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
    const { version, login, local, log } = this.#parts;
    const { signal } = this.#gone;
    const member = await local(signal);
    signal.throwIfAborted();
    if (member !== undefined) {
      this.#localAccount = member.name;
      this.#enter(member);
      log('info', 'login', { account: member.name, from: this.#caller.from, by: 'local user' });
    }
    return new AuthdConversation(version, {
      login: async (name, password) => {
        try {
          this.#enter(await login(name, password, signal));
          log('info', 'login', { account: name, from: this.#caller.from });
          return true;
        } catch (thrown) {
          if (toArgoError(thrown).phrase === 'NOT AUTHENTICATED') return false;
          throw thrown;
        }
      },
      hasService: () => true,
    }, member !== undefined);
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
    const stream = new DocumentStream();
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
        this.#out.append(`${this.#parts.calls.failure(thrown)}\0`);
        return;
      } finally {
        this.#isBusy = false;
      }
      if (!this.#in.hasMore) this.#out.flush();
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
