import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { LOGIN } from './ours.js';
import type { Server } from './peers/bare.js';

/** How long is waited for a line, ms. */
const PATIENCE = 30_000;

/** One connection that has logged in and watches. */
export class Watcher {
  /** lines that have come */
  lines = 0;
  readonly #socket: Socket;
  #rest = '';
  #wanted: { readonly line: RegExp; readonly seen: (at: number) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').setNoDelay(true).on('data', (chunk: string) => this.#take(chunk));
  }

  /** @param words of the request: `watch kvm/*` */
  static async open({ port }: Server, words: string): Promise<Watcher> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const watcher = new Watcher(socket);
    const loggedIn = watcher.next(/^300/);
    socket.write(LOGIN);
    await loggedIn;
    const begun = watcher.next(/^200/);
    socket.write(`${words}\n`);
    await begun;
    return watcher;
  }

  /** Resolves with `performance.now()` of when a line came that matches. */
  next(line: RegExp): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line ${String(line)} came`)), PATIENCE);
      this.#wanted = { line, seen: (at) => { clearTimeout(timer); resolve(at); } };
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    const at = performance.now();
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    this.lines += lines.length;
    const wanted = this.#wanted;
    if (wanted && lines.some((line) => wanted.line.test(line))) {
      this.#wanted = undefined;
      wanted.seen(at);
    }
  }
}
