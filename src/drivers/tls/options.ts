import * as v from 'valibot';
import type { TableFault } from '../../config/catalogue.js';
import { passwordEntries, readPassword } from '../../config/secret.js';
import { flag, text } from '../../config/values.js';
import { readAuthorities } from '../../kit/certificates.js';
import { ArgoError } from '../../kit/errors.js';
import { parseFingerprint, type Trust } from '../../protocols/tls/connect.js';

/** The keys of every driver that logs in to a server whose certificate it checks. */

/** One value, or a list of at least one; always a list afterwards. Not a union, which would not say what is wrong with which. @param what as in `a URL` */
export const oneOrMore = <Schema extends v.GenericSchema<string, unknown>>(schema: Schema, what: string) => {
  const one = v.pipe(schema, v.transform((value) => [value]));
  const more = v.pipe(v.array(schema), v.minLength(1, `${what} is expected`));
  return v.lazy(
    (value): v.GenericSchema<string | string[], v.InferOutput<Schema>[]> =>
      (Array.isArray(value) ? more : one) as v.GenericSchema<string | string[], v.InferOutput<Schema>[]>,
  );
};

/** The scheme, host and port of a server. A path would not be used, so it is refused rather than swallowed. */
export const origin = v.pipe(
  text,
  v.check((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), 'a URL such as "https://xen1.example" is expected'),
  v.check((value) => !URL.canParse(value) || new URL(value).username === '', 'user and password do not belong into the URL'),
  v.check((value) => !URL.canParse(value) || isOrigin(new URL(value)), 'a path means nothing here: write the scheme, the host and the port alone'),
  v.transform((value) => new URL(new URL(value).origin)),
);

const isOrigin = ({ pathname, search, hash }: URL): boolean => pathname === '/' && search === '' && hash === '';

const fingerprint = v.pipe(
  text,
  v.check((value) => parseFingerprint(value) !== undefined, 'a SHA-256 fingerprint is expected, such as "SHA256:…"'),
  v.transform((value) => parseFingerprint(value) ?? ''),
);

/** Whom to trust. */
export const trustEntries = {
  'ca-file': v.optional(text),
  /** one for each server that may answer */
  fingerprint: v.optional(oneOrMore(fingerprint, 'a fingerprint')),
  insecure: v.optional(flag, false),
};

export const loginEntries = {
  user: text,
  ...passwordEntries,
  ...trustEntries,
};

export type TrustOptions = v.InferOutput<v.ObjectSchema<typeof trustEntries, undefined>>;
export type LoginOptions = v.InferOutput<v.ObjectSchema<typeof loginEntries, undefined>>;

/** Whom to trust at an `https:` URL. Read anew for each login, so that a file that was put right is used without a restart. @throws ArgoError */
export function tlsTrust(given: TrustOptions): Trust {
  if (given.insecure) return { kind: 'anyone' };
  if (given.fingerprint !== undefined) return { kind: 'fingerprints', fingerprints: given.fingerprint };
  const file = given['ca-file'];
  return { kind: 'authorities', ...(file !== undefined && { ca: reading(() => readAuthorities(file)) }) };
}

/** Why a password is not sent by `http:`. */
export const PLAIN_PASSWORD = 'the password would cross the network in the clear; use https, or set insecure = true';

/** As {@link tlsTrust}, for servers that are given the password itself. @throws ArgoError where it would cross the network in the clear, unasked */
export function passwordTrust(given: LoginOptions, ...servers: readonly URL[]): Trust {
  if (!given.insecure && servers.some(({ protocol }) => protocol === 'http:')) {
    throw new ArgoError('UNREACHABLE', PLAIN_PASSWORD);
  }
  return tlsTrust(given);
}

/** What of a login cannot work, for `argo-server check`, which finds secrets that cannot be read by itself. */
export function faultsOfLogin(given: LoginOptions, ...servers: readonly URL[]): TableFault[] {
  const hasPassword = [given.password, given['password-file'], given['password-env']].some((one) => one !== undefined);
  const missing = hasPassword ? [] : [{ message: 'a password, password-file or password-env is missing' }];
  try {
    passwordTrust(given, ...servers);
    return missing;
  } catch (error) {
    if (!(error instanceof ArgoError)) throw error;
    return [...missing, { message: error.detail }];
  }
}

/** @throws ArgoError, which names a file or variable that cannot be read */
export function credentialsOf(given: LoginOptions): { user: string; password: string } {
  const password = reading(() => readPassword(given));
  if (password === undefined) throw new ArgoError('ACCESS DENIED', 'there is no password in the configuration');
  return { user: given.user, password: password.reveal() };
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ArgoError('UNREACHABLE', (error as Error).message, { cause: error });
  }
}
