import { stat } from 'node:fs/promises';
import { createHmac } from 'node:crypto';
import { readSecret, type SecretOptions } from '../../config/secret.js';
import { WEBHOOK_SECRET_LEAST, WEBHOOK_SECRET_MOST, WEBHOOK_SECRETS } from '../../kit/webhook-limits.js';

/** What a webhook is signed with, as Standard Webhooks has it (https://www.standardwebhooks.com, "Signature scheme", symmetric). */

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * The keys in a secret's text: base64 with or without `whsec_` before it, a line each.
 * @param where named in errors, which never repeat what stands there
 * @throws Error
 */
export function parseKeys(content: string, where: string): Buffer[] {
  const lines = content.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '');
  if (lines.length === 0) throw new Error(`${where} is empty`);
  if (lines.length > WEBHOOK_SECRETS) throw new Error(`${where} has more than ${WEBHOOK_SECRETS} lines: at most an old and a new secret are expected`);
  return lines.map((line) => {
    const text = line.replace(/^whsec_/, '');
    const key = Buffer.from(text, 'base64');
    if (BASE64.test(text) && key.length >= WEBHOOK_SECRET_LEAST && key.length <= WEBHOOK_SECRET_MOST) return key;
    throw new Error(`${where} is no good secret: ${WEBHOOK_SECRET_LEAST} to ${WEBHOOK_SECRET_MOST} random bytes in base64 are expected on each line, such as \`openssl rand -base64 32\` prints`);
  });
}

/** The keys that a table names; none where it names no secret. @throws Error that names the file or variable, never what is in it */
export function readKeys(options: SecretOptions<'secret'>): Buffer[] {
  const secret = readSecret(options, 'secret');
  const given: Readonly<Record<string, unknown>> = options;
  const where = given.secret !== undefined ? 'secret' : given['secret-file'] ?? given['secret-env'];
  return secret === undefined ? [] : parseKeys(secret.reveal(), String(where));
}

/**
 * The signatures of a message, one for each key, with blanks between them.
 * @param seconds since 1970, of this attempt
 */
export const sign = (keys: readonly Buffer[], id: string, seconds: number, body: string): string =>
  keys.map((key) => `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`).join(' ');

/** The keys of one table, read again when their file has changed. */
export class Keys {
  readonly #options: SecretOptions<'secret'>;
  readonly #complain: (reason: string) => void;
  #keys: readonly Buffer[];
  /** what the file was like when it was read last, well or not */
  #stamp: string | undefined;

  /** @param complain told once of each change that cannot be used: the former keys stay in use then @throws Error as {@link readKeys} */
  constructor(options: SecretOptions<'secret'>, complain: (reason: string) => void) {
    this.#options = options;
    this.#complain = complain;
    this.#keys = readKeys(options);
  }

  async current(): Promise<readonly Buffer[]> {
    const { secret, 'secret-file': file } = this.#options;
    if (secret !== undefined || file === undefined) return this.#keys;
    const stamp = await stampOf(file);
    if (stamp === this.#stamp) return this.#keys;
    this.#stamp = stamp;
    try {
      this.#keys = readKeys(this.#options);
    } catch (error) {
      this.#complain((error as Error).message);
    }
    return this.#keys;
  }
}

/** What differs when somebody has written a file, or put another one in its place. */
async function stampOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return 'gone';
  }
}
