import type { Socket } from 'node:net';
import { harmless, oneLine } from '../../kit/text.js';
import { isAbort, onAbort, within } from '../../kit/within.js';
import { VMSERVERD_CLIENT_LOGIN } from '../../kit/vmserverd-limits.js';
import { connectTo, describe, secureTrusted, type Trust } from '../tls/connect.js';
import { ConnectionLostError } from '../tls/errors.js';
import { AuthdLines, commandLine, readBanner, readReply, type AuthdReply } from './authd.js';
import { AuthdRefusal, PlainTextError, VmserverdAnswerError } from './errors.js';

/** A client's way in: the banner, TLS where the banner says so, the login, the hand-over to the service. */

export interface VmserverdAddress {
  readonly host: string;
  readonly port: number;
  /** whom to take for the server */
  readonly trust: Trust;
  /** whether the password may cross the network in the clear */
  readonly isPlainAllowed: boolean;
  /** whether TLS of before 2008 will do: VMware Server 1 and GSX speak no newer one */
  readonly isOldTlsAllowed?: boolean;
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Characters of what a server says that are told on. */
const WORDS = 200;

/**
 * Connects and logs in. What is written to the socket from then on is the service's.
 * @throws ConnectionLostError, CertificateError, PlainTextError, AuthdRefusal, VmserverdAnswerError; RangeError for a name or a password
 *   that cannot be sent; the signal's reason
 */
export async function logIn(address: VmserverdAddress, credentials: Credentials, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  // Before anybody is connected to: what cannot be sent needs no server.
  const lines = [commandLine('USER', credentials.user), commandLine('PASS', credentials.password)] as const;
  try {
    return await within(VMSERVERD_CLIENT_LOGIN, [signal], async (limit) => {
      const socket = await approach(address, limit);
      try {
        await identify(socket, lines, limit);
        return socket;
      } catch (error) {
        socket.destroy();
        throw error;
      }
    });
  } catch (error) {
    signal.throwIfAborted();
    if (isAbort(error)) throw new ConnectionLostError(`no login within ${VMSERVERD_CLIENT_LOGIN / 1000} s`, false, { cause: error });
    throw error;
  }
}

/** Connects, and speaks TLS where the banner says so. */
async function approach({ host, port, trust, isPlainAllowed, isOldTlsAllowed = false }: VmserverdAddress, signal: AbortSignal): Promise<Socket> {
  const plain = await connectTo({ host, port, noDelay: true }, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new ConnectionLostError(describe(error), false, { cause: error });
  });
  try {
    const line = await new Dialogue(plain, signal).hear();
    const banner = readBanner(line);
    if (banner === undefined) throw noBanner(line);
    if (banner.isTls) return await secured(plain, host, trust, isOldTlsAllowed, signal);
    if (!isPlainAllowed) throw new PlainTextError('it speaks in the clear, so that everybody on the way could read the password');
    return plain;
  } catch (error) {
    plain.destroy();
    throw error;
  }
}

/** A server that has no place says so where its banner would be. */
function noBanner(line: string): Error {
  const reply = readReply(line);
  return reply?.code === 421 ? refused(reply) : new VmserverdAnswerError('whoever listens there is no vmware-authd', false);
}

async function secured(plain: Socket, host: string, trust: Trust, isOldTlsAllowed: boolean, signal: AbortSignal): Promise<Socket> {
  const forget = onAbort(signal, () => plain.destroy());
  try {
    const socket = await secureTrusted(plain, host, trust, isOldTlsAllowed ? 'any' : 'today');
    return socket.on('error', () => undefined);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    forget();
  }
}

async function identify(socket: Socket, [user, password]: readonly [string, string], signal: AbortSignal): Promise<void> {
  const dialogue = new Dialogue(socket, signal);
  expect(await dialogue.ask(user), 331, false);
  expect(await dialogue.ask(password), 230, true);
  expect(await dialogue.ask(commandLine('GLOBAL', 'server')), 200, false);
}

/** @throws AuthdRefusal with the server's words */
function expect(reply: AuthdReply, wanted: number, isLogin: boolean): void {
  if (reply.code === wanted) return;
  throw isLogin && reply.code === 530 ? new AuthdRefusal('the user or the password is wrong', true) : refused(reply);
}

const refused = ({ code, words }: AuthdReply): AuthdRefusal => new AuthdRefusal(`vmware-authd says: ${`${code} ${harmless(oneLine(words, WORDS))}`.trim()}`, false);

/** Lines with a server that speaks when it is spoken to. Takes nothing from the socket that is behind the line it waits for. */
class Dialogue {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  readonly #lines = new AuthdLines();

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
  }

  /** @param line with its end */
  async ask(line: string): Promise<AuthdReply> {
    const heard = this.hear();
    this.#socket.write(line);
    const reply = readReply(await heard);
    if (reply === undefined) throw new VmserverdAnswerError('what it says is no reply of vmware-authd', false);
    return reply;
  }

  /** The next line. @throws VmserverdAnswerError for more than one: whatever comes in the clear behind a banner may be anybody's */
  hear(): Promise<string> {
    const [socket, signal] = [this.#socket, this.#signal];
    return new Promise<string>((resolve, reject) => {
      signal.throwIfAborted();
      const end = (settle: () => void): void => {
        forget();
        socket.removeListener('data', take).removeListener('error', fail).removeListener('close', cut);
        socket.pause();
        settle();
      };
      const take = (chunk: Buffer): void => {
        try {
          const next = this.#lines.next(chunk, 0);
          if (next === undefined) return;
          if (next.end < chunk.length) throw new RangeError('it said more than it was asked');
          end(() => resolve(next.line));
        } catch (error) {
          end(() => reject(new VmserverdAnswerError((error as Error).message, false)));
        }
      };
      const fail = (error: Error): void => end(() => reject(new ConnectionLostError(describe(error), false, { cause: error })));
      const cut = (): void => end(() => reject(new ConnectionLostError('the connection was cut off', false)));
      socket.on('data', take).on('error', fail).on('close', cut);
      const forget = onAbort(signal, (reason) => end(() => reject(reason as Error)));
      socket.resume();
    });
  }
}
