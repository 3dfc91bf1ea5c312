import { ArgoError, guarded } from '../kit/errors.js';
import { formatDuration } from '../kit/text.js';
import { onAbort } from '../kit/within.js';
import { lastWord } from './turn.js';

/** Whether this server may act on machines that other servers can act on as well. Whoever keeps it decides; nobody else's clock counts. */
export interface Lease {
  /** for how long it is held still, ms; 0: it is not held */
  readonly left: number;
  /** why it is not held, for people: `no lease san1: paris has it`; undefined while it is held */
  readonly trouble: string | undefined;
  /** how long ago it was taken over from somebody who may have had an order under way, ms; Infinity: from nobody such */
  readonly age: number;
  /** Calls back when it is held no longer. @returns ends that */
  onEnd(listener: () => void): () => void;
}

/** @throws ArgoError UNREACHABLE where it is not held */
export function requireLease(lease: Lease): void {
  if (lease.left <= 0) throw guarded('UNREACHABLE', 'no lease: its provider cannot be used here now', lease.trouble ?? 'no lease');
}

/**
 * A restart leaves no state behind by which a second one would be seen to be too much: what the former holder of a lease sent last
 * may be at work still.
 * @param ms for how long
 * @throws ArgoError BUSY where it was taken over since
 */
export function requireSettled(lease: Lease, ms: number, name: string): void {
  if (lease.age >= ms) return;
  throw new ArgoError('BUSY', `its lease has changed hands, and whether ${name} was restarted just before cannot be told; try again in ${formatDuration(ms - lease.age)}`);
}

/** Of a provider whose lease nobody keeps here. */
export const leaseOfNobody = (name: string): Lease => ({ left: 0, trouble: `no lease ${name}: this server takes part in no fleet as a site`, age: Infinity, onEnd: () => () => undefined });

/**
 * Sends an order for as long as the lease is held, and no longer: what takes longer goes on while it is renewed.
 * @param signal of the order's deadline
 * @throws ArgoError UNREACHABLE where it is not held: nothing was sent; UNCERTAIN where it ended meanwhile and nobody says
 *   what came of it; else what the work throws
 */
export async function underLease<T>(lease: Lease, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const ends = [onAbort(signal, (reason) => controller.abort(reason))];
  try {
    // nothing may come between this look and the order: while this process stands still, time goes on
    requireLease(lease);
    const working = work(controller.signal);
    const ended = new Promise<never>((_, reject) => {
      ends.push(lease.onEnd(() => {
        const words = 'the order was sent, and its answer was not waited for';
        const reason = guarded('UNCERTAIN', `${words}: its provider has no lease here any longer`, `${words}: ${lease.trouble}`);
        controller.abort(reason);
        void lastWord(working.then(() => undefined)).then((word) => { if (word !== 'done') reject(word instanceof ArgoError ? word : reason); });
      }));
    });
    return await Promise.race([working, ended]);
  } finally {
    ends.forEach((end) => end());
  }
}
