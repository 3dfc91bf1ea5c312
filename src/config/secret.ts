import { inspect } from 'node:util';
import * as v from 'valibot';
import { SECRET_FILE_SIZE } from '../kit/limits.js';
import { readRegularFile } from '../kit/regular-file.js';
import { text } from './values.js';

/** A password or key. However it is printed, logged or serialised, its content does not show. */
export class Secret {
  readonly #content: string;

  constructor(content: string) {
    this.#content = content;
  }

  /** The content: for the call that sends it, nothing else. */
  reveal(): string {
    return this.#content;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

const secretText = v.pipe(text, v.transform((content) => new Secret(content)));

/** The keys by which a secret can be given: in the file itself, in a file of its own, by an environment variable. */
export type SecretOptions<Name extends string> =
  & { readonly [Key in Name]?: Secret | undefined }
  & { readonly [Key in `${Name}-file` | `${Name}-env`]?: string | undefined };

type OptionalText = v.OptionalSchema<typeof text, undefined>;
type SecretEntries<Name extends string> =
  & { readonly [Key in Name]: v.OptionalSchema<typeof secretText, undefined> }
  & { readonly [Key in `${Name}-file` | `${Name}-env`]: OptionalText };

/** The entries of a provider's table for one secret, such as `password`. */
export function secretEntries<Name extends string>(name: Name): SecretEntries<Name> {
  return {
    [name]: v.optional(secretText),
    [`${name}-file`]: v.optional(text),
    [`${name}-env`]: v.optional(text),
  } as SecretEntries<Name>;
}

/** The secrets among the entries of a table: each comes with a key for its file and one for its variable. */
export const secretNames = (entries: v.ObjectEntries): string[] =>
  Object.keys(entries).filter((name) => Object.hasOwn(entries, `${name}-file`) && Object.hasOwn(entries, `${name}-env`));

/** The key of a table that says where its secret is. */
export const secretKey = (options: object, name: string): string => [`${name}-file`, `${name}-env`].find((key) => key in options) ?? name;

/** The keys by which a password can be given in a provider's table. */
export const passwordEntries = secretEntries('password');

/** A secret from a file; one line end at its end does not count. @throws Error that names the file */
export function readSecretFile(path: string): Secret {
  return new Secret(readRegularFile(path, SECRET_FILE_SIZE).toString().replace(/\r?\n$/, ''));
}

/**
 * The secret that a provider's table names, if any.
 * @throws Error that names the file or variable, never its content
 */
export function readSecret<Name extends string>(options: SecretOptions<Name>, name: Name): Secret | undefined {
  const given: Readonly<Record<string, Secret | string | undefined>> = options;
  const { [name]: content, [`${name}-file`]: file, [`${name}-env`]: variable } = given;
  if (content instanceof Secret) return content;
  if (typeof file === 'string') return readSecretFile(file);
  if (typeof variable !== 'string') return undefined;
  const value = process.env[variable];
  if (value === undefined || value === '') throw new Error(`the environment variable ${variable} is not set`);
  return new Secret(value);
}

/** The password that a provider's table names, if any. @throws as {@link readSecret} */
export const readPassword = (options: SecretOptions<'password'>): Secret | undefined => readSecret(options, 'password');
