import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Deadline } from '../../../kit/deadline.js';
import { HTTP_DRAIN_LOOK, LINGER } from '../../../kit/limits.js';
import { CONSOLE_MESSAGE, CONSOLE_PIECES, FEED_MESSAGE, FEED_PIECES } from '../../../kit/web-limits.js';
import { Close } from '../close.js';
import type { FeedSocket } from '../feed/feeds.js';

/** The WebSockets of the page (RFC 6455). Compression is off: it costs more memory a connection than all else together. */
const server = (maxPayload: number, pieces: number): WebSocketServer => new WebSocketServer({
  noServer: true, clientTracking: true, perMessageDeflate: false, maxPayload, maxFragments: pieces, maxBufferedChunks: pieces,
  // the one protocol that a console's request offers beside its ticket, which must not be said back
  handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
});

export class WebSockets {
  readonly #feeds = server(FEED_MESSAGE, FEED_PIECES);
  readonly #consoles = server(CONSOLE_MESSAGE, CONSOLE_PIECES);

  /** Ends the HTTP part of a connection that is to follow the feed. A request that is no good is answered by `ws` itself. */
  feed(request: IncomingMessage, socket: Socket, head: Buffer, then: (web: FeedSocket) => void): void {
    this.#feeds.handleUpgrade(request, socket, head, (web) => {
      web.on('error', () => undefined);
      web.on('message', () => web.close(Close.NOT_TAKEN, 'nothing is said here'));
      then(feedSocket(web));
    });
  }

  console(request: IncomingMessage, socket: Socket, head: Buffer, then: (web: WebSocket) => void): void {
    this.#consoles.handleUpgrade(request, socket, head, then);
  }

  /** Waits until all have closed, who were told to, or for a moment. */
  async drain(deadline: Deadline): Promise<void> {
    const until = performance.now() + LINGER;
    while (!deadline.exceeded && performance.now() < until && this.#feeds.clients.size + this.#consoles.clients.size > 0) await pause(HTTP_DRAIN_LOOK);
  }
}

const feedSocket = (web: WebSocket): FeedSocket => ({
  get bufferedAmount() {
    return web.bufferedAmount;
  },
  send: (text) => {
    if (web.readyState === web.OPEN) web.send(text, { binary: false });
  },
  close: (code, reason) => web.close(code, reason),
  onClose: (listener) => void web.once('close', listener),
});
