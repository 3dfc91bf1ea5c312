import { Slices } from '../../kit/slices.js';
import { ForeignAnswerError, toXapiError } from './errors.js';

/** What is wanted of a record. It must not keep the record itself. */
export type Pick<T> = (record: Readonly<Record<string, unknown>>) => T;

/** Bytes of one record: a VM's has some thousands. */
export const RECORD_LIMIT = 4 * 1024 * 1024;
/** Bytes of everything beside the records and their handles. */
const FRAME_LIMIT = 64 * 1024;
/** Bytes that are looked at in one go: a few records. */
const BITE = 4 * 1024;

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
  const slices = new Slices();
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += BITE) {
      await work(chunk.subarray(at, at + BITE));
      if (slices.isOverNow()) await slices.pause();
    }
  }
}

/** A handle before its record, and what stands before that. */
const HANDLE = /^([^]*?)("(?:[^"\\]|\\.)*")\s*:\s*$/;

/**
 * Cuts the records and their handles out of the text, so that none of it is kept, and nothing is left
 * to be done in one go at the end. In what remains, the frame, one member stands for all of them.
 */
class RecordSplitter<T> {
  readonly #pick: Pick<T>;
  readonly #picked = new Map<string, T>();
  /** what remains up to the first record, and after the last one that was read */
  #head = '';
  #frame: Buffer[] = [];
  #frameBytes = 0;
  #handle = '';
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
    if (Object.keys(result).length !== Math.min(this.#picked.size, 1)) throw new ForeignAnswerError('its answer holds other things than records');
    return this.#picked;
  }

  #parseFrame(): { readonly result?: unknown; readonly error?: unknown } {
    try {
      const frame: unknown = JSON.parse(this.#head + this.#takeFrame());
      if (typeof frame === 'object' && frame !== null) return frame;
    } catch {
      throw new ForeignAnswerError('its answer is cut off, or is not JSON');
    }
    throw new ForeignAnswerError('its answer is not of JSON-RPC');
  }

  #beginRecord(chunk: Buffer, start: number, at: number): number {
    this.#addFrame(chunk.subarray(start, at));
    const [, before = '', handle] = HANDLE.exec(this.#takeFrame()) ?? [];
    if (handle === undefined) throw new ForeignAnswerError('its answer holds other things than records');
    if (this.#picked.size === 0) this.#head = `${before}"":0`;
    else if (before.trim() !== ',') throw new ForeignAnswerError('its answer holds other things than records');
    this.#handle = handle;
    return at;
  }

  #endRecord(chunk: Buffer, start: number, end: number): number {
    this.#keep(chunk.subarray(start, end));
    const text = (this.#record.length === 1 ? this.#record[0]! : Buffer.concat(this.#record)).toString('utf8');
    this.#record = [];
    this.#recordBytes = 0;
    try {
      this.#picked.set(JSON.parse(this.#handle) as string, this.#pick(JSON.parse(text) as Record<string, unknown>));
    } catch (error) {
      throw error instanceof SyntaxError ? new ForeignAnswerError('a record of its answer is not JSON') : error;
    }
    return end;
  }

  #keep(part: Buffer): void {
    this.#recordBytes += part.length;
    if (this.#recordBytes > RECORD_LIMIT) throw new ForeignAnswerError('a record of its answer does not end');
    this.#record.push(part);
  }

  #takeFrame(): string {
    const text = (this.#frame.length === 1 ? this.#frame[0]! : Buffer.concat(this.#frame)).toString('utf8');
    this.#frame = [];
    this.#frameBytes = 0;
    return text;
  }

  #addFrame(part: Buffer): void {
    this.#frame.push(part);
    this.#frameBytes += part.length;
    if (this.#frameBytes > FRAME_LIMIT) throw new ForeignAnswerError('its answer is too long');
  }
}
