import { createDeflate, createInflate, deflate, deflateSync, inflate, inflateSync, type Deflate, type InputType, type ZlibOptions } from 'node:zlib';
import {
  ZABBIX_CONFIGURATION_RAW,
  ZABBIX_CONFIGURATION_WIRE,
  ZABBIX_DEFLATE_LEVEL,
  ZABBIX_ENCODED_AT_ONCE,
  ZABBIX_INFLATE_AT_ONCE,
  ZABBIX_INFLATE_RATIO,
  ZABBIX_MESSAGE_RAW,
  ZABBIX_MESSAGE_WIRE,
  ZABBIX_ZLIB_AT_ONCE,
  ZABBIX_ZLIB_CHUNK,
} from '../../kit/zabbix-limits.js';
import { giveWay } from '../../kit/slices.js';
import { formatBytes } from '../../kit/text.js';
import { ZabbixError } from './errors.js';

/**
 * The frame around each message: `ZBXD`, a byte of flags, the length of what follows and a second number, which is the
 * raw size where that is packed with zlib. Both numbers are little-endian, of 4 bytes, or of 8 in a large frame
 * (https://www.zabbix.com/documentation/6.0/en/manual/appendix/protocols/header_datalen).
 */

const MAGIC = Buffer.from('ZBXD', 'latin1');
const PROTOCOL = 1;
const PACKED = 2;
const LARGE = 4;
const HEADER = 13;
const LARGE_HEADER = 21;
const U32_MAX = 0xffff_ffff;
const ENCODER = new TextEncoder();

/** How much is taken of others, bytes: of a frame's content on the wire, and of what it unpacks to. */
export interface FrameLimits {
  readonly wire: number;
  readonly raw: number;
}

export const MESSAGE_LIMITS: FrameLimits = { wire: ZABBIX_MESSAGE_WIRE, raw: ZABBIX_MESSAGE_RAW };
export const CONFIGURATION_LIMITS: FrameLimits = { wire: ZABBIX_CONFIGURATION_WIRE, raw: ZABBIX_CONFIGURATION_RAW };

interface FrameOptions {
  /** with zlib, as proxies always send; a server answers in kind */
  readonly packed: boolean;
  /** with numbers of 8 bytes, which a 6.0 proxy in passive mode does not take */
  readonly large?: boolean;
}

/** What a frame's first bytes say of it. */
export interface FrameHeader extends Required<FrameOptions> {
  /** bytes of the header itself */
  readonly header: number;
  /** bytes that follow */
  readonly wire: number;
  /** bytes when it is unpacked */
  readonly raw: number;
}

/** A message as it came. Its text is UTF-8. */
export interface Frame extends Required<FrameOptions> {
  readonly content: Buffer;
}

interface Work {
  readonly atOnce: (from: InputType, options: ZlibOptions) => Buffer;
  /** in zlib's thread pool */
  readonly inThread: (from: InputType, options: ZlibOptions, told: (error: Error | null, result: Buffer) => void) => void;
}

const PACKING: Work = { atOnce: deflateSync, inThread: deflate };
const UNPACKING: Work = { atOnce: inflateSync, inThread: inflate };

