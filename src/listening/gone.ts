import { setMaxListeners } from 'node:events';

/** Why what was asked for is of no use any longer. One for all: to make an error for each takes more time than to read a short request. */
export const OVER = new Error('the request is over');
export const CLIENT_GONE = new Error('the client has gone');

/** What ends with a request. Its signal is made for those who look at it: for a short answer nobody does. */
export class Gone {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      // one for many machines at a time
      setMaxListeners(0, this.#controller.signal);
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}
