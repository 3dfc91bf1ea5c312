import { createPrivateKey, createPublicKey, randomBytes, sign, verify, type KeyObject } from 'node:crypto';
import { readPublicKey, readSeed, writePublicKey, writeSeed } from '../kit/nkeys.js';
import { FROM_HEADER, SIGNATURE_HEADER, type BusMessage, type Signer } from './contract.js';

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 and in SubjectPublicKeyInfo (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const SEED_SIZE = 32;
/** base64 of the 64 bytes of a signature */
const SIGNATURE = /^[A-Za-z0-9+/]{86}==$/;
/** What a NATS server asks to have signed at a login (nats-server, nkey.go: 11 random bytes in base64url); longer ones may come. */
const NONCE = /^[\w-]{8,64}$/;

/** Which bytes a signature is over. The line end keeps purposes apart from each other, and all of them from a login. */
function signed(purpose: string, data: Uint8Array): Buffer {
  if (purpose.includes('\n')) throw new Error('a purpose is one line');
  return Buffer.concat([Buffer.from(`${purpose}\n`), data]);
}

/** This server's own key, of which the seed is an nkey. It signs messages, and logs in at NATS. */
export class NkeySigner implements Signer {
  readonly publicKey: string;
  readonly #key: KeyObject;

  /** @param seed `SU…`, white space around it does not count @throws Error that does not tell it */
  constructor(seed: string) {
    const bytes = readSeed(seed.trim());
    if (bytes === undefined) throw new Error('it is no seed of a user\'s nkey, which begins with SU');
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8, bytes]), format: 'der', type: 'pkcs8' });
    this.publicKey = writePublicKey(createPublicKey(this.#key).export({ format: 'der', type: 'spki' }).subarray(SPKI.length));
  }

  sign(purpose: string, data: Uint8Array): string {
    return sign(null, signed(purpose, data), this.#key).toString('base64');
  }

  /**
   * The answer to what the bus asks to have signed. The bus is not believed: it gets no signature of what could be a message.
   * @returns base64url @throws Error where it asks for anything else
   */
  signLogin(nonce: string): string {
    if (!NONCE.test(nonce)) throw new Error('the bus asks to have signed what is no nonce of a login');
    return sign(null, Buffer.from(nonce), this.#key).toString('base64url');
  }
}

/** A new seed, `SU…`. */
export const newSeed = (): string => writeSeed(randomBytes(SEED_SIZE));

/** Somebody's public key, by which what that one signed is known. */
export class KnownKey {
  readonly #key: KeyObject;

  /** @param publicKey `U…` @throws Error where it is none, which does not tell it: it may be a seed by mistake */
  constructor(readonly publicKey: string) {
    const bytes = readPublicKey(publicKey);
    if (bytes === undefined) throw new Error('it is no public key of a user\'s nkey, which begins with U');
    this.#key = createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: 'der', type: 'spki' });
  }

  /** @param signature as {@link Signer.sign} returns it; undefined: there is none */
  verifies(purpose: string, data: Uint8Array, signature: string | undefined): boolean {
    if (signature === undefined || !SIGNATURE.test(signature)) return false;
    return verify(null, signed(purpose, data), this.#key, Buffer.from(signature, 'base64'));
  }
}

/** Whether a message is one that this server has sent itself, as `signedBy` marks it. @param name this server's */
export const isSignedBy = (name: string, { publicKey }: Signer, subject: string, { data, header }: Pick<BusMessage, 'data' | 'header'>): boolean =>
  header(FROM_HEADER) === name && new KnownKey(publicKey).verifies(subject, data, header(SIGNATURE_HEADER));
