import { timingSafeEqual } from 'node:crypto';
import { NtlmError } from './errors.js';
import { hmacMd5, md5 } from './primitives.js';
import { Rc4 } from './rc4.js';

/** NTLMSSP_MESSAGE_SIGNATURE ([MS-NLMP] 2.2.2.9.2), bytes. */
export const SIGNATURE_LENGTH = 16;

type Direction = 'client-to-server' | 'server-to-client';

/** SIGNKEY and SEALKEY ([MS-NLMP] 3.4.5.2 and 3.4.5.3), with extended session security and 128 bits. */
const deriveKey = (sessionKey: Buffer, direction: Direction, use: 'signing' | 'sealing'): Buffer =>
  md5(sessionKey, Buffer.from(`session key to ${direction} ${use} key magic constant\0`, 'latin1'));

/** One direction of a session: its keys and the place in its stream. */
class Stream {
  readonly #signingKey: Buffer;
  readonly #cipher: Rc4;
  #sequence = 0;

  constructor(sessionKey: Buffer, direction: Direction) {
    this.#signingKey = deriveKey(sessionKey, direction, 'signing');
    this.#cipher = new Rc4(deriveKey(sessionKey, direction, 'sealing'));
  }

  cipher(bytes: Uint8Array): Buffer {
    return this.#cipher.update(bytes);
  }

  /** MAC ([MS-NLMP] 3.4.4.2) with key exchange. Comes after the message in the stream, though before it on the wire. */
  sign(message: Uint8Array): Buffer {
    const signature = Buffer.alloc(SIGNATURE_LENGTH);
    signature.writeUInt32LE(1, 0);
    signature.writeUInt32LE(this.#sequence, 12);
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#cipher.update(hmacMd5(this.#signingKey, signature.subarray(12), message).subarray(0, 8)).copy(signature, 4);
    return signature;
  }
}

/** What {@link NtlmSealing.seal} makes of a message. */
export interface Sealed {
  readonly signature: Buffer;
  readonly ciphertext: Buffer;
}

/** The session security of one login: messages are sealed, and must be opened, in the order in which they are sent. */
export class NtlmSealing {
  readonly #outgoing: Stream;
  readonly #incoming: Stream;

  /** @param sessionKey ExportedSessionKey, 16 bytes */
  constructor(sessionKey: Buffer, side: 'client' | 'server' = 'client') {
    const [there, back] = ['client-to-server', 'server-to-client'] as const;
    this.#outgoing = new Stream(sessionKey, side === 'client' ? there : back);
    this.#incoming = new Stream(sessionKey, side === 'client' ? back : there);
  }

  seal(message: Uint8Array): Sealed {
    const ciphertext = this.#outgoing.cipher(message);
    return { signature: this.#outgoing.sign(message), ciphertext };
  }

  /** @throws NtlmError where the message was altered, or another was left out or repeated; the session is of no more use then */
  unseal({ signature, ciphertext }: Sealed): Buffer {
    const message = this.#incoming.cipher(ciphertext);
    const expected = this.#incoming.sign(message);
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) throw new NtlmError('the seal of an answer is broken');
    return message;
  }
}
