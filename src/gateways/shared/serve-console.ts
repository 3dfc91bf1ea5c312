import type { WebSocket } from 'ws';
import type { OpenConsole } from '../../instances/consoles.js';
import { ArgoError } from '../../kit/errors.js';
import { onAbort } from '../../kit/within.js';
import { closeFor } from './close.js';
import { relay } from './relay.js';

/** What a WebSocket is to get. */
export interface ConsoleService {
  /** Opens it. @param signal aborted when the WebSocket has closed or the session has ended @throws ArgoError */
  open(signal: AbortSignal): Promise<OpenConsole>;
  /** aborted when the session ends */
  readonly ended: AbortSignal;
  /** It is there: called before its first byte is passed on. */
  opened?(): void;
}

/** Opens a console for a WebSocket and carries it, until either side ends. Never rejects. */
export async function serveConsole(web: WebSocket, { open, ended, opened }: ConsoleService): Promise<void> {
  // nothing is lost that comes before the console is there
  web.pause();
  web.on('error', () => undefined);
  const gone = new AbortController();
  web.once('close', () => gone.abort());
  const forget = onAbort(ended, () => {
    // first: why it is closed is what the browser is to be told
    web.close(...closeFor(new ArgoError('NOT ALLOWED')));
    gone.abort();
  });
  try {
    const console = await open(gone.signal);
    opened?.();
    web.resume();
    await relay(web, console);
  } catch (error) {
    web.resume();
    web.close(...closeFor(error));
  } finally {
    forget();
  }
}
