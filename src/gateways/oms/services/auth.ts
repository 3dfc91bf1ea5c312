import * as v from 'valibot';
import { ArgoError } from '../../../kit/errors.js';
import type { Log } from '../../../kit/log.js';
import type { Arrival } from '../../../listening/http.js';
import type { Accounts } from '../../contract.js';
import type { Session, Sessions } from '../../shared/sessions.js';
import { OmsError } from '../faults.js';
import { readSessid } from '../sessid.js';
import { password, userName } from './params.js';

/** AuthService: logging in and out. Its methods are the only ones that need no session. */

export const AUTH_NAMES = ['authservices', 'authservice', 'auth'] as const;

export interface AuthParts {
  readonly accounts: Pick<Accounts, 'login'>;
  readonly sessions: Sessions;
  readonly log: Log;
}

export interface AuthRow {
  readonly params: v.ObjectEntries;
  run(args: never, arrival: Arrival, parts: AuthParts): Promise<unknown>;
}

const row = <Entries extends v.ObjectEntries>(
  params: Entries,
  run: (args: v.InferOutput<v.ObjectSchema<Entries, undefined>>, arrival: Arrival, parts: AuthParts) => Promise<unknown>,
): AuthRow => ({ params, run });

const sessid = v.string('a SESSID is expected');

const found = (key: unknown, address: string, sessions: Pick<Sessions, 'find'>): Session | undefined => {
  const known = readSessid(key);
  return known === undefined ? undefined : sessions.find(known, address);
};

/** The session of a key. @param address of whoever shows it @throws OmsError AuthError */
export function sessionOf(key: unknown, address: string, sessions: Pick<Sessions, 'find'>): Session {
  const session = found(key, address, sessions);
  if (session === undefined) throw new OmsError('AuthError', 'there is no such session, or no longer');
  return session;
}

export const AUTH_METHODS: ReadonlyMap<string, AuthRow> = new Map([
  ['authenticate', row({ username: userName, password }, async ({ username, password: secret }, { address, from, signal }, { accounts, sessions, log }) => {
    try {
      const { key, session } = sessions.begin(await accounts.login(username, secret, address, signal), address);
      log('info', 'login', { account: session.member.name, from });
      return key;
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'NOT AUTHENTICATED') throw new OmsError('AuthError', 'the name, the password or the network is wrong');
      throw error;
    }
  })],
  ['deauthenticate', row({ SESSID: sessid }, async ({ SESSID }, { address, from }, { sessions, log }) => {
    const session = found(SESSID, address, sessions);
    if (session === undefined) throw new OmsError('DeauthError', 'there is no such session, or no longer');
    log('info', 'logout', { account: session.member.name, from });
    await sessions.end(session);
    return 0;
  })],
  ['checksessid', row({ SESSID: sessid }, ({ SESSID }, { address }, { sessions }) => {
    sessionOf(SESSID, address, sessions);
    return Promise.resolve(0);
  })],
]);
