import type { IncomingMessage } from 'node:http';
import { ArgoError } from '../../../kit/errors.js';
import type { Arrival } from '../../../listening/http.js';
import type { Accounts, Member } from '../../contract.js';
import type { Session, Sessions } from '../../shared/sessions.js';

/** Who is behind a request. */
export interface Visitor {
  readonly member: Member;
  /** tells this session or token from all others; neither the cookie nor the token itself */
  readonly id: string;
  /** aborted when the session ends, or the account is taken away */
  readonly signal: AbortSignal;
  /** undefined: by a token */
  readonly session: Session | undefined;
  /** What was asked for is over. */
  release(): void;
}

/** Browsers take a cookie of that beginning for this host alone, with TLS alone, and for all paths (RFC 6265bis, 4.1.3.2). */
const nameOf = (isTls: boolean): string => (isTls ? '__Host-argo' : 'argo');

/**
 * The value of the session's cookie. Of several that differ none is taken: outside TLS any server on the same host can give a
 * browser one of that name, and so put its user into a session of somebody else's.
 */
function cookieOf({ headers: { cookie = '' } }: IncomingMessage, isTls: boolean): string | undefined {
  const start = `${nameOf(isTls)}=`;
  const values = new Set(cookie.split(';').map((one) => one.trim()).filter((one) => one.startsWith(start)).map((one) => one.slice(start.length)));
  return values.size === 1 ? [...values][0] : undefined;
}

/** The header that gives a browser its cookie; without a value it takes it away. */
export const setCookie = (value: string | undefined, isTls: boolean): string =>
  `${nameOf(isTls)}=${value ?? ''}; Path=/; HttpOnly; SameSite=Strict${isTls ? '; Secure' : ''}${value === undefined ? '; Max-Age=0' : ''}`;

export const sessionOf = (request: IncomingMessage, { isTls, address }: Pick<Arrival, 'isTls' | 'address'>, sessions: Sessions): Session | undefined => {
  const cookie = cookieOf(request, isTls);
  return cookie === undefined ? undefined : sessions.find(cookie, address);
};

/** Who asks, by a token or by the session's cookie. @throws ArgoError NOT AUTHENTICATED, BUSY */
export async function visitorOf(request: IncomingMessage, arrival: Arrival, sessions: Sessions, accounts: Accounts): Promise<Visitor> {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const [, token] = /^Bearer +([^\s]+)$/i.exec(authorization) ?? [];
    if (token === undefined) throw new ArgoError('NOT AUTHENTICATED', 'a Bearer token is expected');
    const member = await accounts.token(token, arrival.address, arrival.signal);
    return { member, id: `token ${member.name}`, signal: member.signal, session: undefined, release: () => member.release() };
  }
  const session = sessionOf(request, arrival, sessions);
  if (session === undefined) throw new ArgoError('NOT AUTHENTICATED');
  return { member: session.member, id: session.id, signal: session.signal, session, release: () => undefined };
}
