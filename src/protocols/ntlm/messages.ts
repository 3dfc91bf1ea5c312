/** What the other side sends is not NTLM as we take it, or was altered on the way. */
export class NtlmError extends Error {
  override readonly name = 'NtlmError';
}

/** NEGOTIATE flags ([MS-NLMP] 2.2.2.5) that we ask for. */
export const Flag = {
  unicode: 0x0000_0001,
  requestTarget: 0x0000_0004,
  sign: 0x0000_0010,
  seal: 0x0000_0020,
  ntlm: 0x0000_0200,
  alwaysSign: 0x0000_8000,
  extendedSessionSecurity: 0x0008_0000,
  targetInfo: 0x0080_0000,
  version: 0x0200_0000,
  key128: 0x2000_0000,
  keyExchange: 0x4000_0000,
  key56: 0x8000_0000,
} as const;

/** Without these there is no session that we would trust: nothing older or weaker is put up with. */
const NEEDED = Flag.unicode | Flag.sign | Flag.seal | Flag.extendedSessionSecurity | Flag.key128 | Flag.keyExchange;

export const OFFERED = Object.values(Flag).reduce((all, flag) => (all | flag) >>> 0, 0);

/** AV_PAIR ids ([MS-NLMP] 2.2.2.1) that mean something to a client. */
export const Av = { end: 0, flags: 6, timestamp: 7, targetName: 9, channelBindings: 10 } as const;

export interface AvPair {
  readonly id: number;
  readonly value: Buffer;
}

export interface Challenge {
  readonly flags: number;
  /** 8 bytes */
  readonly serverChallenge: Buffer;
  readonly targetInfo: readonly AvPair[];
}

const SIGNATURE = Buffer.from('NTLMSSP\0', 'latin1');
/** VERSION ([MS-NLMP] 2.2.2.10): Windows 10, NTLMSSP revision 15. Servers log it and mind it not. */
const VERSION = Buffer.from([10, 0, 0x63, 0x45, 0, 0, 0, 15]);
/** Targets tell a few names: what is longer than this is no challenge. Bytes. */
const CHALLENGE_LIMIT = 16 * 1024;

const NEGOTIATE_LENGTH = 40;
const CHALLENGE_LENGTH = 48;
/** with VERSION and MIC */
const AUTHENTICATE_HEADER = 88;
export const MIC_OFFSET = 72;

/** NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1): names neither domain nor machine. */
export function writeNegotiate(): Buffer {
  const message = Buffer.alloc(NEGOTIATE_LENGTH);
  SIGNATURE.copy(message);
  message.writeUInt32LE(1, 8);
  message.writeUInt32LE(OFFERED, 12);
  message.writeUInt32LE(NEGOTIATE_LENGTH, 20);
  message.writeUInt32LE(NEGOTIATE_LENGTH, 28);
  VERSION.copy(message, 32);
  return message;
}

/** CHALLENGE_MESSAGE ([MS-NLMP] 2.2.1.2). @throws NtlmError */
export function readChallenge(message: Buffer): Challenge {
  if (message.length < CHALLENGE_LENGTH || message.length > CHALLENGE_LIMIT || !message.subarray(0, 8).equals(SIGNATURE) || message.readUInt32LE(8) !== 2) {
    throw new NtlmError('the challenge is none of NTLM');
  }
  const flags = (message.readUInt32LE(20) & OFFERED) >>> 0;
  if ((flags & NEEDED) >>> 0 !== NEEDED >>> 0) throw new NtlmError('the server knows no NTLM sessions with 128-bit keys');
  const [length, offset] = [message.readUInt16LE(40), message.readUInt32LE(44)];
  if (offset + length > message.length) throw new NtlmError('the challenge is cut off');
  return { flags, serverChallenge: message.subarray(24, 32), targetInfo: readPairs(message.subarray(offset, offset + length)) };
}

function readPairs(bytes: Buffer): AvPair[] {
  const pairs: AvPair[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const id = bytes.readUInt16LE(at);
    if (id === Av.end) return pairs;
    const end = at + 4 + bytes.readUInt16LE(at + 2);
    if (end > bytes.length) break;
    pairs.push({ id, value: bytes.subarray(at + 4, end) });
    at = end;
  }
  throw new NtlmError("the challenge's target information is cut off");
}

/** With MsvAvEOL at its end. */
export function writePairs(pairs: readonly AvPair[]): Buffer {
  return Buffer.concat([...pairs, { id: Av.end, value: Buffer.alloc(0) }].flatMap(({ id, value }) => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(id, 0);
    head.writeUInt16LE(value.length, 2);
    return [head, value];
  }));
}

export interface Authenticate {
  readonly flags: number;
  readonly lmResponse: Buffer;
  readonly ntResponse: Buffer;
  readonly domain: string;
  readonly user: string;
  readonly workstation: string;
  readonly encryptedSessionKey: Buffer;
}

/** AUTHENTICATE_MESSAGE ([MS-NLMP] 2.2.1.3), its MIC all zero. */
export function writeAuthenticate(content: Authenticate): Buffer {
  const payload = [
    content.lmResponse, content.ntResponse, utf16(content.domain), utf16(content.user), utf16(content.workstation), content.encryptedSessionKey,
  ];
  const head = Buffer.alloc(AUTHENTICATE_HEADER);
  SIGNATURE.copy(head);
  head.writeUInt32LE(3, 8);
  let offset = AUTHENTICATE_HEADER;
  payload.forEach((part, index) => {
    const field = 12 + index * 8;
    head.writeUInt16LE(part.length, field);
    head.writeUInt16LE(part.length, field + 2);
    head.writeUInt32LE(offset, field + 4);
    offset += part.length;
  });
  head.writeUInt32LE(content.flags, 60);
  VERSION.copy(head, 64);
  return Buffer.concat([head, ...payload]);
}

export const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
