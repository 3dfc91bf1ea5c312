import { userInfo } from 'node:os';
import type { Duplex } from 'node:stream';
import type { LibvirtClient, LibvirtEvent, OpenOptions } from '../../protocols/libvirt/client.js';
import { openOverUnix } from '../../protocols/libvirt/unix.js';
import type { LibvirtUri } from '../../protocols/libvirt/uri.js';
import type { SshOptions } from '../../protocols/ssh/connection.js';
import { SshLogins } from '../../protocols/ssh/logins.js';
import { connectConsole } from '../../protocols/tls/lending-socket.js';
import { SshSession } from '../../protocols/ssh/session.js';
import type { HostCommands } from '../management/host-commands.js';
import { localCommands } from '../management/local-commands.js';
import { SshCommands } from '../management/ssh-commands.js';
import { sshOptions, type SshAccess } from '../ssh/options.js';
import type { Screen } from './domain-xml.js';

export type LibvirtOptions = SshAccess & { readonly uri: string };

/** The way to a libvirt's host: to its libvirtd, to the screens of its guests, and for commands. */
export class Transport {
  readonly #uri: LibvirtUri;
  readonly #options: LibvirtOptions;
  readonly #logins = new SshLogins();
  readonly #remote: SshCommands | undefined;

  constructor(uri: LibvirtUri, options: LibvirtOptions) {
    this.#uri = uri;
    this.#options = options;
    if (uri.transport === 'ssh') this.#remote = new SshCommands(() => new SshSession(() => this.#access()));
  }

  /** Commands on its host: that of a unix socket is this one. */
  get commands(): HostCommands {
    return this.#remote ?? localCommands;
  }

  /** Lets go of the connection for commands. */
  close(): void {
    this.#remote?.close();
  }

  /** @param unwatched see {@link OpenOptions} */
  async connect(signal: AbortSignal, onEvent: (event: LibvirtEvent) => void, unwatched = false): Promise<LibvirtClient> {
    const uri = this.#uri;
    const open: OpenOptions = { uri: uri.remoteName, signal, onEvent, unwatched };
    if (uri.transport === 'unix') return openOverUnix(uri.sockets, open);
    const { openOverSsh } = await import('../../protocols/libvirt/ssh.js');
    return this.#overSsh((ssh) => openOverSsh(ssh, uri.sockets, open), signal);
  }

  /** Connects to where a screen is shown, as the host sees it. */
  async reach(screen: Screen, signal: AbortSignal): Promise<Duplex> {
    if (this.#uri.transport === 'unix') return reachHere(screen, signal);
    const { SshConnection } = await import('../../protocols/ssh/connection.js');
    const connection = await this.#overSsh((ssh) => SshConnection.connect(ssh, signal), signal);
    try {
      const stream = await ('socket' in screen ? connection.openUnixSocket(screen.socket, signal) : connection.openTcp(screen.host, screen.port, signal));
      stream.once('close', () => connection.close());
      connection.onEnd((reason) => stream.destroy(reason));
      return stream;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #overSsh<T>(work: (ssh: SshOptions) => Promise<T>, signal: AbortSignal): Promise<T> {
    const ssh = this.#access();
    return this.#logins.guard(`${ssh.host}:${ssh.port}`, ssh, () => work(ssh), signal);
  }

  /** @throws ArgoError where a file of it cannot be read */
  #access(): SshOptions {
    const { host, port, user } = this.#uri;
    return sshOptions(accessOf(this.#uri, this.#options), { host: host!, port, user: user ?? userInfo().username });
  }
}

const reachHere = (screen: Screen, signal: AbortSignal): Promise<Duplex> =>
  connectConsole('socket' in screen ? { path: screen.socket } : { host: screen.host, port: screen.port, noDelay: true }, signal);

/** The table's own keys go before what its URI says. */
function accessOf(uri: LibvirtUri, options: LibvirtOptions): LibvirtOptions {
  const hasKey = options['private-key-file'] !== undefined || options['private-key-env'] !== undefined;
  return {
    ...options,
    ...(uri.keyFile === undefined || hasKey ? {} : { 'private-key-file': uri.keyFile }),
    'known-hosts-file': options['known-hosts-file'] ?? uri.knownHostsFile,
    'accept-new-host-keys': options['accept-new-host-keys'] || uri.acceptsNewHosts === true,
  };
}
