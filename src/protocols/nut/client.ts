import { connect, type Socket } from 'node:net';
import { describe, secureTrusted, type Trust } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import { UpsdAnswerError, UpsdRefusal } from './errors.js';
import { lineOf, wordsOf } from './words.js';

/**
 * A client of upsd, the server of Network UPS Tools, by RFC 9271: lines over TCP, one question after the
 * other, each with one answer. upsd never speaks unasked.
 */

export const UPSD_PORT = 3493;

/** Milliseconds: for a connection, and for the whole answer to one question. */
const CONNECT_TIMEOUT_MS = 5000;
const ANSWER_TIMEOUT_MS = 5000;
/** Of the other side: bytes of a line, lines of a list. The largest UPSes have some hundred variables. */
const LINE_LIMIT = 4096;
const LIST_LIMIT = 4096;
/** Questions that wait for those before them. */
const QUESTIONS_WAITING = 64;

export interface UpsdAddress {
  readonly host: string;
  readonly port: number;
  /** STARTTLS before anything else; undefined: in the clear */
  readonly trust?: Trust;
  /** milliseconds for the answer to one question, where it is not the usual */
  readonly answerTimeout?: number;
}

/** One that waits for its answer, or for its turn. */
interface Question {
  readonly line: string;
  /** Takes a line of the answer. @returns whether it was the last one @throws UpsdAnswerError */
  take(words: readonly string[]): boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** One connection. When it has ended, all that waits on it ends too, and it is of no use any more. */
export class UpsdClient {
  #socket: Socket;
  readonly #answerTimeout: number;
  #input: Buffer = Buffer.alloc(0);
  readonly #questions: Question[] = [];
  #timer: NodeJS.Timeout | undefined;
  #end: Error | undefined;

  private constructor(socket: Socket, answerTimeout: number) {
    this.#socket = socket;
    this.#answerTimeout = answerTimeout;
    this.#listen(socket);
  }

