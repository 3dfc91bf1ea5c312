import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { passwordEntries, readPassword } from '../../config/secret.js';
import { flag, text } from '../../config/values.js';
import { ArgoError } from '../../kit/errors.js';
import { parseFingerprint, type Trust } from '../../protocols/tls/connect.js';

/** The keys of every driver that logs in to a server whose certificate it checks. */

/** One value, or a list of at least one; always a list afterwards. @param what as in `a URL` */
export const oneOrMore = <Schema extends v.GenericSchema<string, unknown>>(schema: Schema, what: string) => v.union(
  [v.pipe(schema, v.transform((value) => [value])), v.pipe(v.array(schema), v.minLength(1, `${what} is expected`))], `${what} is expected, or a list of them`,
);

/** The scheme, host and port of a server; a path is cut off. */
export const origin = v.pipe(
  text,
  v.check((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), 'a URL such as "https://xen1.example" is expected'),
  v.check((value) => !URL.canParse(value) || new URL(value).username === '', 'user and password do not belong into the URL'),
  v.transform((value) => new URL(new URL(value).origin)),
);

const fingerprint = v.pipe(
  text,
  v.check((value) => parseFingerprint(value) !== undefined, 'a SHA-256 fingerprint is expected, such as "SHA256:…"'),
  v.transform((value) => parseFingerprint(value) ?? ''),
);

export const loginEntries = {
  user: text,
  ...passwordEntries,
  'ca-file': v.optional(text),
  /** one for each server that may answer */
  fingerprint: v.optional(oneOrMore(fingerprint, 'a fingerprint')),
  insecure: v.optional(flag, false),
};

export type LoginOptions = v.InferOutput<v.ObjectSchema<typeof loginEntries, undefined>>;

/** Whom to trust at an `https:` URL. Read anew for each login, so that a file that was put right is used without a restart. @throws ArgoError */
export function tlsTrust(given: LoginOptions): Trust {
  if (given.insecure) return { kind: 'anyone' };
  if (given.fingerprint !== undefined) return { kind: 'fingerprints', fingerprints: given.fingerprint };
  const file = given['ca-file'];
  return { kind: 'authorities', ...(file !== undefined && { ca: reading(() => readFileSync(file, 'utf8')) }) };
}

/** As {@link tlsTrust}, for servers that are given the password itself. @throws ArgoError where it would cross the network in the clear, unasked */
export function passwordTrust(given: LoginOptions, ...servers: readonly URL[]): Trust {
  if (!given.insecure && servers.some(({ protocol }) => protocol === 'http:')) {
    throw new ArgoError('UNREACHABLE', 'the password would cross the network in the clear; use https, or set insecure = true');
  }
  return tlsTrust(given);
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
