import type { Socket } from 'node:net';
import type { Sealed } from '../ntlm/seal.js';
import { ConnectionLostError } from '../tls/errors.js';
import { WmiAccessError, WmiAnswerError, WmiLoginRefusedError } from '../wmi/errors.js';
import { readFrame, SEALED_TYPE, writeFrame, type Sealing } from './frame.js';
import { HttpLink, withoutSoap, type Reply } from './link.js';
import { admitBasic, admitKerberos, admitNtlm, offer, type Admission } from './login.js';
import type { WsmanLimits, WsmanOptions } from './options.js';
import { readAnswer, type Envelope } from './soap.js';
import type { XmlElement } from './xml.js';

const SOAP_TYPE = 'application/soap+xml;charset=UTF-8';
const NOTHING = Buffer.alloc(0);

/**
 * One connection with its login, and its seals: all three begin and end together. Over plain HTTP, what
 * can be sealed, by NTLM or Kerberos, is sealed, and then only sealed answers are believed.
 */
export class Channel {
  readonly #link: HttpLink;
  readonly #isSecure: boolean;
  #admission: Admission | undefined;
  #isForgotten = false;
  #closesSoon: NodeJS.Timeout | undefined;
  readonly #options: WsmanOptions;
  readonly #limits: WsmanLimits;

  constructor(socket: Socket, options: WsmanOptions, limits: WsmanLimits) {
    this.#options = options;
    this.#limits = limits;
    this.#link = new HttpLink(socket, options.origin, limits.answer);
    this.#isSecure = options.origin.protocol === 'https:';
  }

  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** The other side ended the connection before anything of the last answer came. */
  get isSilent(): boolean {
    return this.#link.wasCut && !this.#link.answered;
  }

  /** The service let us in before, and now asks for the login again. */
  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  close(): void {
    clearTimeout(this.#closesSoon);
    this.#admission?.sealing?.end?.();
    this.#link.close();
  }

  /** @throws BoundLoginError, WmiLoginRefusedError, WmiAccessError, WmiAnswerError, ConnectionLostError, the signal's reason */
  async logIn(signal: AbortSignal): Promise<void> {
    const { login, origin, channelBinding = 'if-offered' } = this.#options;
    const post = (headers: Readonly<Record<string, string>>): Promise<Reply> => this.#post(headers, NOTHING, signal);
    const host = origin.hostname.replace(/^\[|\]$/g, '');
    try {
      switch (login.kind) {
        case 'basic': this.#admission = admitBasic(login); break;
        case 'ntlm': this.#admission = await admitNtlm(login, this.#link, host, post, channelBinding); break;
        case 'kerberos': this.#admission = await admitKerberos(login, this.#link, host, post, channelBinding, signal);
      }
    } catch (error) {
      throw asUnsent(error);
    }
  }

  /**
   * Posts a request and reads the answer.
   * @throws WmiFault; WmiAnswerError, after which the channel is closed; as {@link logIn}
   */
  async ask(envelope: Envelope, signal: AbortSignal): Promise<XmlElement> {
    clearTimeout(this.#closesSoon);
    const sealing = this.#isSecure ? undefined : this.#admission?.sealing;
    const plain = Buffer.from(envelope.text);
    const body = sealing ? writeFrame(await this.#seal(plain, sealing)) : plain;
    const reply = await this.#post({ ...this.#admission?.headers, 'content-type': sealing ? SEALED_TYPE : SOAP_TYPE }, body, signal);
    try {
      return await readAnswer(decode(await this.#open(reply, sealing, envelope.isOrder)), envelope);
    } catch (error) {
      if (error instanceof WmiAnswerError) this.close();
      throw error;
    } finally {
      this.#closesSoon = setTimeout(() => this.close(), this.#limits.idleTimeout).unref();
    }
  }

  /** Where that fails, nothing was sent, and nothing more can be. */
  async #seal(plain: Buffer, sealing: Sealing): Promise<Sealed> {
    try {
      return await sealing.seal(plain);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The SOAP of a reply. */
  #open({ status, type, challenges, body }: Reply, sealing: Sealing | undefined, isOrder: boolean): Buffer | Promise<Buffer> {
    if (status === 401) throw this.#refusal(challenges);
    // A filter before the service may have held its answer back: of an order that would not say that nothing was done.
    if (status === 403 && !isOrder) throw new WmiAccessError('the account may not use the service');
    if (sealing && type === 'multipart/encrypted') return sealing.unseal(readFrame(body));
    if (sealing && type === 'application/soap+xml') throw new WmiAnswerError('its answer is not sealed as it should be');
    if (type === 'application/soap+xml' && body.length > 0) return body;
    // So WinRM says it, but a proxy that passed an order on may too: nobody is told then that nothing was done.
    if (status === 500 && !sealing && !this.#isSecure && !isOrder) throw new WmiAccessError('the service refuses what is not encrypted (AllowUnencrypted is false there)');
    throw withoutSoap(status);
  }

  #refusal(challenges: readonly string[]): WmiAccessError {
    this.close();
    if (this.#options.login.kind !== 'basic') {
      this.#isForgotten = true;
      return new WmiAccessError('the service asks for the login again');
    }
    const isOffered = challenges.some((each) => /^Basic\b/i.test(each));
    return isOffered ? new WmiLoginRefusedError('the account or its password is not accepted') : new WmiLoginRefusedError(`Basic is not on offer there${offer(challenges)}`);
  }

  #post(headers: Readonly<Record<string, string>>, body: Buffer, signal: AbortSignal): Promise<Reply> {
    return this.#link.exchange({ headers, body, signal, timeout: this.#limits.requestTimeout });
  }
}

/** What goes wrong with a login leaves no doubt about a request: that comes after it. */
function asUnsent(error: unknown): unknown {
  if (error instanceof ConnectionLostError && error.sent) return new ConnectionLostError(error.message, false, { cause: error });
  if (error instanceof WmiAnswerError && error.sent) return new WmiAnswerError(error.message, { cause: error, sent: false });
  return error;
}

/** @throws WmiAnswerError for what is no UTF-8, the one encoding that we say we take */
function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw new WmiAnswerError('its answer is no UTF-8', { cause: error });
  }
}
