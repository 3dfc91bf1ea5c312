import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { onAbort } from '../../kit/within.js';
import { LibvirtClient, type OpenOptions } from './client.js';

/**
 * Opens libvirt over the first of some unix sockets on which somebody listens.
 * @throws the error of connect(2) on the first socket (ENOENT, ECONNREFUSED, EACCES …) when none
 *   does, else as {@link LibvirtClient.open}
 */
export async function openOverUnix(sockets: readonly string[], options: OpenOptions): Promise<LibvirtClient> {
  let first: unknown;
  for (const path of sockets) {
    try {
      return await LibvirtClient.open(await connectTo({ path }, options.signal), options);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      first ??= error;
    }
  }
  throw first;
}

const isAbsent = (error: unknown): boolean => ['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '');

/** A connection on which an error brings nobody down before somebody listens for himself. @throws the error of connect(2) */
export function connectTo(where: NetConnectOpts, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect(where);
    const forget = onAbort(signal, (reason) => {
      socket.destroy();
      reject(reason as Error);
    });
    socket.once('error', (error) => { forget(); reject(error); });
    socket.once('connect', () => {
      forget();
      socket.removeAllListeners('error');
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
