import type { Sealed } from '../ntlm/seal.js';
import { WmiAnswerError } from '../wmi/errors.js';

/**
 * Of what `Negotiate` has agreed on, Kerberos as well ([MS-WSMV] 2.2.9.1.1): the other name that there is for
 * Kerberos goes with the scheme `Kerberos`, and Windows refuses the one in the place of the other.
 */
const PROTOCOL = 'application/HTTP-SPNEGO-session-encrypted';
const BOUNDARY = '--Encrypted Boundary';
/** HTTP's Content-Type of a sealed message. */
export const SEALED_TYPE = `multipart/encrypted;protocol="${PROTOCOL}";boundary="Encrypted Boundary"`;

const CONTENT_START = Buffer.from('\tContent-Type: application/octet-stream\r\n');
const END = Buffer.from(`${BOUNDARY}--`);
/** An NTLM signature has 16 bytes; what Kerberos puts before a message 60, with SHA-384 72. */
const SIGNATURE_LIMIT = 128;

/**
 * What seals the messages of one connection, in the order in which they are sent. It is broken for good
 * where it throws.
 */
export interface Sealing {
  /** @throws ConnectionLostError, of which nothing was sent */
  seal(message: Buffer): Sealed | Promise<Sealed>;
  /** @throws WmiAnswerError where the message was altered, or another was left out or repeated */
  unseal(sealed: Sealed): Buffer | Promise<Buffer>;
  /** Lets go of what it needs. */
  end?(): void;
}

/** A sealed message as WinRM takes it ([MS-WSMV] 2.2.9.1.1.2). */
export function writeFrame({ signature, ciphertext }: Sealed): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(signature.length);
  return Buffer.concat([
    Buffer.from(`${BOUNDARY}\r\n\tContent-Type: ${PROTOCOL}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=${ciphertext.length}\r\n${BOUNDARY}\r\n`),
    CONTENT_START, length, signature, ciphertext, END, Buffer.from('\r\n'),
  ]);
}

/** What is sealed in a frame. @throws WmiAnswerError for what is no sealed message */
export function readFrame(frame: Buffer): Sealed {
  const start = frame.indexOf(CONTENT_START);
  const head = frame.toString('latin1', 0, Math.max(start, 0));
  const stated = /;Length=(\d{1,9})\r\n--Encrypted Boundary\r\n$/.exec(head)?.[1];
  const at = start + CONTENT_START.length;
  if (!head.startsWith(`${BOUNDARY}\r\n`) || stated === undefined || frame.length < at + 4) throw unsealed();
  const signatureLength = frame.readUInt32LE(at);
  const [from, to] = [at + 4 + signatureLength, at + 4 + signatureLength + Number(stated)];
  // What is ciphered may hold anything, so its end is found by its length, not by the mark.
  if (signatureLength > SIGNATURE_LIMIT || to + END.length > frame.length || !frame.subarray(to, to + END.length).equals(END)) throw unsealed();
  return { signature: frame.subarray(at + 4, from), ciphertext: frame.subarray(from, to) };
}

const unsealed = (): WmiAnswerError => new WmiAnswerError('its answer is not sealed as it should be');
