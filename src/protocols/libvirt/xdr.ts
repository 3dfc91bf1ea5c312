/**
 * XDR (RFC 4506), as much of it as libvirt's RPC uses. Everything is big-endian and padded to four
 * bytes. The reader trusts nothing: every length is checked against its limit and against what is
 * left before anything is allocated.
 */

/** The bytes are not what the protocol says they are: cut short, too long, absurd. */
export class XdrError extends Error {
  override readonly name = 'XdrError';
}

/** REMOTE_STRING_MAX of libvirt's remote_protocol.x, bytes. */
export const MAX_STRING_BYTES = 4_194_304;

const padding = (length: number): number => (4 - (length & 3)) & 3;

/** Builds the body of a message. */
export class XdrWriter {
  readonly #parts: Buffer[] = [];

  /** `int` and `unsigned int` alike, modulo 2³². */
  int(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value | 0);
    this.#parts.push(part);
    return this;
  }

  /** `hyper` and `unsigned hyper` alike, modulo 2⁶⁴. */
  hyper(value: bigint): this {
    const part = Buffer.allocUnsafe(8);
    part.writeBigInt64BE(BigInt.asIntN(64, value));
    this.#parts.push(part);
    return this;
  }

  /** `opaque name[n]`: its length is not on the wire. */
  fixed(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    const gap = padding(bytes.length);
    if (gap > 0) this.#parts.push(Buffer.alloc(gap));
    return this;
  }

  /** @throws XdrError when the text is longer than libvirt takes */
  string(text: string): this {
    const bytes = Buffer.from(text);
    if (bytes.length > MAX_STRING_BYTES) throw new XdrError(`a string of ${bytes.length} bytes is too long`);
    return this.int(bytes.length).fixed(bytes);
  }

  /** `string *`: null is not the same as empty. */
  optionalString(text: string | null): this {
    return text === null ? this.int(0) : this.int(1).string(text);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Reads the body of a message from its start. Every method throws {@link XdrError} on bad bytes. */
export class XdrReader {
  #at = 0;

  constructor(readonly body: Buffer) {}

  /** bytes not read yet */
  get left(): number {
    return this.body.length - this.#at;
  }

  #take(length: number): number {
    if (length > this.left) throw new XdrError(`${length} bytes expected, ${this.left} left`);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  int(): number {
    return this.body.readInt32BE(this.#take(4));
  }

  unsigned(): number {
    return this.body.readUInt32BE(this.#take(4));
  }

  hyper(): bigint {
    return this.body.readBigInt64BE(this.#take(8));
  }

  unsignedHyper(): bigint {
    return this.body.readBigUInt64BE(this.#take(8));
  }

  double(): number {
    return this.body.readDoubleBE(this.#take(8));
  }

  /** A copy, so that one small field does not keep a whole packet in memory. */
  fixed(length: number): Buffer {
    const at = this.#take(length + padding(length));
    return Buffer.from(this.body.subarray(at, at + length));
  }

  string(limit = MAX_STRING_BYTES): string {
    const length = this.unsigned();
    if (length > limit) throw new XdrError(`a string of ${length} bytes is longer than ${limit}`);
    const at = this.#take(length + padding(length));
    return this.body.toString('utf8', at, at + length);
  }

  optionalString(): string | null {
    return this.optional(() => this.string());
  }

  optional<T>(read: () => T): T | null {
    const present = this.unsigned();
    if (present > 1) throw new XdrError(`a truth value of ${present}`);
    return present === 1 ? read() : null;
  }

  /** `type name<limit>`. @param limit as of {@link count} */
  array<T>(limit: number, read: () => T): T[] {
    return Array.from({ length: this.count(limit) }, read);
  }

  /**
   * What a list begins with.
   * @param limit elements; what is left must hold at least four bytes for each, so that a lying count
   *   ends before it costs anything
   */
  count(limit: number): number {
    const count = this.unsigned();
    if (count > limit) throw new XdrError(`a list of ${count} is longer than ${limit}`);
    if (count * 4 > this.left) throw new XdrError(`a list of ${count} in ${this.left} bytes`);
    return count;
  }
}
