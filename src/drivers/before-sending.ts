import { ArgoError } from '../errors.js';

/**
 * Does what comes before an order is sent. Where its time is over meanwhile, nothing was sent, which
 * nobody but the driver knows.
 * @throws ArgoError UNREACHABLE where the signal was aborted; else what the work throws
 */
export async function beforeSending<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ArgoError || !signal.aborted) throw error;
    throw new ArgoError('UNREACHABLE', 'its time was over before anything was sent', { cause: error });
  }
}
