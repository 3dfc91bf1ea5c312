import type { NtlmSealing } from '../ntlm/seal.js';
import { NtlmError } from '../ntlm/messages.js';
import { WmiAnswerError } from '../wmi/errors.js';

const PROTOCOL = 'application/HTTP-SPNEGO-session-encrypted';
const BOUNDARY = '--Encrypted Boundary';
/** HTTP's Content-Type of a sealed message. */
export const SEALED_TYPE = `multipart/encrypted;protocol="${PROTOCOL}";boundary="Encrypted Boundary"`;

const CONTENT_START = Buffer.from('\tContent-Type: application/octet-stream\r\n');
const END = Buffer.from(`${BOUNDARY}--`);
/** An NTLM signature has 16 bytes, Kerberos' up to 60. */
const SIGNATURE_LIMIT = 64;

/** A message as WinRM takes it sealed ([MS-WSMV] 2.2.9.1.1.2). */
export function sealMessage(plain: Buffer, sealing: NtlmSealing): Buffer {
  const { signature, ciphertext } = sealing.seal(plain);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(signature.length);
  return Buffer.concat([
    Buffer.from(`${BOUNDARY}\r\n\tContent-Type: ${PROTOCOL}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=${plain.length}\r\n${BOUNDARY}\r\n`),
    CONTENT_START, length, signature, ciphertext, END, Buffer.from('\r\n'),
  ]);
}

/**
 * The message in a sealed one.
 * @throws WmiAnswerError for what is no sealed message, or was altered; the session is of no more use then
 */
export function openMessage(sealed: Buffer, sealing: NtlmSealing): Buffer {
  const start = sealed.indexOf(CONTENT_START);
  const head = sealed.toString('latin1', 0, Math.max(start, 0));
  const stated = /;Length=(\d{1,9})\r\n--Encrypted Boundary\r\n$/.exec(head)?.[1];
  const at = start + CONTENT_START.length;
  if (!head.startsWith(`${BOUNDARY}\r\n`) || stated === undefined || sealed.length < at + 4) throw unsealed();
  const signatureLength = sealed.readUInt32LE(at);
  const [from, to] = [at + 4 + signatureLength, at + 4 + signatureLength + Number(stated)];
  // What is ciphered may hold anything, so its end is found by its length, not by the mark.
  if (signatureLength > SIGNATURE_LIMIT || to + END.length > sealed.length || !sealed.subarray(to, to + END.length).equals(END)) throw unsealed();
  try {
    return sealing.unseal({ signature: sealed.subarray(at + 4, from), ciphertext: sealed.subarray(from, to) });
  } catch (error) {
    if (error instanceof NtlmError) throw new WmiAnswerError(error.message, { cause: error });
    throw error;
  }
}

const unsealed = (): WmiAnswerError => new WmiAnswerError('its answer is not sealed as it should be');
