import type { Signer } from './contract.js';

/**
 * What the bus's buckets keep: the signature of who has written a value, then the value. Its purpose is the subject of the key, so
 * that it holds there alone, wherever the bus, or somebody who has it answer to another subject, puts it.
 */

/** Bytes of an Ed25519 signature (RFC 8032, 5.1.6). */
export const SEAL_SIZE = 64;

export interface Unsealed {
  /** base64, as {@link Signer.sign} returns it */
  readonly signature: string;
  readonly content: Uint8Array;
}

/** @param subject of the key under which it is to stand */
export const seal = (signer: Signer, subject: string, content: Uint8Array): Uint8Array => Buffer.concat([Buffer.from(signer.sign(subject, content), 'base64'), content]);

/** @returns undefined where it is too short for a signature; whose that is, is still to be looked at */
export const unseal = (value: Uint8Array): Unsealed | undefined => (value.length < SEAL_SIZE
  ? undefined
  : { signature: Buffer.from(value.subarray(0, SEAL_SIZE)).toString('base64'), content: value.subarray(SEAL_SIZE) });