/** A short message has more trouble with the way to a thread, and a start with making threads, than with the work. @param raw bytes of what is not packed */
async function zlib({ atOnce, inThread }: Work, from: Buffer, raw: number, options: ZlibOptions): Promise<Buffer> {
  // either may be what takes its time: megabytes can unpack to nothing
  if (Math.max(from.length, raw) <= ZABBIX_ZLIB_AT_ONCE) return atOnce(from, options);
  return new Promise((resolve, reject) => {
    inThread(from, { chunkSize: ZABBIX_ZLIB_CHUNK, ...options }, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

/**
 * A message as it goes over the wire.
 * @throws ZabbixError OWN where it does not fit
 */
export async function encodeFrame(message: string, { packed, large = false }: FrameOptions): Promise<Buffer> {
  // a long message takes some ms to put together, to encode, and to hand to zlib
  await giveWay();
  const raw = Buffer.from(message);
  await giveWay();
  const content = packed ? await zlib(PACKING, raw, raw.length, { level: ZABBIX_DEFLATE_LEVEL }) : raw;
  return Buffer.concat([header(content.length, raw.length, { packed, large }), content]);
}

/** @throws ZabbixError OWN where the content does not fit */
function header(wire: number, raw: number, { packed, large = false }: FrameOptions): Buffer {
  if (!large && Math.max(raw, wire) > U32_MAX) throw new ZabbixError('OWN', `a message of ${formatBytes(BigInt(raw))} needs a large frame`);
  const header = Buffer.alloc(large ? LARGE_HEADER : HEADER);
  MAGIC.copy(header);
  header[4] = PROTOCOL | (packed ? PACKED : 0) | (large ? LARGE : 0);
  const second = packed ? raw : 0;
  if (large) {
    header.writeBigUInt64LE(BigInt(wire), 5);
    header.writeBigUInt64LE(BigInt(second), 13);
  } else {
    header.writeUInt32LE(wire, 5);
    header.writeUInt32LE(second, 9);
  }
  return header;
}

/** A packed message whose first part is known before the rest: that is packed while there is time. */
export class BegunFrame {
  readonly #deflate: Deflate = createDeflate({ level: ZABBIX_DEFLATE_LEVEL, chunkSize: ZABBIX_ZLIB_CHUNK });
  readonly #pieces: Buffer[] = [];
  readonly #packed: Promise<void>;
  readonly #begun: Promise<void>;
  /** what goes to zlib next: a long text is not encoded in one go, which would take its time, and as much memory once more */
  readonly #chunk = Buffer.allocUnsafeSlow(ZABBIX_ENCODED_AT_ONCE);
  #raw = 0;

  /** @param beginning in pieces, which are not put together: that takes as much memory once more */
  constructor(beginning: readonly string[]) {
    this.#packed = new Promise((resolve, reject) => {
      this.#deflate.on('data', (piece: Buffer) => this.#pieces.push(piece)).once('end', resolve).once('error', reject);
    });
    // told to whoever finishes it
    this.#packed.catch(() => undefined);
    this.#begun = this.#write(beginning);
  }

  /** @returns the message as it goes over the wire @throws ZabbixError OWN where it does not fit */
  async finish(rest: string): Promise<Buffer> {
    await this.#begun;
    await this.#write([rest]);
    this.#deflate.end();
    await this.#packed;
    const wire = this.#pieces.reduce((sum, { length }) => sum + length, 0);
    return Buffer.concat([header(wire, this.#raw, { packed: true }), ...this.#pieces]);
  }

  /** It is not wanted any more. */
  drop(): void {
    this.#deflate.destroy();
  }

  async #write(texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      for (let at = 0; at < text.length && !this.#deflate.destroyed;) {
        // as much as has room, and no half of a character
        const { read, written } = ENCODER.encodeInto(text.slice(at), this.#chunk);
        this.#raw += written;
        at += read;
        await new Promise<unknown>((resolve) => this.#deflate.write(this.#chunk.subarray(0, written), resolve));
      }
    }
  }
}

/**
 * Reads a frame's header, as far as it is there.
 * @returns undefined where more is needed
 * @throws ZabbixError GARBAGE, LARGE as soon as what is there is wrong
 */
export function readHeader(bytes: Buffer, limits: FrameLimits): FrameHeader | undefined {
  const seen = Math.min(bytes.length, MAGIC.length);
  if (bytes.compare(MAGIC, 0, seen, 0, seen) !== 0) throw new ZabbixError('GARBAGE', 'what came does not begin as a message of Zabbix does');
  const flags = bytes[4];
  if (flags === undefined) return undefined;
  if ((flags & PROTOCOL) === 0) throw new ZabbixError('GARBAGE', `a message without the flag of the protocol (flags ${flags})`);
  if (flags > (PROTOCOL | PACKED | LARGE)) throw new ZabbixError('GARBAGE', `a message with flags that are not known (${flags})`);
  const large = (flags & LARGE) !== 0;
  const packed = (flags & PACKED) !== 0;
  const header = large ? LARGE_HEADER : HEADER;
  if (bytes.length < header) return undefined;
  const wire = large ? bytes.readBigUInt64LE(5) : BigInt(bytes.readUInt32LE(5));
  const second = large ? bytes.readBigUInt64LE(13) : BigInt(bytes.readUInt32LE(9));
  const raw = packed ? second : wire;
  checkSizes(wire, raw, packed, limits);
  return { header, packed, large, wire: Number(wire), raw: Number(raw) };
}

function checkSizes(wire: bigint, raw: bigint, packed: boolean, limits: FrameLimits): void {
  if (wire > BigInt(limits.wire)) throw new ZabbixError('LARGE', `a message of ${formatBytes(wire)}, which is more than ${formatBytes(BigInt(limits.wire))}`);
  if (raw > BigInt(limits.raw)) throw new ZabbixError('LARGE', `a message that unpacks to ${formatBytes(raw)}, which is more than ${formatBytes(BigInt(limits.raw))}`);
  if (wire === 0n) throw new ZabbixError('GARBAGE', 'a message without content');
  if (packed && raw > wire * BigInt(ZABBIX_INFLATE_RATIO)) {
    throw new ZabbixError('GARBAGE', `a message of ${formatBytes(wire)} cannot unpack to the ${formatBytes(raw)} that it claims`);
  }
}

/**
 * What a frame holds.
 * @param content its bytes on the wire, all of them
 * @throws ZabbixError GARBAGE where it is not what its header says
 */
export async function unpack({ packed, raw }: FrameHeader, content: Buffer): Promise<Buffer> {
  if (!packed) return content;
  let unpacked: Buffer;
  try {
    // one byte more than claimed, so that a bomb ends there and is known by it
    unpacked = await (raw > ZABBIX_INFLATE_AT_ONCE ? inflateLong(content, raw) : zlib(UNPACKING, content, raw, { maxOutputLength: raw + 1 }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new ZabbixError('GARBAGE', `a message that unpacks to more than the ${formatBytes(BigInt(raw))} that it claims`);
    throw new ZabbixError('GARBAGE', `a message that cannot be unpacked (${code ?? (error as Error).message})`, { cause: error });
  }
  if (unpacked.length !== raw) throw new ZabbixError('GARBAGE', `a message that unpacks to ${unpacked.length} bytes and claims ${raw}`);
  return unpacked;
}

/** Each piece is put into its place as it comes: putting hundreds of megabytes together at the end would hold up all others. */
function inflateLong(content: Buffer, raw: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const whole = Buffer.allocUnsafeSlow(raw);
    let size = 0;
    const stream = createInflate({ chunkSize: ZABBIX_ZLIB_CHUNK });
    stream.on('data', (piece: Buffer) => {
      if (size + piece.length > raw) stream.destroy(Object.assign(new Error('longer than it claims'), { code: 'ERR_BUFFER_TOO_LARGE' }));
      else piece.copy(whole, size);
      size += piece.length;
    });
    stream.on('error', reject);
    stream.on('end', () => resolve(size === raw ? whole : whole.subarray(0, size)));
    stream.end(content);
  });
}

/**
 * The JSON of a small message.
 * @throws ZabbixError GARBAGE where it is none, or no object
 */
export function parseMessage(content: Buffer): Readonly<Record<string, unknown>> {
  let message: unknown;
  try {
    message = JSON.parse(content.toString());
  } catch (error) {
    throw new ZabbixError('GARBAGE', 'a message that is not JSON', { cause: error });
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) throw new ZabbixError('GARBAGE', 'a message that is not a JSON object');
  return message as Readonly<Record<string, unknown>>;
}
