import type { Duplex } from 'node:stream';
import type { AuthenticationType, Client, ClientChannel, ConnectConfig, Prompt, ServerHostKeyAlgorithm } from 'ssh2';
import { onAbort } from '../../kit/within.js';
import { SshAuthenticationError, SshCommandError, SshConnectionError, SshKeyError, type HostKeyError } from './errors.js';
import { learnHostKey } from './host-certificates.js';
import { checkHostKey, knownKeyTypes, type HostKeyPolicy } from './host-keys.js';

/** Milliseconds between the keep-alives that notice a dead peer. */
const KEEPALIVE_MS = 10_000;

/** Keep-alives without an answer after which the connection is given up. */
const KEEPALIVE_MISSES = 3;

/** Bytes of a command's stderr that are kept for an error message. */
const STDERR_KEPT = 4_096;

/** Rounds of questions that a host may ask (RFC 4256); one with a wrong password would go on and on. */
const QUESTION_ROUNDS = 3;

/** Nothing secret is shown to the host before it is needed: keys first, the password last. */
const METHODS: readonly AuthenticationType[] = ['none', 'publickey', 'agent', 'password', 'keyboard-interactive'];

/** All that ssh2 supports and OpenSSH still offers, the strongest first. */
export const HOST_KEY_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-512', 'rsa-sha2-256',
];

export interface SshOptions {
  readonly host: string;
  /** default 22 */
  readonly port?: number;
  readonly user: string;
  readonly hostKey: HostKeyPolicy;
  /** PEM or OpenSSH text of a private key */
  readonly privateKey?: string;
  /** socket of an ssh-agent */
  readonly agent?: string;
  /** also the answer to what a host asks without echo (keyboard-interactive) */
  readonly password?: string;
  /** a connection that leads to the host already, such as one through a jump host; its certificate has been asked for then, see {@link learnHostKey} */
  readonly stream?: Duplex;
  /** milliseconds until the host must have taken the credentials; without it only the signal counts */
  readonly timeout?: number;
}

/** A running command: its stdin and stdout are the stream. */
export interface SshCommand {
  readonly stream: Duplex;
  /** resolves when it has ended; `code` is undefined when a signal or a cut connection ended it */
  readonly ended: Promise<{ readonly code: number | undefined; readonly stderr: string }>;
}

/** In characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A shell that is open: what is typed, and what is shown. */
export interface SshShell {
  readonly stream: Duplex;
  resize(size: TerminalSize): void;
}

/** One authenticated SSH connection. ssh2 is loaded when the first is made. */
export class SshConnection {
  readonly #client: Client;
  /** resolves with the reason once the connection is over; never rejects */
  readonly closed: Promise<Error>;
  /** called back at the end; a set, since a promise would keep every caller that ever waited */
  readonly #endListeners = new Set<(reason: Error) => void>();
  #end: Error | undefined;

