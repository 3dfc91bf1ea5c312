import type { Duplex } from 'node:stream';
import type { Client, ClientChannel, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2';
import { SshAuthenticationError, SshConnectionError, type HostKeyError } from './errors.js';
import { checkHostKey, knownKeyTypes, type HostKeyPolicy } from './host-keys.js';

/** Milliseconds between the keep-alives that notice a dead peer. */
const KEEPALIVE_MS = 10_000;

/** Keep-alives without an answer after which the connection is given up. */
const KEEPALIVE_MISSES = 3;

/** Bytes of a command's stderr that are kept for an error message. */
const STDERR_KEPT = 4_096;

/** All that ssh2 supports and OpenSSH still offers, the strongest first. */
const HOST_KEY_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
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
  readonly password?: string;
}

/** A running command: its stdin and stdout are the stream. */
export interface SshCommand {
  readonly stream: Duplex;
  /** resolves when it has ended; `code` is undefined when a signal or a cut connection ended it */
  readonly ended: Promise<{ readonly code: number | undefined; readonly stderr: string }>;
}

/** One authenticated SSH connection. ssh2 is loaded when the first is made. */
export class SshConnection {
  readonly #client: Client;
  /** resolves with the reason once the connection is over; never rejects */
  readonly closed: Promise<Error>;
  /** told of the end; a set, since a promise would keep every caller that ever waited */
  readonly #mourners = new Set<(reason: Error) => void>();
  #end: Error | undefined;

  private constructor(client: Client) {
    this.#client = client;
    this.closed = new Promise((resolve) => {
      const end = (reason: Error): void => {
        this.#end ??= reason;
        resolve(this.#end);
        for (const mourn of this.#mourners) mourn(this.#end);
        this.#mourners.clear();
      };
      client.on('error', end);
      client.on('close', () => end(new SshConnectionError('the SSH connection was closed')));
    });
  }

  /**
   * @param signal ends the attempt; give it a deadline
   * @throws HostKeyError, SshAuthenticationError, SshConnectionError or the signal's reason
   */
  static async connect(options: SshOptions, signal: AbortSignal): Promise<SshConnection> {
    const { default: ssh2 } = await import('ssh2');
    signal.throwIfAborted();
    const client = new ssh2.Client();
    const connection = new SshConnection(client);
    await new Promise<void>((resolve, reject) => {
      let badKey: HostKeyError | undefined;
      const fail = (error: unknown): void => {
        signal.removeEventListener('abort', giveUp);
        client.destroy();
        reject(error);
      };
      const giveUp = (): void => fail(signal.reason);
      signal.addEventListener('abort', giveUp, { once: true });
      client.once('ready', () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      });
      client.once('error', (error: Error & { level?: string }) => fail(badKey ?? explain(error)));
      client.once('close', () => fail(badKey ?? new SshConnectionError('the host closed the connection')));
      try {
        client.connect(toConfig(options, (error) => { badKey = error; }));
      } catch (error) {
        fail(new SshAuthenticationError('the private key cannot be read', { cause: error }));
      }
    });
    return connection;
  }

  /** Connects to a unix socket on the host (direct-streamlocal@openssh.com). */
  openUnixSocket(path: string, signal: AbortSignal): Promise<Duplex> {
    return this.#open<ClientChannel>(signal, (done) => this.#client.openssh_forwardOutStreamLocal(path, done));
  }

  /** Starts a command in the user's shell; quote what comes from elsewhere with {@link quote}. */
  async exec(command: string, signal: AbortSignal): Promise<SshCommand> {
    const channel = await this.#open<ClientChannel>(signal, (done) => this.#client.exec(command, done));
    let stderr = '';
    let code: number | undefined;
    channel.stderr.on('data', (chunk: Buffer) => { stderr = (stderr + chunk.toString()).slice(0, STDERR_KEPT); });
    channel.on('exit', (status: number | null) => { code = status ?? undefined; });
    const ended = new Promise<{ code: number | undefined; stderr: string }>((resolve) => {
      const end = (): void => {
        this.#mourners.delete(end);
        resolve({ code, stderr });
      };
      channel.on('close', end);
      // A channel of a connection that is cut does not say so while it holds output that nobody reads.
      this.#mourners.add(end);
    });
    return { stream: channel, ended };
  }

  close(): void {
    this.#client.end();
    this.#client.destroy();
  }

  #open<T extends Duplex>(signal: AbortSignal, start: (done: (error: Error | undefined, channel: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (this.#end) throw new SshConnectionError(this.#end.message, { cause: this.#end });
      const giveUp = (): void => reject(signal.reason as Error);
      const lost = (reason: Error): void => reject(new SshConnectionError(reason.message, { cause: reason }));
      signal.addEventListener('abort', giveUp, { once: true });
      this.#mourners.add(lost);
      start((error, channel) => {
        signal.removeEventListener('abort', giveUp);
        this.#mourners.delete(lost);
        if (error) reject(new SshConnectionError(error.message, { cause: error }));
        else if (signal.aborted) channel.destroy();
        else resolve(channel);
      });
    });
  }
}

/** A word for a POSIX shell, whatever it holds. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function toConfig(options: SshOptions, onBadKey: (error: HostKeyError) => void): ConnectConfig {
  const { host, port = 22, user, hostKey, privateKey, agent, password } = options;
  return {
    host,
    port,
    username: user,
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(agent === undefined ? {} : { agent }),
    ...(password === undefined ? {} : { password }),
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

function explain(error: Error & { level?: string }): Error {
  if (error.level === 'client-authentication') return new SshAuthenticationError('the host refuses our credentials', { cause: error });
  return new SshConnectionError(error.message, { cause: error });
}
