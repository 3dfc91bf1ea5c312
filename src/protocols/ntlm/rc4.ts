/**
 * The stream cipher RC4, which NTLM seals with. It is broken as ciphers go; where there is a choice, TLS
 * goes around it. OpenSSL 3 has it only with its legacy provider, which Node does not load.
 */
export class Rc4 {
  readonly #state = new Uint8Array(256);
  #i = 0;
  #j = 0;

  constructor(key: Uint8Array) {
    const state = this.#state;
    for (let i = 0; i < 256; i++) state[i] = i;
    for (let i = 0, j = 0; i < 256; i++) {
      const at = state[i] as number;
      j = (j + at + (key[i % key.length] as number)) & 255;
      state[i] = state[j] as number;
      state[j] = at;
    }
  }

  /** Enciphers or deciphers the next bytes of the stream. */
  update(input: Uint8Array): Buffer {
    const output = Buffer.allocUnsafe(input.length);
    const state = this.#state;
    // Locals, since a private field costs a look-up a byte.
    let i = this.#i;
    let j = this.#j;
    for (let at = 0; at < input.length; at++) {
      i = (i + 1) & 255;
      const left = state[i] as number;
      j = (j + left) & 255;
      const right = state[j] as number;
      state[i] = right;
      state[j] = left;
      output[at] = (input[at] as number) ^ (state[(left + right) & 255] as number);
    }
    this.#i = i;
    this.#j = j;
    return output;
  }
}
