import { FaultError, ForeignAnswerError } from './errors.js';
import { inBites, RECORD_LIMIT } from './records.js';

/** Bytes of a tag: XML-RPC's have no attributes. */
const TAG_LIMIT = 256;
/** Bytes of everything beside the records. */
const FRAME_LIMIT = 64 * 1024;

const [OPEN, CLOSE] = [...Buffer.from('<>')] as [number, number];

/** The structs that a record's member is inside of: the answer's, and that of its `Value`. */
const OUTSIDE = 2;

/**
 * Reads an XML-RPC answer to `CLASS.get_all_records` member by member, while it arrives: as a whole, a
 * thousand VMs would take everybody's turns for most of a second.
 * @param take is given each `<member>` with a handle and a record
 * @returns what remains of the answer: one without records, or an error
 * @throws ForeignAnswerError, what `take` throws
 */
export async function readXmlRecords(body: AsyncIterable<Buffer>, take: (member: string) => Promise<void>): Promise<Buffer> {
  const splitter = new MemberSplitter();
  await inBites(body, async (bite) => {
    for (const member of splitter.take(bite)) await take(member.toString('utf8'));
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
  *take(bite: Buffer): Generator<Buffer> {
    const text = this.#tag.length > 0 ? Buffer.concat([this.#tag, bite]) : bite;
    let done = 0;
    for (let at = text.indexOf(OPEN); at !== -1;) {
      const end = text.indexOf(CLOSE, at);
      if (end === -1) break;
      const tag = end - at > '</struct>'.length ? '' : text.toString('latin1', at, end + 1);
      if (tag === '<struct>') this.#depth += 1;
      else if (tag === '</struct>') this.#depth -= 1;
      else if (tag === '<member>' && this.#depth === OUTSIDE) done = this.#begin(text, done, at);
      else if (tag === '</member>' && this.#depth === OUTSIDE && this.#member) {
        this.#keep(text.subarray(done, end + 1));
        done = end + 1;
        yield Buffer.concat(this.#member);
        this.#member = undefined;
      }
      at = text.indexOf(OPEN, end);
    }
    const open = text.lastIndexOf(OPEN) > text.lastIndexOf(CLOSE) ? text.lastIndexOf(OPEN) : text.length;
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
