import type { Readable } from 'node:stream';
import { onAbort } from '../kit/within.js';
import { UsageError } from './command-line.js';
import { SettingsError } from './settings-error.js';

/**
 * All that is piped to us.
 * @param most bytes
 * @throws UsageError where that is a terminal, at which nobody would know what is waited for; SettingsError for more; the signal's reason
 */
export async function readInput(input: Readable & { readonly isTTY?: boolean }, most: number, signal: AbortSignal): Promise<string> {
  if (input.isTTY === true) throw new UsageError('what is to be sent is missing: the last argument, or standard input');
  const forget = onAbort(signal, () => input.destroy());
  try {
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of input as AsyncIterable<Buffer>) {
      if ((size += piece.length) > most) throw new SettingsError(`what comes from standard input has more than ${most} bytes`);
      pieces.push(piece);
    }
    signal.throwIfAborted();
    return Buffer.concat(pieces).toString();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    forget();
  }
}