  /** @throws ConnectionLostError, CertificateError, UpsdRefusal where it speaks no TLS */
  static async connect({ host, port, trust, answerTimeout = ANSWER_TIMEOUT_MS }: UpsdAddress): Promise<UpsdClient> {
    const client = new UpsdClient(await open(host, port), answerTimeout);
    if (trust === undefined) return client;
    try {
      await client.#startTls(host, trust);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Whether it has ended. */
  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  /** What the server calls itself. All questions may throw ConnectionLostError, UpsdRefusal, UpsdAnswerError. */
  async version(): Promise<string> {
    return (await this.#one(['VER'])).join(' ');
  }

  /** Of the protocol, such as `1.3`. */
  async protocolVersion(): Promise<string> {
    return (await this.#one(['NETVER'])).join(' ');
  }

  /** The UPSes that it has: descriptions by name. */
  async upses(): Promise<ReadonlyMap<string, string>> {
    return new Map((await this.#list(['UPS'])).map(([name = '', description = '']) => [name, description]));
  }

  /** All that a UPS says at this moment: values by variable. */
  async variables(ups: string): Promise<ReadonlyMap<string, string>> {
    return new Map((await this.#list(['VAR', ups])).map(([name = '', value = '']) => [name, value]));
  }

  async variable(ups: string, name: string): Promise<string> {
    const [, , , value] = await this.#one(['GET', 'VAR', ups, name], ['VAR', ups, name], 4);
    return value!;
  }

  /** Says who asks. upsd looks at it only when a right is needed: a wrong password is found out by {@link login}. */
  async identify(user: string, password: string): Promise<void> {
    await this.#one(['USERNAME', user], ['OK']);
    await this.#one(['PASSWORD', password], ['OK']);
  }

  /** Makes us one of those for whose {@link logout} the UPS's primary waits before it ends its own host. */
  async login(ups: string): Promise<void> {
    await this.#one(['LOGIN', ups], ['OK']);
  }

  /** Says goodbye, and closes. */
  async logout(): Promise<void> {
    try {
      await this.#one(['LOGOUT'], ['OK']);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#fail(new ConnectionLostError('it was closed', true));
  }

  async #startTls(host: string, trust: Trust): Promise<void> {
    await this.#one(['STARTTLS'], ['OK']);
    const plain = this.#socket;
    plain.removeAllListeners('data').removeAllListeners('error').removeAllListeners('close');
    // What came in the clear behind the answer may be anybody's.
    if (this.#end !== undefined) throw this.#end;
    if (this.#input.length > 0) throw new UpsdAnswerError('it said more than was asked before TLS began');
    this.#socket = await secureTrusted(plain, host, trust);
    this.#listen(this.#socket);
  }

  /** @param begins the words by which the answer has to begin @returns its words */
  async #one(words: readonly string[], begins: readonly string[] = [], least = begins.length): Promise<readonly string[]> {
    let answer: readonly string[] = [];
    await this.#ask(words, (line) => {
      if (line.length < least || !startsWith(line, begins)) throw new UpsdAnswerError(`it does not answer ${words[0]!}`);
      answer = line;
      return true;
    });
    return answer;
  }

  /** @returns of each line what is behind the words of the question */
  async #list(subject: readonly string[]): Promise<readonly (readonly string[])[]> {
    const rows: (readonly string[])[] = [];
    let hasBegun = false;
    await this.#ask(['LIST', ...subject], (line) => {
      if (!hasBegun) {
        if (!startsWith(line, ['BEGIN', 'LIST', ...subject])) throw new UpsdAnswerError('it does not begin the list that was asked for');
        hasBegun = true;
        return false;
      }
      if (startsWith(line, ['END', 'LIST', ...subject])) return true;
      if (!startsWith(line, subject) || line.length !== subject.length + 2) throw new UpsdAnswerError('what it lists is not what was asked for');
      if (rows.length === LIST_LIMIT) throw new UpsdAnswerError('its list has no end');
      rows.push(line.slice(subject.length));
      return false;
    });
    return rows;
  }

  #ask(words: readonly string[], take: Question['take']): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end);
      if (this.#questions.length === QUESTIONS_WAITING) return reject(new Error('too many questions wait for upsd'));
      this.#questions.push({ line: lineOf(words), take, resolve, reject });
      if (this.#questions.length === 1) this.#send();
    });
  }

  /** An answer that is late would be taken for that to the next question: so the connection ends with it. */
  #send(): void {
    const [question] = this.#questions;
    if (question === undefined) return;
    this.#timer = setTimeout(() => this.#fail(new ConnectionLostError(`no answer within ${this.#answerTimeout / 1000} s`, true)), this.#answerTimeout);
    this.#socket.write(`${question.line}\n`);
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(new ConnectionLostError(describe(error), true, { cause: error })));
    socket.on('close', () => this.#fail(new ConnectionLostError('the connection was cut off', true)));
  }

  #receive(chunk: Buffer): void {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    for (let end = this.#input.indexOf('\n'); end !== -1 && this.#end === undefined; end = this.#input.indexOf('\n')) {
      const line = this.#input.subarray(0, end);
      this.#input = this.#input.subarray(end + 1);
      if (line.length > LINE_LIMIT) this.#fail(new UpsdAnswerError('its line is too long'));
      else this.#take(line.toString('utf8'));
    }
    if (this.#input.length > LINE_LIMIT) this.#fail(new UpsdAnswerError('its line has no end'));
  }

  #take(line: string): void {
    const [question] = this.#questions;
    const words = wordsOf(line);
    if (question === undefined) return this.#fail(new UpsdAnswerError('it speaks unasked'));
    if (words === undefined) return this.#fail(new UpsdAnswerError('what it says is no line of the protocol'));
    if (words[0] === 'ERR') return this.#answered(() => question.reject(new UpsdRefusal(words[1] ?? 'ERR')));
    try {
      if (question.take(words)) this.#answered(() => question.resolve());
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #answered(tell: () => void): void {
    clearTimeout(this.#timer);
    this.#questions.shift();
    tell();
    this.#send();
  }

  #fail(error: Error): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    clearTimeout(this.#timer);
    this.#input = Buffer.alloc(0);
    this.#socket.on('error', () => undefined).destroy();
    for (const { reject } of this.#questions.splice(0)) reject(error);
  }
}

const startsWith = (words: readonly string[], begins: readonly string[]): boolean => begins.every((word, index) => words[index] === word);

/** @throws ConnectionLostError */
function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const fail = (message: string, cause?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new ConnectionLostError(message, false, { cause }));
    };
    const timer = setTimeout(() => fail(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`), CONNECT_TIMEOUT_MS);
    const onError = (error: Error): void => fail(describe(error), error);
    socket.once('error', onError).once('connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', onError);
      resolve(socket);
    });
  });
}
