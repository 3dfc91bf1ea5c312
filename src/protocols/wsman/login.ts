import { TLSSocket } from 'node:tls';
import { channelBinding, endPoint } from '../ntlm/channel-binding.js';
import { NtlmError } from '../ntlm/errors.js';
import { NtlmLogin } from '../ntlm/login.js';
import type { NtlmSealing } from '../ntlm/seal.js';
import { WmiAccessError, WmiAnswerError, WmiLoginRefusedError } from '../wmi/errors.js';
import { BoundLoginError } from './binding.js';
import { KerberosLogin } from './kerberos.js';
import { mayBeAdmission, withoutSoap, type HttpLink, type Reply } from './link.js';
import type { ChannelBinding, WsmanLogin } from './options.js';

/** What a login leaves for the requests after it. */
export interface Admission {
  readonly headers: Readonly<Record<string, string>>;
  readonly sealing?: NtlmSealing;
}

/** How a login posts: with nothing in the body. */
export type PostNothing = (headers: Readonly<Record<string, string>>) => Promise<Reply>;

const EMPTY_SOAP = { 'content-type': 'application/soap+xml;charset=UTF-8' };

/** Basic (RFC 7617) comes with each request, so there is nothing to do before. */
export const admitBasic = ({ user, password }: WsmanLogin): Admission =>
  ({ headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` } });

/**
 * Logs a connection in by NTLM, inside `Negotiate` (RFC 4559), or `NTLM` where that is all there is.
 * Over TLS the login is bound to the channel.
 * @throws BoundLoginError, WmiLoginRefusedError, WmiAccessError where NTLM is not on offer, WmiAnswerError
 */
export async function admitNtlm({ user, password, domain = '' }: WsmanLogin, link: HttpLink, host: string, post: PostNothing, mode: ChannelBinding): Promise<Admission> {
  const binding = bindingOf(link, mode, channelBinding);
  const login = new NtlmLogin({ user, password, domain }, { service: `HTTP/${host}`, binding });
  const step = (message: Buffer): Promise<Reply> => post({ ...EMPTY_SOAP, authorization: `Negotiate ${message.toString('base64')}` });
  const challenge = readChallenge(await step(login.negotiate()));
  let answer: ReturnType<NtlmLogin['authenticate']>;
  try {
    answer = login.authenticate(challenge);
  } catch (error) {
    throw error instanceof NtlmError ? new WmiAnswerError(error.message, { cause: error }) : error;
  }
  const { status } = await step(answer.message);
  if (status === 401) throw blamed(new WmiLoginRefusedError(`the account or its password is not accepted${mode === 'required' && binding ? OTHER_CHANNEL : ''}`), binding);
  requireAdmission(status);
  return { headers: {}, sealing: answer.sealing };
}

/**
 * Logs a connection in by Kerberos, inside `Negotiate` (RFC 4559). Over TLS the login is bound to the
 * channel; what follows is not sealed. The realm is behind the user's `@`, or the domain, or krb5.conf's own.
 * @throws BoundLoginError, WmiLoginRefusedError, WmiAccessError; ConnectionLostError where no KDC answers
 */
export async function admitKerberos({ user, password, domain = '' }: WsmanLogin, link: HttpLink, host: string, post: PostNothing, mode: ChannelBinding, signal: AbortSignal): Promise<Admission> {
  const binding = bindingOf(link, mode, endPoint);
  const principal = user.includes('@') || domain === '' ? user : `${user}@${domain.toUpperCase()}`;
  const login = new KerberosLogin({ principal, password, service: `HTTP@${host}`, binding: binding ?? Buffer.alloc(0) }, signal);
  try {
    const token = await login.token();
    const { status, challenges } = await post({ ...EMPTY_SOAP, authorization: `Negotiate ${token.toString('base64')}` });
    // The realm has taken the password, so this cannot lock the account.
    const hint = mode === 'required' && binding ? OTHER_CHANNEL : '';
    if (status === 401) throw blamed(new WmiAccessError(`the service does not take the ticket: is its clock right, and Kerberos allowed there?${hint}${offer(challenges)}`), binding);
    requireAdmission(status);
    const answer = tokenOf(challenges);
    if (!answer) throw new WmiAccessError('the service does not prove who it is');
    await login.verify(answer);
    return { headers: {} };
  } finally {
    login.end();
  }
}

const OTHER_CHANNEL = '; or a proxy stands between, to whose channel it is bound (channel-binding)';

/** @throws WmiAccessError where it is required and the certificate has none */
function bindingOf({ socket }: HttpLink, mode: ChannelBinding, read: (certificate: Buffer) => Buffer | undefined): Buffer | undefined {
  if (mode === 'off' || !(socket instanceof TLSSocket)) return undefined;
  const binding = read(socket.getPeerCertificate().raw);
  if (!binding && mode === 'required') throw new WmiAccessError('no login can be bound to a certificate of that kind, and channel-binding is "required"');
  return binding;
}

const blamed = (refusal: WmiAccessError, binding: Buffer | undefined): Error => (binding ? new BoundLoginError(refusal) : refusal);

function tokenOf(challenges: readonly string[]): Buffer | undefined {
  const token = challenges.map((each) => /^Negotiate\s+([A-Za-z\d+/]+=*)$/i.exec(each)?.[1]).find((each) => each !== undefined);
  return token === undefined ? undefined : Buffer.from(token, 'base64');
}

function readChallenge({ status, challenges }: Reply): Buffer {
  const token = tokenOf(challenges);
  if (status === 401 && token) return token;
  if (status === 401) throw new WmiAccessError(`NTLM is not on offer there${offer(challenges)}`);
  throw withoutSoap(status, true);
}

/** @throws WmiAccessError, WmiAnswerError for what no service says that lets somebody in */
function requireAdmission(status: number): void {
  if (status === 403) throw new WmiAccessError('the account may not use the service');
  if (!mayBeAdmission(status)) throw withoutSoap(status, true);
}

/** Which schemes a server names, for a person to read. */
export function offer(challenges: readonly string[]): string {
  const schemes = challenges.flatMap((each) => /^[\w-]{1,30}/.exec(each)?.[0] ?? []).slice(0, 8);
  return schemes.length > 0 ? `; it offers ${schemes.join(', ')}` : '';
}
