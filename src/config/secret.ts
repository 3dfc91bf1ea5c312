import { readFileSync, statSync } from 'node:fs';
import { inspect } from 'node:util';
import * as v from 'valibot';
import { SECRET_FILE_SIZE } from '../limits.js';
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

/**
 * The keys by which a password can be given in a provider's table: in the file itself, in a file of
 * its own, or by an environment variable.
 */
export const passwordEntries = {
  password: v.optional(secretText),
  'password-file': v.optional(text),
  'password-env': v.optional(text),
};

/** What {@link passwordEntries} yield. */
export interface PasswordOptions {
  readonly password?: Secret | undefined;
  readonly 'password-file'?: string | undefined;
  readonly 'password-env'?: string | undefined;
}

/** A secret from a file; one line end at its end does not count. */
export function readSecretFile(path: string): Secret {
  if (statSync(path).size > SECRET_FILE_SIZE) throw new Error(`${path} is too large for a password or key`);
  return new Secret(readFileSync(path, 'utf8').replace(/\r?\n$/, ''));
}

/**
 * The password that a provider's table names, if any.
 * @throws Error that names the file or variable, never its content
 */
export function readPassword(options: PasswordOptions): Secret | undefined {
  if (options.password !== undefined) return options.password;
  if (options['password-file'] !== undefined) return readSecretFile(options['password-file']);
  const variable = options['password-env'];
  if (variable === undefined) return undefined;
  const content = process.env[variable];
  if (content === undefined || content === '') throw new Error(`the environment variable ${variable} is not set`);
  return new Secret(content);
}
