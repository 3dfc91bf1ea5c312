import type { Duplex } from 'node:stream';
import { unlessAborted } from '../../kit/within.js';
import { quote, SshConnection, type SshOptions } from '../ssh/connection.js';
import { SshConnectionError } from '../ssh/errors.js';
import { LibvirtClient, type OpenOptions } from './client.js';
import { ConnectionLostError, NoWayError } from './errors.js';

/** A way over SSH to the other side's libvirtd, with a name for messages. */
interface Way {
  readonly name: string;
  open(): Promise<{ stream: Duplex; complaint: Promise<string> }>;
}

/**
 * Opens libvirt over SSH by the first way that leads to a libvirtd: a forwarded unix socket, then
 * `virt-ssh-helper` (libvirt ≥ 7.0), then `nc -U`. The SSH connection lives as long as the client.
 *
 * @param sockets on the other side; none: only virt-ssh-helper, which knows them
 * @throws as {@link SshConnection.connect} and {@link LibvirtClient.open}; NoWayError, with what each
 *   way said, when none leads there
 */
export async function openOverSsh(ssh: SshOptions, sockets: readonly string[], options: OpenOptions): Promise<LibvirtClient> {
  const connection = await SshConnection.connect(ssh, options.signal);
  try {
    const client = await openByAnyWay(connection, sockets, options);
    connection.closed.then((reason) => client.destroy(reason), () => undefined);
    client.closed.then(() => connection.close(), () => undefined);
    return client;
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function openByAnyWay(connection: SshConnection, sockets: readonly string[], options: OpenOptions): Promise<LibvirtClient> {
  const complaints: string[] = [];
  for (const way of waysOver(connection, sockets, options)) {
    let complaint: Promise<string> = Promise.resolve('');
    try {
      const opened = await way.open();
      complaint = opened.complaint;
      return await LibvirtClient.open(opened.stream, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof ConnectionLostError) && !(error instanceof SshConnectionError)) throw error;
      // A command's last words may never come from a host that has gone.
      const words = await unlessAborted(complaint, options.signal);
      complaints.push(`${way.name}: ${words || (error as Error).message}`);
    }
  }
  throw new NoWayError(`no way to libvirtd over SSH (${complaints.join('; ')})`);
}

function waysOver(connection: SshConnection, sockets: readonly string[], { uri, signal }: OpenOptions): Way[] {
  const forwarded = (socket: string): Way => ({
    name: socket,
    open: async () => ({ stream: await connection.openUnixSocket(socket, signal), complaint: Promise.resolve('') }),
  });
  const commanded = (name: string, command: string): Way => ({
    name,
    open: async () => {
      const { stream, ended } = await connection.exec(command, signal);
      return { stream, complaint: ended.then(({ code, stderr }) => stderr.trim().split('\n').at(-1) || `exit status ${code ?? 'unknown'}`) };
    },
  });
  return [
    ...sockets.map(forwarded),
    commanded('virt-ssh-helper', `virt-ssh-helper ${quote(uri)}`),
    ...sockets.map((socket) => commanded(`nc -U ${socket}`, `nc -U ${quote(socket)}`)),
  ];
}
