import type { Socket } from 'node:net';
import { VMSERVERD_ANSWER, VMSERVERD_ANSWER_ELEMENTS, VMSERVERD_CLIENT_ANSWER, VMSERVERD_CLIENT_WAITING } from '../../kit/vmserverd-limits.js';
import { onAbort } from '../../kit/within.js';
import { describe } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import { OperationError } from './codes.js';
import { readAnswer, writeRequest, type ExecAnswer } from './envelope.js';
import { VmserverdAnswerError } from './errors.js';
import { DocumentStream } from './framing.js';
import { logIn, type Credentials, type VmserverdAddress } from './login.js';
import type { Element, Shape } from './shape.js';

/** What one call may be given beyond its usual. */
export interface ExecOptions {
  /** milliseconds for the answer, from when it is sent */
  readonly answerTimeout?: number;
  /** told when the request goes out: from then on it may be carried out */
  readonly onSend?: () => void;
}

/** A whole answer, be it of a success or a failure. */
export interface WholeAnswer {
  readonly root: Element;
  /** as it came, on a connection that keeps it */
  readonly text: string | undefined;
}

/** One that waits for its answer, or for its turn. */
interface Question {
  readonly document: string;
  readonly options: ExecOptions;
  isSent: boolean;
  /** undefined: who asked has gone; its answer is read all the same, since it comes before the next one's */
  settle: { resolve(answer: WholeAnswer): void; reject(error: Error): void } | undefined;
}

/**
 * One connection to vmserverd behind vmware-authd: requests, one after the other, each with one answer. Nothing is sent twice.
 * When it has ended, all that waits on it ends too, and it is of no use any more.
 */
export class VmserverdClient {
  readonly #socket: Socket;
  readonly #stream: DocumentStream;
  readonly #questions: Question[] = [];
  #timer: NodeJS.Timeout | undefined;
  #end: Error | undefined;

  private constructor(socket: Socket, keeps?: 'text') {
    this.#socket = socket;
    this.#stream = new DocumentStream({ bytes: VMSERVERD_ANSWER, elements: VMSERVERD_ANSWER_ELEMENTS }, keeps);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(new ConnectionLostError(describe(error), true, { cause: error })));
    socket.on('close', () => this.#fail(new ConnectionLostError('the connection was cut off', true)));
    socket.resume();
  }

  /** @param keeps `text`: answers are told as they came, too @throws as {@link logIn} */
  static async connect(
    address: VmserverdAddress,
    credentials: Credentials,
    signal: AbortSignal,
    keeps?: 'text',
  ): Promise<VmserverdClient> {
    return new VmserverdClient(await logIn(address, credentials, signal), keeps);
  }

  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Has an operation carried out.
   * @param args pieces of `<in>…</in>`, as a shape writes them
   * @throws OperationError as the server says it; ConnectionLostError and VmserverdAnswerError, whose `sent` says whether it may have
   *   been carried out; the signal's reason: then who has been told by `onSend` does not know either
   */
  async exec(operation: string, args: Iterable<string>, signal: AbortSignal, options: ExecOptions = {}): Promise<ExecAnswer> {
    return readAnswer((await this.execDocument([...writeRequest(operation, args)].join(''), signal, options)).root);
  }

  /** As {@link exec}, with what is said of it in one shape a message. @throws also OperationError UNEXPECTED_RESPONSE for what does not fit */
  async call<In, Out>(
    operation: string,
    { in: given, out }: { readonly in: Shape<In>; readonly out: Shape<Out> },
    args: In,
    signal: AbortSignal,
    options?: ExecOptions,
  ): Promise<Out> {
    const answer = await this.exec(operation, given.write('in', args), signal, options);
    try {
      return out.read(answer.out);
    } catch (error) {
      if (error instanceof OperationError)
        throw new VmserverdAnswerError(`its answer to ${operation} is not understood: ${error.message}`, true);
      throw error;
    }
  }

  /** Sends a whole document as it is: one that is one request, as {@link requestDocument} makes sure. @throws as {@link exec} but for OperationError */
  execDocument(document: string, signal: AbortSignal, options: ExecOptions = {}): Promise<WholeAnswer> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (this.#end !== undefined) throw withoutSending(this.#end);
      if (this.#questions.length >= VMSERVERD_CLIENT_WAITING)
        throw new ConnectionLostError('too many requests wait for the server already', false);
      const question: Question = { document, options, isSent: false, settle: undefined };
      const forget = onAbort(signal, (reason) => {
        question.settle?.reject(reason as Error);
        if (!question.isSent) this.#questions.splice(this.#questions.indexOf(question), 1);
      });
      const leave = (): void => {
        forget();
        question.settle = undefined;
      };
      question.settle = {
        resolve: (answer) => {
          leave();
          resolve(answer);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      this.#questions.push(question);
      if (this.#questions.length === 1) this.#send();
    });
  }

  /** What waits for its answer is lost. */
  close(): void {
    this.#fail(new ConnectionLostError('it was closed', true));
  }

  #send(): void {
    const [question] = this.#questions;
    if (question === undefined) return;
    const { answerTimeout = VMSERVERD_CLIENT_ANSWER, onSend } = question.options;
    // A late answer would be taken for that to the next request: so the connection ends with it.
    this.#timer = setTimeout(
      () => this.#fail(new ConnectionLostError(`no answer within ${answerTimeout / 1000} s`, true)),
      answerTimeout,
    );
    question.isSent = true;
    onSend?.();
    this.#socket.write(`${question.document}\0`);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const received of this.#stream.push(chunk)) {
        if (this.#end !== undefined) return;
        if (received.kind === 'document') this.#answered(received);
      }
    } catch (error) {
      this.#fail(new VmserverdAnswerError(`what it says is no answer of vmserverd: ${(error as Error).message}`, true));
    }
  }

  #answered(answer: WholeAnswer): void {
    const question = this.#questions[0];
    if (question === undefined) return this.#fail(new VmserverdAnswerError('it speaks unasked', true));
    clearTimeout(this.#timer);
    this.#questions.shift();
    question.settle?.resolve(answer);
    this.#send();
  }

  #fail(error: ConnectionLostError | VmserverdAnswerError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    clearTimeout(this.#timer);
    this.#socket.on('error', () => undefined).destroy();
    for (const { settle, isSent } of this.#questions.splice(0)) settle?.reject(isSent ? error : withoutSending(error));
  }
}

/** The end of a connection for one whose request had not gone out. */
const withoutSending = (error: Error): ConnectionLostError => new ConnectionLostError(error.message, false, { cause: error });
