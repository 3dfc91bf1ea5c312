import { Pinger } from '../../protocols/ping/pinger.js';
import type { Log } from '../../kit/log.js';

/**
 * The one pinger of all providers: however many hosts there are, they share its sockets and its pace.
 */
let shared: { readonly pinger: Pinger; users: number } | undefined;

export interface PingerLease {
  readonly pinger: Pinger;
  /** Gives it back; the last user's closes it. */
  release(): void;
}

/** @param log told where hosts have to be asked in another way than by our own ICMP socket */
export function leasePinger(log: Log): PingerLease {
  const current = shared ??= { pinger: new Pinger({ note: (message) => log('warn', message) }), users: 0 };
  current.users += 1;
  let released = false;
  return {
    pinger: current.pinger,
    release: () => {
      if (released) return;
      released = true;
      current.users -= 1;
      if (current.users > 0) return;
      current.pinger.close();
      shared = undefined;
    },
  };
}
