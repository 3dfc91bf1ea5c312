import type { Actor } from '../../instances/actor.js';
import { OPERATIONS as OPERATION_TABLE } from '../../instances/operation-table.js';
import { ArgoError, causeOf, toArgoError } from '../../kit/errors.js';
import type { Log } from '../../kit/log.js';
import { Slices } from '../../kit/slices.js';
import { formatDuration } from '../../kit/text.js';
import { VMSERVERD_CALL_LONGEST, VMSERVERD_PIECE } from '../../kit/vmserverd-limits.js';
import { onAbort, unlessAborted } from '../../kit/within.js';
import { CODES, OperationError } from '../../protocols/vmserverd/codes.js';
import { AnswerWriter, inBlocks, readRequest, type Product } from '../../protocols/vmserverd/envelope.js';
import type { Element, Shape } from '../../protocols/vmserverd/shape.js';
import type { Member } from '../contract.js';
import type { LastWord } from '../shared/ends-early.js';
import type { Outflow } from './door/outflow.js';
import { toOperationError } from './faults.js';
import { OPERATIONS } from './operations/index.js';
import type { Parts } from './operations/parts.js';
import type { AnyRow, Asked } from './operations/row.js';

/** Who asks. */
export interface Caller {
  readonly member: Member;
  /** of the client, without and with its port */
  readonly address: string;
  readonly from: string;
  /** aborted when the client has gone */
  readonly gone: AbortSignal;
  /** what its operations work with */
  readonly parts: Parts;
}

export interface CallsParts {
  readonly log: Log;
  product(): Product;
  readonly lastWord: LastWord;
}

/** A row whose shapes are not known here. */
type Row = AnyRow<Parts> & { readonly in: Shape<unknown>; readonly out: Shape<unknown>; run(asked: Asked<unknown, Parts>): unknown };

/** What a request is asked with. Most ask for less than all of it: what few need is made when they do. */
class Question implements Asked<unknown, Parts> {
  readonly args: unknown;
  readonly parts: Parts;
  readonly #caller: Caller;
  readonly #lastWord: AbortSignal;
  #actor: Actor | undefined;
  #controller: AbortController | undefined;
  #forget: (() => void)[] = [];

  constructor(args: unknown, caller: Caller, lastWord: AbortSignal) {
    this.args = args;
    this.parts = caller.parts;
    this.#caller = caller;
    this.#lastWord = lastWord;
  }

  get account(): string {
    return this.#caller.member.name;
  }

  get actor(): Actor {
    return this.#actor ??= this.#caller.member.actor(this.#caller.from);
  }

  get accountSignal(): AbortSignal {
    return this.#caller.member.signal;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = this.#controller = new AbortController();
      const timer = setTimeout(() => controller.abort(new ArgoError('TIMEOUT', `no end in ${formatDuration(VMSERVERD_CALL_LONGEST)}; what was begun goes on`)), VMSERVERD_CALL_LONGEST);
      const { gone, member } = this.#caller;
      const ends = [gone, member.signal, this.#lastWord];
      this.#forget = [() => clearTimeout(timer), ...ends.map((signal) => onAbort(signal, (reason) => controller.abort(reason)))];
    }
    return this.#controller.signal;
  }

  over(): void {
    this.#forget.forEach((forget) => forget());
  }
}

/** Carries requests out: finds the row, checks who asks and what, runs it and writes the answer. */
export class Calls {
  readonly #parts: CallsParts;
  #writer: AnswerWriter;
  #requests = 0;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    this.#writer = new AnswerWriter(parts.product());
  }

  /** requests so far */
  get requests(): number {
    return this.#requests;
  }

  /** The table has changed. */
  renew(): void {
    this.#writer = new AnswerWriter(this.#parts.product());
  }

  failure(error: OperationError): string {
    return this.#writer.failure(error);
  }

  /**
   * Answers one document; what ends it is the caller's to write.
   * @returns undefined where the whole answer is in `out` already
   * @throws what happens when half of an answer was written: only the end of the connection can tell
   */
  answer(root: Element, caller: Caller, out: Outflow): Promise<void> | undefined {
    this.#requests += 1;
    let name = '';
    let question: Question | undefined;
    try {
      const { operation, in: args } = readRequest(root);
      name = operation;
      const row = rowOf(operation, caller);
      question = new Question(row.in.read(args), caller, this.#parts.lastWord.signal);
      const result = row.run(question);
      if (result instanceof Promise) return this.#later(name, row, result, question, out);
      return this.#write(row, result, out);
    } catch (thrown) {
      question?.over();
      out.append(this.#failed(name, thrown));
      return undefined;
    }
  }

  async #later(name: string, row: Row, result: Promise<unknown>, question: Question, out: Outflow): Promise<void> {
    let value: unknown;
    try {
      value = await unlessAborted(result, question.signal);
    } catch (thrown) {
      out.append(this.#failed(name, this.#parts.lastWord.told(thrown, onlyReads(row))));
      return;
    } finally {
      question.over();
    }
    await this.#write(row, value, out);
  }

  /** A short answer at once; a long one in blocks, as they are made, with others in between. */
  #write(row: Row, value: unknown, out: Outflow): Promise<void> | undefined {
    const pieces = this.#writer.success(row.out.write('out', value));
    if (Array.isArray(pieces)) {
      pieces.forEach((piece: string) => out.append(piece));
      return undefined;
    }
    const blocks = inBlocks(pieces, VMSERVERD_PIECE);
    const first = blocks.next();
    if (first.done === true) return undefined;
    if (first.value.length >= VMSERVERD_PIECE) return stream(first.value, blocks, out);
    out.append(first.value);
    return undefined;
  }

  #failed(operation: string, thrown: unknown): string {
    if (!(thrown instanceof OperationError) && toArgoError(thrown).phrase === 'INTERNAL ERROR') this.#parts.log('error', 'operation failed', { operation, cause: thrown instanceof ArgoError ? causeOf(thrown) : thrown });
    return this.#writer.failure(toOperationError(thrown));
  }
}

async function stream(first: string, blocks: Iterable<string>, out: Outflow): Promise<void> {
  const slices = new Slices();
  out.append(first);
  for (const block of blocks) {
    out.append(block);
    const full = out.drain();
    if (full !== undefined) await full;
    if (slices.isOverNow()) await slices.pause();
  }
}

/** Whether it can have begun nothing that goes on. */
const onlyReads = ({ operation, operations }: Row): boolean =>
  operations === undefined && operation !== undefined && OPERATION_TABLE[operation].right === 'read';

/** @throws OperationError */
function rowOf(operation: string, { member, from }: Caller): Row {
  const row = OPERATIONS.get(operation);
  if (row === undefined) throw new OperationError(CODES.UNKNOWN_OPERATION, `there is no operation ${operation}; VMServerd_GetOperationTable lists them`);
  // before its arguments are looked at
  if (row.access === 'rootonly' && !member.actor(from).mayAll()) throw new OperationError(CODES.NO_PERMISSION, 'NOT ALLOWED: this is for accounts with every right on everything');
  return row as Row;
}
