import { connect } from 'node:net';
import { TCP_TIMEOUT } from './limits.js';
import { onAbort } from '../../kit/within.js';
import { CannotTell } from './outcome.js';

export type TcpOutcome =
  /** open: false where the connection was refused: by the host, or by a firewall in its name */
  | { readonly alive: true; readonly ms: number; readonly open: boolean }
  | { readonly alive: false; readonly reason: string };

/** What connect(2) says when nobody answers. */
const NOBODY = new Map([['EHOSTDOWN', 'host down'], ['ETIMEDOUT', 'no answer']]);

/**
 * Asks by a TCP connection whether a host is up: one that is accepted proves it, and one that is refused
 * that somebody answers. The kernel repeats the request by itself, after 1 and 3 s.
 * @param options.timeout milliseconds until the host counts as silent
 * @throws CannotTell `not sent`; `silent` where the connection is said to be impossible, by a router that finds
 *   nobody or by a firewall, even the host's own: the kernel does not tell which; the signal's reason
 */
export function probeTcp(address: string, port: number, options: { signal: AbortSignal; timeout?: number }): Promise<TcpOutcome> {
  const { signal, timeout = TCP_TIMEOUT } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const began = performance.now();
    const socket = connect({ host: address, port });
    const end = (act: () => void): void => {
      clearTimeout(timer);
      unwatch();
      socket.destroy();
      act();
    };
    const alive = (open: boolean): void => end(() => resolve({ alive: true, ms: performance.now() - began, open }));
    const silent = (reason: string): void => end(() => resolve({ alive: false, reason }));
    const timer = setTimeout(() => silent(`no answer from port ${port}`), timeout);
    const unwatch = onAbort(signal, (reason) => end(() => reject(reason as Error)));
    socket.once('connect', () => alive(true));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const nobody = NOBODY.get(error.code ?? '');
      if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') alive(false);
      else if (nobody !== undefined) silent(nobody);
      else if (error.code === 'EHOSTUNREACH') end(() => reject(new CannotTell('silent', `port ${port} is said to be unreachable, by a router or a firewall`, { cause: error })));
      else end(() => reject(new CannotTell('not sent', `no connection could be tried to ${address}: ${error.code ?? error.message}`, { cause: error })));
    });
  });
}
