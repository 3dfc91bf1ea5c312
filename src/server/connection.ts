import type { Socket } from 'node:net';
import type { ArgoError } from '../kit/errors.js';
import { flushInTurn } from '../kit/flushes.js';
import { FLUSH_AFTER, LINGER, OUTPUT_CHUNK, PENDING_INPUT, SUBNEGOTIATION_TIMEOUT } from '../kit/limits.js';
import type { Dispatcher } from './dispatcher.js';
import { LineReader } from './line-reader.js';
import { RawConsole } from './raw-console.js';
import { ClientGone, type LineEnd, Reply, type Sink, type RawEnd } from './reply.js';
import type { Session } from './session.js';
import { TelnetFilter } from './telnet.js';
import { ASCII } from './ready-replies.js';

const BLANK = /^[ \t]*$/;

/**
 * One client. Takes the next line when the last one is answered, gathers output so that a reply goes
 * out in one write, and stops reading and working while the client does not read.
 */
export class Connection implements Sink {
  /** on the clock of performance.now(): when the last request came or was answered, or the client read */
  lastActive = performance.now();
  readonly #reader: LineReader;
  readonly #telnet = new TelnetFilter();
  #output = '';
  /** all of the output is known to be ASCII; else it is looked at, which takes as long as all else that is done for a few lines */
  #isAscii = true;
  #flushTimer: NodeJS.Timeout | undefined;
  /** it is among those that are flushed next */
  #flushIsDue = false;
  readonly #flushNow = (): void => {
    this.#flushIsDue = false;
    this.#flush();
  };

  /** on the clock of performance.now(): when the request under way began, or something of its reply was written */
  #gathersFrom = 0;
  #subnegotiationTimer: NodeJS.Timeout | undefined;
  /** a request is being worked on */
  #busy = false;
  /** the client does not take what was written */
  #blocked = false;
  #ended = false;
  /** a whole line came with the chunk that is being worked on */
  #sawRequest = false;
  /** what a client is told whose connection is closed for a reason of ours */
  #parting: ArgoError | undefined;
  /** the console that has the connection */
  #raw: RawConsole | undefined;
  #onDrain: (() => void)[] = [];
  readonly #socket: Socket;
  readonly #dispatcher: Dispatcher;

  constructor(
    socket: Socket,
    readonly session: Session,
    dispatcher: Dispatcher,
    maxLine: number,
  ) {
    this.#socket = socket;
    this.#dispatcher = dispatcher;
    this.#reader = new LineReader(maxLine);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.#receiveEnd());
    socket.on('drain', () => {
      this.lastActive = performance.now();
      this.#unblock();
    });
    socket.on('error', () => socket.destroy());
    socket.on('finish', () => this.#linger());
    socket.on('close', () => this.#gone());
    session.hasMore = () => this.gone || this.#reader.hasLine;
  }

  set maxLine(bytes: number) {
    this.#reader.maxLine = bytes;
  }

  /** Whether nothing is being worked on and everything was taken by the client. */
  get isIdle(): boolean {
    return !this.#busy && !this.#blocked;
  }

  get isBlocked(): boolean {
    return this.#blocked;
  }

  get gone(): boolean {
    return this.#socket.destroyed;
  }

  get full(): boolean {
    return this.#blocked || this.#output.length >= OUTPUT_CHUNK;
  }

  append(text: string): void {
    this.#output += text;
    this.#isAscii = false;
    if (this.#busy) this.#flushSoon();
  }

  drain(): Promise<void> | undefined {
    this.#flush();
    if (!this.#blocked) return undefined;
    return new Promise((resolve) => this.#onDrain.push(resolve));
  }

  /** A client whose lines end as telnet's do is taken for telnet: one that is none and ends them so sees a few bytes of it. */
  async handOver(end: RawEnd): Promise<void> {
    await this.drain();
    if (this.gone) {
      end.stream.destroy();
      throw new ClientGone();
    }
    await new Promise<void>((resolve, reject) => {
      const raw = this.#raw = new RawConsole({
        socket: this.#socket, end, isTelnet: this.#reader.crlf, eol: this.#eol,
        free: (rest) => {
          this.#raw = undefined;
          if (rest.length > 0) this.#receive(rest);
        },
        done: (error) => {
          if (error) reject(error);
          else resolve();
        },
      });
      raw.receive(Buffer.from(this.#reader.takeAll(), 'latin1'));
      if (this.#ended) raw.receiveEnd();
      if (this.#socket.isPaused()) this.#socket.resume();
    });
  }

  /** Tells the client why, and closes when that is written; a request under way is still answered. */
  close(error?: ArgoError): void {
    if (this.session.closing) return;
    this.session.closing = true;
    this.#parting = error;
    if (!this.#busy) this.#part();
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  get #eol(): LineEnd {
    return this.#reader.crlf ? '\r\n' : '\n';
  }

  #receive(chunk: Buffer): void {
    if (this.#raw) return this.#raw.receive(chunk);
    this.#read(this.#telnet.push(chunk.toString('latin1')));
    this.#watchSubnegotiation();
    if (this.#busy && this.#reader.hasLine) this.session.interrupt();
    const answers = this.#telnet.takeAnswers();
    if (answers && this.#socket.writable && !this.#socket.write(answers)) this.#blocked = true;
    this.#work();
    if (this.#sawRequest) this.lastActive = performance.now();
    this.#sawRequest = false;
    if ((this.#blocked || this.#hasEnoughInput) && !this.#ended) this.#socket.pause();
  }

  #receiveEnd(): void {
    this.#ended = true;
    // a client that has gone for good looks the same until it is asked for: its system then answers with a reset
    this.#socket.setKeepAlive(true, 1000);
    this.#raw?.receiveEnd();
    this.#giveUpSubnegotiation();
  }

  #read(text: string): void {
    if (text !== '') this.#reader.push(text);
  }

  #watchSubnegotiation(): void {
    if (this.#telnet.isSwallowing) {
      this.#subnegotiationTimer ??= setTimeout(() => this.#giveUpSubnegotiation(), SUBNEGOTIATION_TIMEOUT);
    } else if (this.#subnegotiationTimer !== undefined) {
      clearTimeout(this.#subnegotiationTimer);
      this.#subnegotiationTimer = undefined;
    }
  }

  /** It must neither swallow what follows for ever nor leave the lines in it without an answer. */
  #giveUpSubnegotiation(): void {
    clearTimeout(this.#subnegotiationTimer);
    this.#subnegotiationTimer = undefined;
    this.#read(this.#telnet.giveUp());
    this.#work();
  }

  /** A line that is allowed to be longer than what may wait has to come whole all the same. */
  get #hasEnoughInput(): boolean {
    return this.#reader.pending > Math.max(PENDING_INPUT, this.#reader.maxLine + 2);
  }

  /** Works on the lines that are there, as long as neither a request nor the client holds us up. */
  #work(): void {
    if (this.gone) return;
    while (!this.#busy && !this.#blocked && !this.session.closing) {
      const line = this.#reader.next() ?? (this.#ended ? this.#reader.rest() : undefined);
      if (line === undefined) break;
      this.#answer(line);
    }
    if (this.#busy) return this.#flushSoon();
    this.#flush();
    if (this.#blocked) return;
    if (this.session.closing) this.#part();
    else if (this.#ended && this.#reader.pending === 0) this.#finish();
    else if (this.#socket.isPaused() && !this.#hasEnoughInput) this.#socket.resume();
  }

  #answer(line: string | ArgoError): void {
    if (typeof line === 'string' && (line === '' || line.charCodeAt(0) <= 0x20) && BLANK.test(line)) return;
    this.#sawRequest = true;
    const ready = typeof line === 'string' ? this.#dispatcher.ready(this.session, line, this.#eol) : undefined;
    if (ready !== undefined) {
      this.#output += ready.text;
      this.#isAscii &&= ready.isAscii;
      if (this.#output.length >= OUTPUT_CHUNK) this.#flush();
      return;
    }
    const reply = new Reply(this, this.#eol);
    const running = typeof line === 'string' ? this.#dispatcher.dispatch(this.session, line, reply) : reply.fail(line);
    if (running === undefined) {
      if (this.#output.length >= OUTPUT_CHUNK) this.#flush();
      return;
    }
    this.#busy = true;
    this.#gathersFrom = performance.now();
    void running.then(() => {
      this.#busy = false;
      this.session.forgetInterrupt();
      this.lastActive = performance.now();
      this.#work();
    });
  }

  /** What comes of a reply shortly after something else goes out together with it; what comes after a quiet time, with this turn. */
  #flushSoon(): void {
    if (this.#flushTimer !== undefined || this.#flushIsDue) return;
    const left = this.#gathersFrom + FLUSH_AFTER - performance.now();
    if (left > 0) this.#flushTimer = setTimeout(() => this.#flushDue(), left);
    else this.#flushDue();
  }

  #flushDue(): void {
    this.#flushTimer = undefined;
    this.#flushIsDue = true;
    flushInTurn(this.#flushNow);
  }

  #flush(): void {
    if (this.#flushTimer !== undefined) clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    if (this.#output === '' || this.#blocked) return;
    if (this.#busy) this.#gathersFrom = performance.now();
    const text = this.#output;
    const isAscii = this.#isAscii || ASCII.test(text);
    this.#output = '';
    this.#isAscii = true;
    if (!this.#socket.destroyed && !this.#socket.write(text, isAscii ? 'latin1' : 'utf8')) this.#blocked = true;
  }

  #unblock(): void {
    this.#blocked = false;
    const waiting = this.#onDrain;
    this.#onDrain = [];
    this.#flush();
    waiting.forEach((resolve) => resolve());
    if (!this.#socket.destroyed) this.#work();
  }

  /** The socket has closed: whoever reads for this client may stop. */
  #gone(): void {
    this.#raw?.gone();
    this.session.interrupt();
    clearTimeout(this.#subnegotiationTimer);
    this.session.end();
    this.#unblock();
  }

  /** A client that may wait for an answer to more than we have answered is told why none comes. */
  #part(): void {
    if (this.#parting) this.append(`400 ${this.#parting.message}${this.#eol}`);
    this.#parting = undefined;
    this.#finish();
  }

  /** Closes our half when the client has taken everything. */
  #finish(): void {
    this.#flush();
    if (!this.#blocked) this.#socket.end();
  }

  /** All was sent and our half is closed: a client that keeps its own half open is not waited for for ever. */
  #linger(): void {
    setTimeout(() => this.#socket.destroy(), LINGER).unref();
  }
}
