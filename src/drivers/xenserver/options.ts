import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { passwordEntries, readPassword } from '../../config/secret.js';
import { flag, text } from '../../config/values.js';
import { ArgoError } from '../../errors.js';
import { listedHostEntries, sharedEntries } from '../host/options.js';
import { parseFingerprint, type Trust } from '../../protocols/xapi/tls.js';

/** The keys of a `[providers.NAME]` table of type xenserver. */

const oneOrMore = <Schema extends v.GenericSchema<string, unknown>>(schema: Schema, what: string) => v.union(
  [v.pipe(schema, v.transform((value) => [value])), v.pipe(v.array(schema), v.minLength(1, `${what} is expected`))], `${what} is expected, or a list of them`,
);

const origin = v.pipe(
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

export const options = {
  /** the pool's hosts, or some of them, or one */
  url: oneOrMore(origin, 'a URL'),
  user: text,
  ...passwordEntries,
  'ca-file': v.optional(text),
  /** one for each host of the pool */
  fingerprint: v.optional(oneOrMore(fingerprint, 'a fingerprint')),
  insecure: v.optional(flag, false),
  /** what the pool does not say of its hosts; found there by name or address */
  hosts: v.optional(v.array(v.strictObject(listedHostEntries), 'a list is expected, such as [{ name = "xen1", mac = "52:54:00:aa:00:11" }]'), []),
  ...sharedEntries,
};

export type XenServerOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;

/** Read anew for each login, so that a file that was put right is used without a restart. @throws ArgoError */
export function trustOf(given: XenServerOptions): Trust {
  if (given.insecure) return { kind: 'anyone' };
  if (given.url.some(({ protocol }) => protocol === 'http:')) {
    throw new ArgoError('UNREACHABLE', 'the password would cross the network in the clear; use https, or set insecure = true');
  }
  if (given.fingerprint !== undefined) return { kind: 'fingerprints', fingerprints: given.fingerprint };
  const file = given['ca-file'];
  return { kind: 'authorities', ...(file !== undefined && { ca: reading(() => readFileSync(file, 'utf8')) }) };
}

/** @throws ArgoError, which names a file or variable that cannot be read */
export function credentialsOf(given: XenServerOptions): { user: string; password: string } {
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
