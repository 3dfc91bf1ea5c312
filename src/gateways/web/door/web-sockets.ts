import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Deadline } from '../../../kit/deadline.js';
import { FEED_MESSAGE, FEED_PIECES } from '../../../kit/web-limits.js';
import { Close } from '../../shared/close.js';
import { consoleSocketServer, drainWebSockets, webSocketServer } from '../../shared/web-socket-server.js';
import type { FeedSocket } from '../feed/feeds.js';

/** The WebSockets of the page. */
export class WebSockets {
  readonly #feeds = webSocketServer(FEED_MESSAGE, FEED_PIECES);
  readonly #consoles = consoleSocketServer();

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
  drain(deadline: Deadline): Promise<void> {
    return drainWebSockets([this.#feeds, this.#consoles], deadline);
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
