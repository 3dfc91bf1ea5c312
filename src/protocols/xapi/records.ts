import { setImmediate as turn } from 'node:timers/promises';
import { ForeignAnswerError, toXapiError } from './errors.js';

/** What is wanted of a record. It must not keep the record itself. */
export type Pick<T> = (record: Readonly<Record<string, unknown>>) => T;

/** Bytes of one record: a VM's has some thousands. */
export const RECORD_LIMIT = 4 * 1024 * 1024;
/** Bytes of everything beside the records: their handles. */
const FRAME_LIMIT = 16 * 1024 * 1024;
/** Work in one go before other connections have their turn, ms. */
const SLICE_MS = 1;
/** Bytes that are looked at in one go: some records. */
const BITE = 8 * 1024;

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [...Buffer.from('"\\{}[]')] as [number, number, number, number, number, number];

/** The braces that a record is inside of: the answer's, and those of its `result`. */
const OUTSIDE = 2;

/**
 * Reads a JSON-RPC answer to `CLASS.get_all_records`, `{"result": {"OpaqueRef:…": {…}, …}}`, record by
 * record, while it arrives. Each is let go as soon as `pick` has seen it.
 * @returns what was picked, by handle
 * @throws XapiError where the answer is one; ForeignAnswerError
 */
export async function readRecords<T>(body: AsyncIterable<Buffer>, pick: Pick<T>): Promise<Map<string, T>> {
  const splitter = new RecordSplitter(pick);
  await inBites(body, (bite) => splitter.take(bite));
  return splitter.end();
}

/** Works through an answer while it arrives, without keeping other connections waiting. */
export async function inBites(body: AsyncIterable<Buffer>, work: (bite: Buffer) => void | Promise<void>): Promise<void> {
  let began = performance.now();
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += BITE) {
      await work(chunk.subarray(at, at + BITE));
      if (performance.now() - began < SLICE_MS) continue;
      await turn();
      began = performance.now();
    }
  }
}

/** Cuts the records out of the text. What remains is the frame, in which each is replaced by a 0. */
class RecordSplitter<T> {
  readonly #pick: Pick<T>;
  readonly #picked: T[] = [];
  readonly #frame: Buffer[] = [];
  #frameBytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** what earlier chunks hold of the record that is being read */
  #record: Buffer[] = [];
  #recordBytes = 0;

  constructor(pick: Pick<T>) {
    this.#pick = pick;
  }

  take(chunk: Buffer): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPEN || byte === OPEN_LIST) {
        if (this.#depth === OUTSIDE && byte === OPEN) start = this.#beginRecord(chunk, start, at);
        this.#depth += 1;
      } else if (byte === CLOSE || byte === CLOSE_LIST) {
        this.#depth -= 1;
        if (this.#depth === OUTSIDE && byte === CLOSE) start = this.#endRecord(chunk, start, at + 1);
      }
    }
    const rest = chunk.subarray(start);
    if (this.#depth > OUTSIDE) this.#keep(rest);
    else this.#addFrame(rest);
  }

  end(): Map<string, T> {
    const { result, error } = this.#parseFrame();
    if (error !== undefined && error !== null) throw toXapiError(error);
    // An answer without records is no pool without VMs.
    if (typeof result !== 'object' || result === null) throw new ForeignAnswerError('its answer holds no records');
    const refs = Object.keys(result);
    if (refs.length !== this.#picked.length) throw new ForeignAnswerError('its answer holds other things than records');
    return new Map(refs.map((ref, index) => [ref, this.#picked[index]!]));
  }

  #parseFrame(): { readonly result?: unknown; readonly error?: unknown } {
    try {
      const frame: unknown = JSON.parse(Buffer.concat(this.#frame).toString('utf8'));
      if (typeof frame === 'object' && frame !== null) return frame;
    } catch {
      throw new ForeignAnswerError('its answer is cut off, or is not JSON');
    }
    throw new ForeignAnswerError('its answer is not of JSON-RPC');
  }

  #beginRecord(chunk: Buffer, start: number, at: number): number {
    this.#addFrame(chunk.subarray(start, at));
    return at;
  }

  #endRecord(chunk: Buffer, start: number, end: number): number {
    this.#keep(chunk.subarray(start, end));
    const text = (this.#record.length === 1 ? this.#record[0]! : Buffer.concat(this.#record)).toString('utf8');
    this.#record = [];
    this.#recordBytes = 0;
    try {
      this.#picked.push(this.#pick(JSON.parse(text) as Record<string, unknown>));
    } catch (error) {
      throw error instanceof SyntaxError ? new ForeignAnswerError('a record of its answer is not JSON') : error;
    }
    this.#addFrame(Buffer.from('0'));
    return end;
  }

  #keep(part: Buffer): void {
    this.#recordBytes += part.length;
    if (this.#recordBytes > RECORD_LIMIT) throw new ForeignAnswerError('a record of its answer does not end');
    this.#record.push(part);
  }

  #addFrame(part: Buffer): void {
    this.#frame.push(part);
    this.#frameBytes += part.length;
    if (this.#frameBytes > FRAME_LIMIT) throw new ForeignAnswerError('its answer is too long');
  }
}