  private constructor(client: Client) {
    this.#client = client;
    this.closed = new Promise((resolve) => {
      const end = (reason: Error): void => {
        this.#end ??= reason;
        resolve(this.#end);
        for (const listener of this.#endListeners) listener(this.#end);
        this.#endListeners.clear();
      };
      client.on('error', end);
      client.on('close', () => end(new SshConnectionError('the SSH connection was closed')));
    });
  }

  /**
   * @param signal ends the attempt; give it a deadline, or the options a timeout
   * @throws HostKeyError, SshAuthenticationError, SshConnectionError or the signal's reason
   */
  static async connect(given: SshOptions, signal: AbortSignal): Promise<SshConnection> {
    const { default: ssh2 } = await import('ssh2');
    signal.throwIfAborted();
    const options = given.stream === undefined ? await learnHostKey(given, signal) : given;
    const client = new ssh2.Client();
    const connection = new SshConnection(client);
    await new Promise<void>((resolve, reject) => {
      signal.throwIfAborted();
      let badKey: HostKeyError | undefined;
      let stage = 'does not answer';
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        forget();
        act();
      };
      const fail = (error: unknown): void => settle(() => {
        client.destroy();
        reject(error as Error);
      });
      const timer = options.timeout === undefined ? undefined : setTimeout(() => {
        fail(new SshConnectionError(`${options.host} ${stage} (waited ${options.timeout} ms)`));
      }, options.timeout);
      const forget = onAbort(signal, fail);
      client.once('connect', () => {
        stage = 'accepts the connection and says nothing';
        // Small packets that wait for each other's acknowledgement cost 40 ms a command.
        client.setNoDelay(true);
      });
      client.once('greeting', () => { stage = 'does not come to an agreement about keys'; });
      client.once('handshake', () => { stage = 'neither takes nor refuses the credentials'; });
      client.once('ready', () => settle(resolve));
      client.once('error', (error: Error & { level?: string }) => fail(badKey ?? explain(error)));
      client.once('close', () => fail(badKey ?? new SshConnectionError('the host closed the connection')));
      answerQuestions(client, options.password);
      try {
        client.connect(toConfig(options, (error) => { badKey = error; }));
      } catch (error) {
        fail(new SshKeyError(keyTrouble(options.privateKey, error), { cause: error }));
      }
    });
    return connection;
  }

  /** Connects to a unix socket on the host (direct-streamlocal@openssh.com). */
  openUnixSocket(path: string, signal: AbortSignal): Promise<Duplex> {
    return this.#open<ClientChannel>(signal, (done) => this.#client.openssh_forwardOutStreamLocal(path, done));
  }

  /** Connects to a TCP port as the host sees it (direct-tcpip), which makes the host a jump host. */
  openTcp(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
    return this.#open<ClientChannel>(signal, (done) => this.#client.forwardOut('127.0.0.1', 0, host, port, done));
  }

  /** A login shell on a terminal of its own; its size is told by `resize`. @throws SshConnectionError; the signal's reason */
  async openShell({ columns, rows }: TerminalSize, signal: AbortSignal): Promise<SshShell> {
    const window = { term: 'xterm-256color', cols: columns, rows, width: 0, height: 0 };
    const channel = await this.#open<ClientChannel>(signal, (done) => this.#client.shell(window, done));
    channel.stderr.resume();
    // whoever gets it may not listen yet when it fails
    channel.on('error', () => undefined);
    const forget = this.onEnd((reason) => {
      // ssh2's destroy() takes no reason, and being cut off must not look like a shell that has ended
      channel.emit('error', new SshConnectionError(reason.message, { cause: reason }));
      channel.destroy();
    });
    channel.once('close', forget);
    return { stream: channel, resize: (to) => channel.setWindow(to.rows, to.columns, 0, 0) };
  }

  /**
   * A channel on which a command begins to run in the user's shell.
   * @throws SshCommandError that says whether it may have begun; the signal's reason
   */
  startCommand(command: string, signal: AbortSignal): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (this.#end) throw new SshCommandError('lost', false, this.#end.message, { cause: this.#end });
      const settle = (act: () => void): void => {
        forget();
        this.#endListeners.delete(lost);
        act();
      };
      const lost = (reason: Error): void => settle(() => reject(new SshCommandError('lost', true, reason.message, { cause: reason })));
      const forget = onAbort(signal, (reason) => settle(() => reject(reason as Error)));
      this.#endListeners.add(lost);
      this.#client.exec(command, (error: Error | undefined, channel) => {
        if (signal.aborted) channel?.close();
        // A lost connection has been told to `lost` by now, so that this is the host's own refusal.
        else if (error) settle(() => reject(notStarted(error)));
        else settle(() => resolve(channel));
      });
    });
  }

  /** Calls back once when the connection is over, at once where it is already. @returns forgets it */
  onEnd(listener: (reason: Error) => void): () => void {
    if (this.#end) listener(this.#end);
    else this.#endListeners.add(listener);
    return () => this.#endListeners.delete(listener);
  }

  /**
   * Whether the host still answers: sends a request that every SSH server answers, if only with a
   * refusal (RFC 4254, section 4), and that starts no process there.
   * @param within milliseconds
   */
  answers(within: number): Promise<boolean> {
    if (this.#end) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (result: boolean): void => {
        clearTimeout(timer);
        forget();
        resolve(result);
      };
      const timer = setTimeout(() => settle(false), within);
      const forget = this.onEnd(() => settle(false));
      try {
        this.#client.unforwardIn('', 0, () => settle(true));
      } catch {
        settle(false);
      }
    });
  }

  /** Starts a command in the user's shell; quote what comes from elsewhere with {@link quote}. */
  async exec(command: string, signal: AbortSignal): Promise<SshCommand> {
    const channel = await this.#open<ClientChannel>(signal, (done) => this.#client.exec(command, done));
    let stderr = '';
    channel.stderr.on('data', (chunk: Buffer) => { stderr = (stderr + chunk.toString()).slice(0, STDERR_KEPT); });
    const ended = new Promise<{ code: number | undefined; stderr: string }>((resolve) => {
      const end = (code: number | undefined): void => {
        this.#endListeners.delete(lost);
        resolve({ code, stderr });
      };
      // A channel of a connection that is cut does not say so while it holds output that nobody reads.
      const lost = (): void => end(undefined);
      this.#endListeners.add(lost);
      // Not by `exit`: that of a quick command may have come together with the channel, before anybody listened.
      channel.on('close', (status?: number | null) => end(status ?? undefined));
    });
    return { stream: channel, ended };
  }

  close(): void {
    // Not end() first: ssh2 would then leave the socket to a host that may never answer again.
    this.#client.destroy();
  }

  #open<T extends Duplex>(signal: AbortSignal, start: (done: (error: Error | undefined, channel: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (this.#end) throw new SshConnectionError(this.#end.message, { cause: this.#end });
      const settle = (act: () => void): void => {
        forget();
        this.#endListeners.delete(lost);
        act();
      };
      const lost = (reason: Error): void => settle(() => reject(new SshConnectionError(reason.message, { cause: reason })));
      const forget = onAbort(signal, (reason) => settle(() => reject(reason as Error)));
      this.#endListeners.add(lost);
      start((error, channel) => {
        if (signal.aborted) channel?.destroy();
        else if (error) settle(() => reject(new SshConnectionError(error.message, { cause: error })));
        else settle(() => resolve(channel));
      });
    });
  }
}

