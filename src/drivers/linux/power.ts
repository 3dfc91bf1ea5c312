import type { Secret } from '../../config/secret.js';
import { ArgoError } from '../../kit/errors.js';
import { HOLDS, Lockout, type Holds } from '../../kit/lockout.js';
import { wasKilled, type CommandResult } from '../../protocols/ssh/command.js';
import { quote } from '../../protocols/ssh/connection.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import { explainSsh } from '../ssh/errors.js';

/** Commands that turn a host off or around: begun as root, in the background, and known to be accepted. */

/** Bytes kept of what a host says to an order. */
const ORDER_OUTPUT = 16 * 1024;

/** Characters of a host's words that are told. */
const WORDS_TOLD = 200;

/** Printed when the command has been begun, on a line of its own whatever a login shell printed before. */
const ACCEPTED = 'argo: accepted';

/** Exit status of a shell for a program that is not there. */
const NOT_FOUND = 127;

export interface Order {
  /** for a POSIX shell */
  readonly command: string;
  readonly rights: Rights;
  readonly passwords: SudoPasswords;
  readonly signal: AbortSignal;
  /** milliseconds for the host's answer; sudo alone takes more than two for a wrong password */
  readonly timeout: number;
  /** told what the command complained of after it had been accepted, which is all that is known of it then */
  readonly onComplaint: (words: string) => void;
}

/**
 * The line for the login shell, whichever it is: `sh` does the work. sudo's password
 * comes on stdin and stands in no command line.
 */
export function orderLine(command: string, rights: Rights): string {
  const accepted = `printf '\\n${ACCEPTED}\\n'`;
  if (rights.by === 'nobody') return `sh -c ${quote(`sh -c ${quote(command)} </dev/null & ${accepted}`)}`;
  return `sh -c ${quote(`LC_ALL=C sudo ${sudoFlags(rights)} -b sh -c ${quote(command)} && ${accepted}`)}`;
}

/**
 * Resolves when the host has begun the command, which goes on by itself.
 * @throws ArgoError: UNCERTAIN where it may have begun it, each other phrase where it certainly has not
 */
export async function giveOrder(session: SshSession, order: Order): Promise<void> {
  const { command, rights, passwords, signal, timeout, onComplaint } = order;
  await passwords.use(rights, async (input) => {
    const result = await session.run('acts', orderLine(command, rights), {
      ...input,
      signal,
      timeout,
      maxOutput: ORDER_OUTPUT,
      enough: (recent) => recent.includes(`\n${ACCEPTED}\n`),
      afterwards: ({ stderr }) => {
        const words = wordsOf(stderr);
        if (words !== '') onComplaint(words);
      },
    }).catch((error: unknown) => { throw explainSsh(error, 'acts'); });
    if (result.signal !== undefined) throw new ArgoError('UNCERTAIN', `the host ended the order by SIG${result.signal}`);
    if (result.code !== undefined && wasKilled(result.code)) throw new ArgoError('UNCERTAIN', `the host ended the order with exit status ${result.code}`);
    if (result.code !== undefined) throw refusal(result, result.code, rights);
  });
  session.retire();
}

/** Why a host did not even begin. */
function refusal({ stderr, stdout }: CommandResult, code: number, rights: Rights): ArgoError {
  const words = wordsOf(stderr) || wordsOf(stdout) || `exit status ${code}`;
  if (code === 0) return new ArgoError('FAILED', `the login shell did not run the order: ${words}`);
  if (code === NOT_FOUND || rights.by === 'nobody') return new ArgoError('FAILED', words);
  return refusalOfSudo(stderr, words);
}

/** What is not worth telling, since it is said besides the reason. */
const NOISE = /^sudo: unable to resolve host|^Sorry, try again|^This incident (has been|will be) reported/;

/** A host's last words in one line. */
export function wordsOf(output: string): string {
  const lines = output.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !NOISE.test(line));
  return lines.slice(-2).join('; ').slice(0, WORDS_TOLD);
}

/** How a command becomes root's. */
export type Rights = { readonly by: 'sudo'; readonly password: Secret | undefined } | { readonly by: 'nobody' };

/** The short forms of `--reset-timestamp --stdin --prompt ''`, or of `--non-interactive`. */
export const sudoFlags = (rights: Rights): string => rights.by === 'sudo' && rights.password !== undefined ? '-k -S -p \'\'' : '-n';

/** sudo has refused the password, so that it is no good to try it again and again: pam_faillock counts. */
class WrongPassword extends ArgoError {
  constructor(words: string, options?: { cause?: unknown }) {
    super('ACCESS DENIED', words, options);
  }
}

/** sudo(8) and sudo-rs, in the C locale. Not of it: that a password is required, or that one is not in sudoers. */
const REFUSED = /\btry again\b|\bincorrect (?:password|authentication) attempt/i;

/** Passwords of sudo for one account of one host, of which one that was refused is held back as that of a login. */
export class SudoPasswords {
  readonly #lockout: Lockout;

  /** @param account `user@host:port`, for which all who ask its sudo know the same */
  constructor(account: string, holds: Holds = HOLDS) {
    this.#lockout = new Lockout(asRefusal, { realm: `sudo ${account}`, holds });
  }

  /**
   * Lets work ask sudo.
   * @param work gets what sudo's stdin is to be, if there is a password
   * @throws ArgoError ACCESS DENIED without any work while the password is held back; what the work throws
   */
  use<T>(rights: Rights, work: (stdin: { readonly stdin?: string }) => Promise<T>): Promise<T> {
    const password = rights.by === 'sudo' ? rights.password?.reveal() : undefined;
    return password === undefined ? work({}) : this.#lockout.guard([password], () => work({ stdin: `${password}\n` }));
  }
}

/**
 * Why sudo ran nothing.
 * @param stderr all that it said; @param words of it, for people
 */
export function refusalOfSudo(stderr: string, words: string): ArgoError {
  return REFUSED.test(stderr) ? new WrongPassword(words) : new ArgoError('ACCESS DENIED', words);
}

function asRefusal(error: unknown, hint: string): Error | undefined {
  return error instanceof WrongPassword ? new WrongPassword(`${error.detail}; ${hint}`, { cause: error }) : undefined;
}
