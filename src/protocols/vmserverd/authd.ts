import { AUTHD_FAILURES, AUTHD_LINE } from '../../kit/vmserverd-limits.js';

/**
 * What is spoken with vmware-authd before the documents begin: lines that end in CR LF, the server first, codes as in FTP.
 * The words matter: login tools and scanners compare them (hydra, medusa, nmap, patator). Banner, USER, PASS and their replies
 * are public; so is 511, which a broken VMware Server gave. Argo's choice: `GLOBAL server` for the hand-over with its reply, 221,
 * 421, 500, 503, the length of a line and how many passwords may be tried.
 */

export const AUTHD_PORT = 902;

/** `1.00` speaks in the clear. With `1.10` TLS begins directly behind the banner, without a word for it. */
export type AuthdVersion = '1.00' | '1.10';

/**
 * hydra takes no other versions. What other banners promise (SOAP, VNC, NFC) is not promised here, and the plain one must
 * not have the letters SSL in it at all: Metasploit begins TLS wherever they stand.
 */
export const banner = (version: AuthdVersion): string => `220 VMware Authentication Daemon Version ${version}${version === '1.10' ? ': SSL Required' : ''}\r\n`;

/** First byte of TLS' first record (RFC 8446, 5.1): whoever sends another where TLS is required speaks in the clear. */
export const TLS_FIRST_BYTE = 0x16;

/** To one who speaks in the clear where he must not: nothing that he sent is looked at. */
export const SSL_REQUIRED = '530 SSL required.\r\n';

/**
 * The last word where a login comes to nothing and the password is not to blame: 421, as in FTP (RFC 959, 4.2). Only `530 ` is taken
 * for a wrong one (medusa): whoever guesses is to try this one again, and whoever has the right one is not told that it is wrong.
 */
export const UNDECIDED = {
  busy: '421 Too many logins at a time, try again later.\r\n',
  crowded: '421 Too many connections, try again later.\r\n',
  failed: '421 The login cannot be checked now, try again later.\r\n',
  late: '421 Timeout.\r\n',
  ending: '421 The server ends.\r\n',
} as const;

export const LINE_TOO_LONG = '500 Line too long.\r\n';

const LOGIN_FIRST = '530 Please login with USER and PASS.\r\n';

/** What the gateway does for a conversation. */
export interface AuthdCalls {
  /**
   * Whether a password is right: slowed down, counted and recorded by the gateway; or why that cannot be said at present.
   * What it throws ends the conversation without a word: for who is gone.
   */
  login(user: string, password: string): Promise<boolean | keyof typeof UNDECIDED>;
  /** whether there is a service to which a client that is logged in can be handed over */
  hasService(): boolean;
}

/** What comes of a line. */
export interface AuthdStep {
  readonly reply: string;
  /** `documents`: whatever follows the line is the service's */
  readonly then: 'go on' | 'close' | 'documents';
}

const step = (reply: string, then: AuthdStep['then'] = 'go on'): AuthdStep => ({ reply, then });

/** Names of a service to which one is handed over: that which a GSX advisory of 2002 is remembered to have named, and two that speak for themselves. */
const SERVICES: ReadonlySet<string> = new Set(['GLOBAL SERVER', 'GLOBAL VMSERVERD', 'CONNECT VMSERVERD']);

/** The server's side of one connection, without the connection: a line in, a reply out. One line at a time. */
export class AuthdConversation {
  readonly #version: AuthdVersion;
  readonly #calls: AuthdCalls;
  #user: string | undefined;
  #isLoggedIn: boolean;
  #failures = 0;

  /** @param isLoggedIn for a local user, whom the gateway knows by his socket */
  constructor(version: AuthdVersion, calls: AuthdCalls, isLoggedIn = false) {
    this.#version = version;
    this.#calls = calls;
    this.#isLoggedIn = isLoggedIn;
  }

  get isLoggedIn(): boolean {
    return this.#isLoggedIn;
  }

  /** @param line without its end */
  async take(line: string): Promise<AuthdStep> {
    const [, word = '', argument = ''] = /^(\S*)(?: (.*))?$/s.exec(line) ?? [];
    switch (word.toUpperCase()) {
      case 'USER': return this.#takeUser(argument);
      case 'PASS': return this.#takePassword(argument);
      case 'QUIT': return step('221 Goodbye\r\n', 'close');
      // by what an empty line is answered nmap knows it
      default: return this.#isLoggedIn && line.trim() !== '' ? this.#takeCommand(line.trim()) : step(LOGIN_FIRST);
    }
  }

