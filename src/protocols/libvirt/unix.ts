import { connectTo } from '../tls/connect.js';
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
