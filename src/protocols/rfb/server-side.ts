import { createCipheriv } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { onAbort } from '../../kit/within.js';
import { RfbAuthenticationError, RfbError } from './errors.js';

const VERSION_BYTES = 12;
const NONE = 1;
const VNC = 2;
const CHALLENGE_BYTES = 16;
/** Bytes of a server's reason that are read, and of what it may announce. */
const MOST_REASON = 1024;

/**
 * Logs in to an RFB server (RFC 6143, 7.1 and 7.2) by no password or a VNC one, so that ClientInit comes next.
 * The stream is paused then.
 * @param signal ends it; the stream is then of no use
 * @throws RfbAuthenticationError, RfbError; the stream's error; the signal's reason
 */
export async function logInToRfb(stream: Duplex, password: string | undefined, signal: AbortSignal): Promise<void> {
  const take = (length: number): Promise<Buffer> => takeBytes(stream, length, signal);
  const version = /^RFB (\d{3})\.(\d{3})\n$/.exec((await take(VERSION_BYTES)).toString('latin1'));
  if (!version) throw new RfbError('what answers does not speak RFB');
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const ours = major > 3 || minor >= 8 ? 8 : minor >= 7 ? 7 : 3;
  stream.write(`RFB 003.00${ours}\n`, 'latin1');
  const types = ours === 3 ? [(await take(4)).readUInt32BE()] : [...await take((await take(1))[0]!)];
  const refuse = async (): Promise<RfbError> => new RfbError(`the screen is refused: ${await readReason(take)}`);
  if (types.length === 0 || types[0] === 0) throw await refuse();
  const type = types.includes(NONE) ? NONE : VNC;
  if (!types.includes(type)) throw new RfbError(`it asks for a login of another kind (${types.join(', ')})`);
  if (ours > 3) stream.write(Buffer.from([type]));
  if (type === VNC) {
    const challenge = await take(CHALLENGE_BYTES);
    if (password === undefined) throw new RfbAuthenticationError('the screen asks for a password that is not known');
    stream.write(answerTo(challenge, password));
  }
  // up to 3.7, a session without a password has no result
  if (type === NONE && ours < 8) return;
  if ((await take(4)).readUInt32BE() !== 0) throw new RfbAuthenticationError('the screen refuses our password');
}

async function readReason(take: (length: number) => Promise<Buffer>): Promise<string> {
  const length = (await take(4)).readUInt32BE();
  return (await take(Math.min(length, MOST_REASON))).toString('utf8');
}

/**
 * VNC's answer to a challenge (7.2.2): DES with the password's first eight bytes as the key, the bits of each in the
 * opposite order. OpenSSL 3 has no single DES any more; triple DES with one key three times is the same.
 */
export function answerTo(challenge: Buffer, password: string): Buffer {
  const key = Buffer.alloc(8);
  Buffer.from(password, 'utf8').copy(key, 0, 0, 8);
  const mirrored = Buffer.from(key.map(mirror));
  const blocks = [challenge.subarray(0, 8), challenge.subarray(8, 16)].map((block) => {
    const cipher = createCipheriv('des-ede3-cbc', Buffer.concat([mirrored, mirrored, mirrored]), Buffer.alloc(8));
    cipher.setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]);
  });
  return Buffer.concat(blocks);
}

function mirror(byte: number): number {
  let mirrored = 0;
  for (let bit = 0; bit < 8; bit += 1) if ((byte & (1 << bit)) !== 0) mirrored |= 0x80 >> bit;
  return mirrored;
}

/** Exactly so many bytes, and none of what follows. */
function takeBytes(stream: Duplex, length: number, signal: AbortSignal): Promise<Buffer> {
  if (length === 0) return Promise.resolve(Buffer.alloc(0));
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      forget();
      stream.off('readable', look).off('end', ended).off('close', ended).off('error', failed);
      act();
    };
    const look = (): void => {
      const bytes = stream.read(length) as Buffer | null;
      if (bytes?.length === length) settle(() => resolve(bytes));
      else if (bytes) ended();
    };
    const ended = (): void => settle(() => reject(new RfbError('the connection ended during the login')));
    const failed = (error: Error): void => settle(() => reject(error));
    let forget = (): void => undefined;
    stream.on('readable', look).on('end', ended).on('close', ended).on('error', failed);
    forget = onAbort(signal, (reason) => settle(() => reject(reason as Error)));
    if (stream.destroyed) ended();
    else look();
  });
}
