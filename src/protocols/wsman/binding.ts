import { createHash } from 'node:crypto';
import type { WmiAccessError } from '../wmi/errors.js';
import type { WsmanLogin, WsmanOptions } from './options.js';

/** A login that was bound to its TLS channel was refused: for its password or ticket, or because somebody between has a channel of his own. */
export class BoundLoginError extends Error {
  /** @param refusal what it is if the binding is not to blame */
  constructor(readonly refusal: WmiAccessError) {
    super(refusal.message);
  }
}

/**
 * Whether a refused login may be tried once more without its binding. Not where anybody's certificate
 * will do: whoever stands between could pass that login on.
 */
export const mayUnbind = ({ channelBinding = 'if-offered', trust }: WsmanOptions): boolean => channelBinding === 'if-offered' && trust.kind !== 'anyone';

/** Credentials that are remembered. */
const REMEMBERED = 1000;

/** Digests of credentials that were refused without a binding too. */
const refusedAnyway = new Set<string>();

const digest = ({ user, password, domain = '' }: WsmanLogin): string => createHash('sha256').update(JSON.stringify([user, password, domain])).digest('base64');

/** Each try counts for a lock-out, so the second is made but once for the same credentials. */
export const isRefusedAnyway = (login: WsmanLogin): boolean => refusedAnyway.has(digest(login));

export function rememberRefused(login: WsmanLogin): void {
  const [oldest] = refusedAnyway;
  if (refusedAnyway.size >= REMEMBERED && oldest !== undefined) refusedAnyway.delete(oldest);
  refusedAnyway.add(digest(login));
}
