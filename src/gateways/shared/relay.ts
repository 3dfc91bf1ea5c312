import type { WebSocket } from 'ws';
import type { OpenConsole } from '../../instances/consoles.js';
import { ArgoError } from '../../kit/errors.js';
import { CONSOLE_HIGH_WATER, CONSOLE_LOW_WATER, CONSOLE_PING, CONSOLE_RESIZE_SIZE } from '../../kit/console-limits.js';
import { isLender } from '../../kit/lender.js';
import { Close, closeFor } from './close.js';

/**
 * Carries a console over a WebSocket until either ends. Binary frames are its bytes; a text frame is
 * `{"columns":80,"rows":24}`. Neither side is read faster than the other takes it, and a browser that does not answer a
 * ping until the next is cut off.
 * @returns when both are closed; never rejects
 */
export function relay(web: WebSocket, { stream, resize }: OpenConsole): Promise<void> {
  return new Promise((resolve) => {
    let answered = true;
    const ping = setInterval(() => {
      if (!answered) return web.terminate();
      answered = false;
      web.ping();
    }, CONSOLE_PING);
    web.on('pong', () => { answered = true; });
    stream.on('data', (chunk: Buffer) => {
      if (web.readyState !== web.OPEN) return;
      web.send(chunk, { binary: true }, () => { if (stream.isPaused() && web.bufferedAmount < CONSOLE_LOW_WATER) stream.resume(); });
      if (web.bufferedAmount > CONSOLE_HIGH_WATER) stream.pause();
    });
    if (isLender(stream)) stream.lend((chunk, giveBack) => web.send(chunk, { binary: true }, giveBack));
    web.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) return resized(web, data, resize);
      if (stream.destroyed || stream.write(data)) return;
      web.pause();
      const go = (): void => {
        stream.off('drain', go).off('close', go);
        web.resume();
      };
      stream.on('drain', go).on('close', go);
    });
    stream.once('close', () => web.close(...closeFor(stream.errored)));
    stream.once('end', () => stream.destroy());
    // of a broken frame, after which ws closes
    web.on('error', () => stream.destroy());
    web.once('close', () => {
      clearInterval(ping);
      stream.destroy();
      resolve();
    });
    if (stream.destroyed) web.close(...closeFor(stream.errored));
    if (web.readyState === web.CLOSED) {
      clearInterval(ping);
      stream.destroy();
      resolve();
    }
  });
}

function resized(web: WebSocket, data: Buffer, resize: OpenConsole['resize']): void {
  try {
    if (data.length > CONSOLE_RESIZE_SIZE) throw new ArgoError('BAD REQUEST', 'too long');
    const { columns, rows } = JSON.parse(data.toString('utf8')) as { columns: number; rows: number };
    resize({ columns, rows });
  } catch {
    web.close(Close.POLICY, 'BAD REQUEST');
  }
}
