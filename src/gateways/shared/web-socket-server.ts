import { setTimeout as pause } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import type { Deadline } from '../../kit/deadline.js';
import { HTTP_DRAIN_LOOK, LINGER } from '../../kit/limits.js';
import { CONSOLE_MESSAGE, CONSOLE_PIECES } from '../../kit/web-limits.js';

/**
 * Turns requests into WebSockets (RFC 6455). Compression is off: it costs more memory a connection than all else together.
 * @param maxPayload bytes of a message
 * @param pieces in how many a message may come
 */
export const webSocketServer = (maxPayload: number, pieces: number): WebSocketServer => new WebSocketServer({
  noServer: true, clientTracking: true, perMessageDeflate: false, maxPayload, maxFragments: pieces, maxBufferedChunks: pieces,
  // the one protocol that a console's request offers beside who it is, which must not be said back
  handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
});

/** The same for consoles. */
export const consoleSocketServer = (): WebSocketServer => webSocketServer(CONSOLE_MESSAGE, CONSOLE_PIECES);

/** Waits until all WebSockets have closed, which were told to, or for a moment. */
export async function drainWebSockets(servers: readonly WebSocketServer[], deadline: Deadline): Promise<void> {
  const until = performance.now() + LINGER;
  while (!deadline.exceeded && performance.now() < until && servers.some(({ clients }) => clients.size > 0)) await pause(HTTP_DRAIN_LOOK);
}
