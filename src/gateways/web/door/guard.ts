import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { HttpError } from '../../../listening/http.js';

/**
 * What a request has to say so that it cannot be another site's work. A browser sends the session's cookie
 * with whatever a page of the same site asks for, and lets any page open a WebSocket: both are told here by
 * what such a page cannot send.
 */

/** Host of RFC 9110, 7.2: a name or an address, and a port. */
const HOST = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;

const LOCAL = /^(?:.+\.)?localhost$/;

/**
 * A name that is not ours may have been made to mean our address by whoever owns it (DNS rebinding), and pages
 * of that name would be of our origin. An address as it stands can mean nobody else.
 * @param names those of the gateway's table, in lower case
 * @throws HttpError 400, 421
 */
export function checkHost({ host = '' }: IncomingHttpHeaders, names: ReadonlySet<string>): void {
  const [, name] = HOST.exec(host) ?? [];
  if (name === undefined) throw new HttpError(400, 'the header Host cannot be read');
  const plain = name.replace(/^\[|\]$/g, '').replace(/\.$/, '').toLowerCase();
  if (isIP(plain) === 0 && !LOCAL.test(plain) && !names.has(plain)) throw new HttpError(421, 'this server does not go by that name; its configuration can say that it does: names = ["…"] in the table of the gateway');
}

/** Requests that a browser makes for a page of another origin. @throws HttpError 403 */
export function checkSite(headers: IncomingHttpHeaders): void {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new HttpError(403, 'not from another origin');
}

/** Requests that change something by the session's cookie: no form and no link can send that header. @throws HttpError 403 */
export function checkIntent(headers: IncomingHttpHeaders): void {
  if (headers['x-argo'] !== '1') throw new HttpError(403, 'the header x-argo: 1 is missing');
  if (headers.origin !== undefined && !isOwnOrigin(headers)) throw new HttpError(403, 'not from another origin');
}

/** WebSockets by the session's cookie: browsers tell whose page opens one. @throws HttpError 403 */
export function checkOrigin(headers: IncomingHttpHeaders, isByCookie: boolean): void {
  if (headers.origin === undefined ? isByCookie : !isOwnOrigin(headers)) throw new HttpError(403, 'not from another origin');
}

/** By the host alone: what is in front of us may speak TLS in our place. */
const isOwnOrigin = ({ origin = '', host = '' }: IncomingHttpHeaders): boolean => URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