  /** Also behind a login: whoever begins anew is nobody until his password was right. */
  #takeUser(user: string): AuthdStep {
    this.#isLoggedIn = false;
    this.#user = user;
    return step(`331 Password required for ${printable(user)}.\r\n`);
  }

  async #takePassword(password: string): Promise<AuthdStep> {
    const user = this.#user;
    if (user === undefined) return step('503 Login with USER first.\r\n');
    this.#user = undefined;
    const found = await this.#calls.login(user, password);
    if (typeof found === 'string') return step(UNDECIDED[found], 'close');
    if (found) {
      this.#isLoggedIn = true;
      return step(`230 User ${printable(user)} logged in.\r\n`);
    }
    // Kept open for some more: hydra and patator try several on one connection, and patator never ends when it is closed.
    this.#failures += 1;
    return step('530 Login incorrect.\r\n', this.#failures < AUTHD_FAILURES ? 'go on' : 'close');
  }

  #takeCommand(line: string): AuthdStep {
    const command = line.toUpperCase();
    if (command === 'BANNER') return step(`220 VMware Authentication Daemon Version ${this.#version}\r\n`);
    if (!SERVICES.has(command.replace(/\s+/, ' '))) return step('500 Unknown command.\r\n');
    return this.#calls.hasService() ? step('200 Connect Global\r\n', 'documents') : step('511 Error connecting to /usr/sbin/vmware-serverd process.\r\n');
  }
}

/** A name as it came, without what a terminal would obey. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');

const LF = 0x0A;
const CR = 0x0D;

/** A line that is too long: the connection is of no more use. */
export class LineTooLongError extends RangeError {
  override readonly name = 'LineTooLongError';

  constructor() {
    super(`a line has more than ${AUTHD_LINE} bytes`);
  }
}

/** Cuts lines out of bytes; LF alone ends one too. Each byte is looked at once. */
export class AuthdLines {
  /** with room for a CR, which is not counted */
  readonly #held = Buffer.allocUnsafe(AUTHD_LINE + 1);
  #length = 0;

  /**
   * The next line of some bytes, and where the rest begins.
   * @returns undefined: there is no whole line yet, all was taken
   * @throws LineTooLongError
   */
  next(bytes: Uint8Array, from: number): { readonly line: string; readonly end: number } | undefined {
    const at = bytes.indexOf(LF, from);
    const end = at < 0 ? bytes.length : at;
    if (this.#length + (end - from) > this.#held.length) throw new LineTooLongError();
    this.#held.set(bytes.subarray(from, end), this.#length);
    this.#length += end - from;
    const length = this.#length > 0 && this.#held[this.#length - 1] === CR ? this.#length - 1 : this.#length;
    if (length > AUTHD_LINE) throw new LineTooLongError();
    if (at < 0) return undefined;
    const line = this.#held.toString('utf8', 0, length);
    // It may have been a password.
    this.#held.fill(0, 0, this.#length);
    this.#length = 0;
    return { line, end: at + 1 };
  }
}

/** What a server said of itself, to a client. */
export interface AuthdBanner {
  /** such as `1.10` */
  readonly version: string;
  /** whether TLS begins directly behind it */
  readonly isTls: boolean;
}

/** The client's side. @returns undefined where it is no vmware-authd. `SSL Recommended` is taken for TLS too: only scanners know of it. */
export function readBanner(line: string): AuthdBanner | undefined {
  const [, version, promises = ''] = /^220 VMware Authentication Daemon Version (\d{1,4}(?:\.\d{1,4}){0,3})(.*)$/.exec(line) ?? [];
  return version === undefined ? undefined : { version, isTls: /\bSSL (?:Required|Recommended)\b/.test(promises) };
}

export interface AuthdReply {
  readonly code: number;
  readonly words: string;
}

/** The client's side. @returns undefined where it is no reply */
export function readReply(line: string): AuthdReply | undefined {
  const [, code, words = ''] = /^(\d{3})(?: (.*))?$/s.exec(line) ?? [];
  return code === undefined ? undefined : { code: Number(code), words };
}

/** A line of a client. @throws RangeError for what would be more than one line, or too long; never with the text in it */
export function commandLine(word: 'USER' | 'PASS' | 'GLOBAL' | 'QUIT', argument?: string): string {
  const line = argument === undefined ? word : `${word} ${argument}`;
  if (/[\0\r\n]/.test(line)) throw new RangeError(`what follows ${word} has a line end or a NUL`);
  if (Buffer.byteLength(line) > AUTHD_LINE) throw new RangeError(`what follows ${word} is too long`);
  return `${line}\r\n`;
}
