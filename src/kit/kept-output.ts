/** One output of a command, up to a limit: what comes after is thrown away. */
export class KeptOutput {
  readonly #chunks: Buffer[] = [];
  #size = 0;
  /** whether there was more */
  truncated = false;
  readonly #limit: number;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    const room = this.#limit - this.#size;
    if (chunk.length > room) this.truncated = true;
    if (room <= 0) return;
    const part = chunk.subarray(0, room);
    this.#chunks.push(part);
    this.#size += part.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
