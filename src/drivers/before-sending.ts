import { ArgoError } from '../kit/errors.js';

/**
 * Does what comes before an order is sent, and may send it. Where its time is over before, nothing was
 * sent, which nobody but the driver knows.
 * @param work tells by `sending` that the order goes out now: what it throws from then on is thrown as it is
 * @throws ArgoError UNREACHABLE where the signal was aborted before that; else what the work throws
 */
export async function beforeSending<T>(signal: AbortSignal, work: (sending: () => void) => Promise<T>): Promise<T> {
  let isSending = false;
  try {
    return await work(() => { isSending = true; });
  } catch (error) {
    if (isSending || error instanceof ArgoError || !signal.aborted) throw error;
    throw new ArgoError('UNREACHABLE', 'its time was over before anything was sent', { cause: error });
  }
}
