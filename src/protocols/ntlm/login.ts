import { randomBytes } from 'node:crypto';
import { computeLmResponse, computeResponse, hmacMd5, ntowfv2 } from './primitives.js';
import { Av, MIC_OFFSET, readChallenge, utf16, writeAuthenticate, writeNegotiate, writePairs, type AvPair, type Challenge } from './messages.js';
import { Rc4 } from './rc4.js';
import { NtlmSealing } from './seal.js';

export interface NtlmAccount {
  readonly user: string;
  readonly password: string;
  /** as the server writes it; empty where it is to find out */
  readonly domain: string;
}

export interface NtlmTarget {
  /** the service's principal name, such as `HTTP/host.example` */
  readonly service: string;
  /** of {@link channelBinding}; without it the login is bound to no channel */
  readonly binding?: Buffer | undefined;
}

/** Bytes that nobody can foresee; the published examples have theirs. */
export type Randomness = (length: number) => Buffer;

/** MsvAvFlags: the message carries a MIC. */
const MIC_PRESENT = Buffer.from([2, 0, 0, 0]);
/** From 1601, where FILETIME begins, to 1970, ms. */
const FILETIME_EPOCH_MS = 11_644_473_600_000;

/** FILETIME ([MS-DTYP] 2.3.3): tenths of microseconds since 1601. */
function fileTime(ms: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(ms + FILETIME_EPOCH_MS) * 10_000n);
  return bytes;
}

/** NTLMv2 from the client's side ([MS-NLMP] 3.1.5.1): negotiate, then answer the challenge. One login each. */
export class NtlmLogin {
  readonly #negotiate = writeNegotiate();
  readonly #account: NtlmAccount;
  readonly #target: NtlmTarget;
  readonly #random: Randomness;

  constructor(account: NtlmAccount, target: NtlmTarget, random: Randomness = randomBytes) {
    this.#account = account;
    this.#target = target;
    this.#random = random;
  }

  negotiate(): Buffer {
    return this.#negotiate;
  }

  /**
   * Answers a challenge.
   * @returns the message, and the sealing that holds when the server takes it
   * @throws NtlmError where the challenge is none, or the server knows only weaker sessions
   */
  authenticate(message: Buffer): { readonly message: Buffer; readonly sealing: NtlmSealing } {
    const challenge = readChallenge(message);
    // A server that tells its time takes no LM response, and wants a MIC ([MS-NLMP] 3.1.5.1.2). Its time
    // is the one that counts, so a clock of ours that is wrong does no harm.
    const time = challenge.targetInfo.find(({ id }) => id === Av.timestamp)?.value;
    const clientChallenge = this.#random(8);
    const key = ntowfv2(this.#account.user, this.#account.password, this.#account.domain);
    const { response, sessionBaseKey } = computeResponse(
      key, challenge.serverChallenge, clientChallenge, time ?? fileTime(Date.now()), writePairs(this.#targetInfo(challenge, time !== undefined)));
    const sessionKey = this.#random(16);
    const authenticate = writeAuthenticate({
      flags: challenge.flags, lmResponse: time ? Buffer.alloc(24) : computeLmResponse(key, challenge.serverChallenge, clientChallenge),
      ntResponse: response, domain: this.#account.domain, user: this.#account.user, workstation: '',
      encryptedSessionKey: new Rc4(sessionBaseKey).update(sessionKey),
    });
    if (time) hmacMd5(sessionKey, this.#negotiate, message, authenticate).copy(authenticate, MIC_OFFSET);
    return { message: authenticate, sealing: new NtlmSealing(sessionKey) };
  }

  #targetInfo({ targetInfo }: Challenge, withMic: boolean): AvPair[] {
    const ours: readonly number[] = [Av.flags, Av.targetName, Av.channelBindings];
    return [
      ...targetInfo.filter(({ id }) => !ours.includes(id)),
      ...(withMic ? [{ id: Av.flags, value: MIC_PRESENT }] : []),
      { id: Av.channelBindings, value: this.#target.binding ?? Buffer.alloc(16) },
      { id: Av.targetName, value: utf16(this.#target.service) },
    ];
  }
}
