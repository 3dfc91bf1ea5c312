import type { Duplex } from 'node:stream';
import { ArgoError } from '../kit/errors.js';
import { RfbAuthenticationError, RfbError } from '../protocols/rfb/errors.js';
import { logInToRfb } from '../protocols/rfb/server-side.js';
import type { ConsoleStream } from './driver.js';

/** What all drivers with screens by RFB do alike. */

/** An address that stands for all of a host's, as the one at which the host itself reaches it. */
const OWN: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Where a screen is reached on the host that shows it. @param listen what it was told to listen at */
export const reachable = (listen: string): string => OWN[listen] ?? listen;

/**
 * A screen behind its login. Where that fails, the stream is let go of.
 * @param stream leads to an RFB server
 * @param explain makes an error of the stream's one for users
 * @throws ArgoError ACCESS DENIED, FAILED; what `explain` makes of others; the signal's reason
 */
export async function openScreen(
  stream: Duplex,
  password: string | undefined,
  explain: (error: unknown) => unknown,
  signal: AbortSignal,
): Promise<ConsoleStream> {
  try {
    await logInToRfb(stream, password, signal);
    return { stream };
  } catch (error) {
    stream.destroy();
    if (error instanceof RfbAuthenticationError) throw new ArgoError('ACCESS DENIED', error.message, { cause: error });
    if (error instanceof RfbError) throw new ArgoError('FAILED', error.message, { cause: error });
    throw explain(error);
  }
}