/**
 * A word for a login shell, whatever it holds but line ends, which tcsh takes in no way that others do. Not
 * only `'` stands outside of the quotes: fish reads `\\` within them as one, and csh each `!`.
 */
export function quote(word: string): string {
  return `'${word.replace(/['\\!]/g, "'\\$&'")}'`;
}

function toConfig(options: SshOptions, onBadKey: (error: HostKeyError) => void): ConnectConfig {
  const { host, port = 22, user, hostKey, privateKey, agent, password, stream } = options;
  return {
    host,
    port,
    username: user,
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(agent === undefined ? {} : { agent }),
    ...(password === undefined ? {} : { password }),
    ...(stream === undefined ? {} : { sock: stream }),
    authHandler: [...METHODS],
    tryKeyboard: password !== undefined,
    readyTimeout: 0,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_MISSES,
    algorithms: { serverHostKey: preferKnown(knownKeyTypes(hostKey, host, port)) },
    hostVerifier: (key: Buffer): boolean => {
      try {
        checkHostKey(hostKey, host, port, key);
        return true;
      } catch (error) {
        onBadKey(error as HostKeyError);
        return false;
      }
    },
  };
}

/** Asks first for keys that can be compared; a host with several would else show one that we lack. */
function preferKnown(types: readonly string[]): ServerHostKeyAlgorithm[] {
  const isKnown = (algorithm: string): boolean => types.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
  return [...HOST_KEY_ALGORITHMS.filter(isKnown), ...HOST_KEY_ALGORITHMS.filter((algorithm) => !isKnown(algorithm))];
}

/** Gives the password to each question that is asked without echo, and nothing to the others. */
function answerQuestions(client: Client, password: string | undefined): void {
  let rounds = 0;
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts: Prompt[], answer) => {
    rounds += 1;
    const given = rounds <= QUESTION_ROUNDS && password !== undefined ? password : '';
    answer(prompts.map(({ echo }) => echo === true ? '' : given));
  });
}

/** @returns what is wrong with a private key whose format ssh2 does not read, and what mends it; undefined where it is another */
export function keyFormatFault(privateKey: string, file = 'FILE'): string | undefined {
  if (!/^-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----/m.test(privateKey)) return undefined;
  return `the private key is in the format PKCS#8, which cannot be read; convert it with: ssh-keygen -p -N '' -f ${file}`
    + ' (an Ed25519 key of openssl cannot be converted: make one with ssh-keygen)';
}

function keyTrouble(privateKey: string | undefined, error: unknown): string {
  const fault = keyFormatFault(privateKey ?? '');
  if (fault !== undefined) return fault;
  return /encrypted/i.test(String(error)) ? 'the private key is encrypted; use one without a passphrase, or an agent' : 'the private key cannot be read';
}

/** Errors of the socket, in words. */
const BY_ERRNO: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused; is sshd running?',
  ECONNRESET: 'the host reset the connection',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ENOTFOUND: 'the host\'s name is not known',
  EAI_AGAIN: 'the host\'s name cannot be looked up now',
  ETIMEDOUT: 'the host does not answer',
};

/** ssh2 gives an error the reason of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254, section 5.1) where there is not even a channel. */
function notStarted(error: Error & { reason?: unknown }): SshCommandError {
  return typeof error.reason === 'number'
    ? new SshCommandError('full', false, 'the host opens no further session on the connection (MaxSessions of its sshd?)', { cause: error })
    : new SshCommandError('refused', false, error.message, { cause: error });
}

function explain(error: Error & { level?: string; code?: string }): Error {
  if (error.level === 'client-authentication') return new SshAuthenticationError('the host refuses our credentials', { cause: error });
  return new SshConnectionError(BY_ERRNO[error.code ?? ''] ?? error.message, { cause: error });
}
