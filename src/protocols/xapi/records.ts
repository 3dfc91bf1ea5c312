import { Slices } from '../../kit/slices.js';
import { ForeignAnswerError, toXapiError, FaultError } from './errors.js';

/** What is wanted of a record. It must not keep the record itself. */
export type Pick<T> = (record: Readonly<Record<string, unknown>>) => T;

/** Bytes of one record: a VM's has some thousands. */
export const RECORD_LIMIT = 4 * 1024 * 1024;
/** Bytes of everything beside the records and their handles. */
const FRAME_LIMIT = 64 * 1024;
/** Bytes that are looked at in one go: a few records. */
const PORTION = 4 * 1024;

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
  await inPortions(body, (portion) => splitter.take(portion));
  return splitter.end();
}

/** Works through an answer while it arrives, without keeping other connections waiting. */
export async function inPortions(body: AsyncIterable<Buffer>, work: (portion: Buffer) => void | Promise<void>): Promise<void> {
  const slices = new Slices();
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += PORTION) {
      await work(chunk.subarray(at, at + PORTION));
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

/** Values as XenAPI writes them, in either wire form. */

export type XapiRecord = Readonly<Record<string, unknown>>;

export const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Handles; those that mean none (`OpaqueRef:NULL`, or empty) are left out. */
export const refs = (value: unknown): string[] => (Array.isArray(value) ? value : [value]).map(text).filter((ref) => ref !== '' && ref !== 'OpaqueRef:NULL');

/** A handle; undefined where there is none. */
export const ref = (value: unknown): string | undefined => refs(value)[0];

/** An int64, which is a number in JSON and a text in XML-RPC; undefined where it is neither, or negative. */
export function bytes(value: unknown): bigint | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : /^\d+$/.test(text(value)) ? BigInt(text(value)) : undefined;
}

export const count = (value: unknown): number | undefined => {
  const whole = bytes(value);
  return whole === undefined ? undefined : Number(whole);
};

export const entries = (value: unknown): [string, string][] =>
  (typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value).map(([key, each]) => [key, text(each)]) : []);

/**
 * A date such as `20240101T00:00:00Z`, in ms since 1970.
 * @returns undefined for what is none, and for 1970 itself, by which XenAPI says "never"
 */
export function time(value: unknown): number | undefined {
  const iso = text(value instanceof Date ? value.toISOString() : value).replace(/^(\d{4})(\d\d)(\d\d)T/, '$1-$2-$3T');
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}

/** Bytes of a tag: XML-RPC's have no attributes. */
const TAG_LIMIT = 256;

const [TAG_OPEN, TAG_CLOSE] = [...Buffer.from('<>')] as [number, number];

/** The structs that a record's member is inside of: the answer's, and that of its `Value`. */
const OUTSIDE_TAGS = 2;

/**
 * Reads an XML-RPC answer to `CLASS.get_all_records` member by member, while it arrives: as a whole, a
 * thousand VMs would take everybody's turns for most of a second.
 * @param take is given each `<member>` with a handle and a record
 * @returns what remains of the answer: one without records, or an error
 * @throws ForeignAnswerError, what `take` throws
 */
export async function readXmlRecords(body: AsyncIterable<Buffer>, take: (member: string) => Promise<void>): Promise<Buffer> {
  const splitter = new MemberSplitter();
  await inPortions(body, async (portion) => {
    for (const member of splitter.take(portion)) await take(member.toString('utf8'));
  });
  return splitter.end();
}

/** Cuts the members out of the text. `<` is always a tag's: xapi writes neither comments nor CDATA. */
class MemberSplitter {
  readonly #frame: Buffer[] = [];
  #frameBytes = 0;
  #member: Buffer[] | undefined;
  #memberBytes = 0;
  /** structs that are open */
  #depth = 0;
  /** a tag of which the end has not come yet */
  #tag: Buffer = Buffer.alloc(0);

  /** @returns the members that end in it */
  *take(portion: Buffer): Generator<Buffer> {
    const text = this.#tag.length > 0 ? Buffer.concat([this.#tag, portion]) : portion;
    let done = 0;
    for (let at = text.indexOf(TAG_OPEN); at !== -1;) {
      const end = text.indexOf(TAG_CLOSE, at);
      if (end === -1) break;
      const tag = end - at > '</struct>'.length ? '' : text.toString('latin1', at, end + 1);
      if (tag === '<struct>') this.#depth += 1;
      else if (tag === '</struct>') this.#depth -= 1;
      else if (tag === '<member>' && this.#depth === OUTSIDE_TAGS) done = this.#begin(text, done, at);
      else if (tag === '</member>' && this.#depth === OUTSIDE_TAGS && this.#member) {
        this.#keep(text.subarray(done, end + 1));
        done = end + 1;
        yield Buffer.concat(this.#member);
        this.#member = undefined;
      }
      at = text.indexOf(TAG_OPEN, end);
    }
    const open = text.lastIndexOf(TAG_OPEN) > text.lastIndexOf(TAG_CLOSE) ? text.lastIndexOf(TAG_OPEN) : text.length;
    this.#keep(text.subarray(done, open));
    this.#tag = text.subarray(open);
    if (this.#tag.length > TAG_LIMIT) throw new ForeignAnswerError('its answer is not of XML-RPC');
  }

  end(): Buffer {
    if (this.#member !== undefined || this.#depth !== 0 || this.#tag.length > 0) throw new ForeignAnswerError('its answer is cut off');
    return Buffer.concat(this.#frame);
  }

  #begin(text: Buffer, done: number, at: number): number {
    this.#keep(text.subarray(done, at));
    this.#member = [];
    this.#memberBytes = 0;
    return at;
  }

  #keep(part: Buffer): void {
    if (this.#member) {
      this.#member.push(part);
      this.#memberBytes += part.length;
      if (this.#memberBytes > RECORD_LIMIT) throw new ForeignAnswerError('a record of its answer does not end');
      return;
    }
    this.#frame.push(part);
    this.#frameBytes += part.length;
    if (this.#frameBytes > FRAME_LIMIT) throw new ForeignAnswerError('its answer is too long');
  }
}

/** What a leaf holds counts, be it white space alone; between other tags it does not. */
const FILLER = /(<(value|string|name)>\s+(?=<\/\2>))|(<[^<>]*>)\s+(?=<)/g;
/** xen-api's reader takes these for no value at all. */
const EMPTY_STRING = /<string\s*\/>|<string><\/string>/g;
const FAULT = /^[^]{0,200}?<methodResponse>\s*<fault>/;
const FAULT_WORDS = /<name>\s*faultString\s*<\/name>\s*<value>\s*(?:<string>)?([^<]*)/;

/**
 * An answer as xen-api's reader takes it, which knows XML-RPC only in the form in which xapi writes it:
 * without the line breaks of other servers, and with empty strings that are strings.
 * @throws FaultError where it is a fault
 */
export function normalizeXml(answer: Buffer): Buffer {
  const xml = answer.toString('utf8');
  if (FAULT.test(xml)) throw new FaultError(`its answer is a fault: ${FAULT_WORDS.exec(xml)?.[1]?.trim() ?? 'without words'}`);
  return Buffer.from(xml.replace(FILLER, (_all, leaf: string | undefined, _name, tag: string | undefined) => leaf ?? tag ?? '').replace(EMPTY_STRING, ''));
}
