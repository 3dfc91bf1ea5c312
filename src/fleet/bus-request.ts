import { onAbort } from '../kit/within.js';
import { BusError, type BusMessage, type Conversation, type Headers } from './contract.js';

interface Asks<Message extends BusMessage> {
  converse(subject: string, data: Uint8Array, headers: Headers, told: (message: Message) => void, failed: (error: BusError) => void): Conversation;
}

/**
 * Asks for one answer.
 * @param ms until which it must be there
 * @throws BusError no responders, down, late; the signal's reason
 */
export async function oneAnswer<Message extends BusMessage>(
  bus: Asks<Message>, subject: string, data: Uint8Array, headers: Headers, ms: number, signal?: AbortSignal,
): Promise<Message> {
  signal?.throwIfAborted();
  let conversation: Conversation | undefined;
  let timer: NodeJS.Timeout | undefined;
  let leave: (() => void) | undefined;
  try {
    return await new Promise<Message>((resolve, reject) => {
      conversation = bus.converse(subject, data, headers, resolve, reject);
      timer = setTimeout(() => reject(new BusError('late', `no answer came from ${subject} in ${ms} ms`)), ms);
      if (signal !== undefined) leave = onAbort(signal, (reason) => reject(reason as Error));
    });
  } finally {
    conversation?.end();
    clearTimeout(timer);
    leave?.();
  }
}
