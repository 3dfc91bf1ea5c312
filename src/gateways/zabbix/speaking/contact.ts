import type { Log } from '../../../kit/log.js';

/** Whether a server is there, told once for each change. */
export class Contact {
  readonly #log: Log;
  readonly #count: (result: 'answered' | 'failed') => void;
  readonly #doubt: () => void;
  /** why there is none; undefined: there is one */
  #reason: string | undefined = 'not yet';
  #lastAt = 0;
  #failed = 0;

  /** @param doubt told of each failure: it may have been the end of a server */
  constructor(log: Log, count: (result: 'answered' | 'failed') => void, doubt: () => void) {
    this.#log = log;
    this.#count = count;
    this.#doubt = doubt;
  }

  /** when a server last answered, milliseconds since 1970; 0: not yet */
  get lastAt(): number {
    return this.#lastAt;
  }

  answered(server: string): void {
    this.#count('answered');
    this.#lastAt = Date.now();
    if (this.#reason !== undefined) this.#log('info', 'the Zabbix server answers', { server, ...(this.#failed > 0 && { failed: this.#failed }) });
    this.#reason = undefined;
    this.#failed = 0;
  }

  /** @param reason in words; told where it is another than before */
  failed(server: string, reason: string): void {
    this.#count('failed');
    this.#doubt();
    this.#failed += 1;
    if (this.#reason === reason) return;
    this.#reason = reason;
    this.#log('warn', 'the Zabbix server cannot be used', { server, reason });
  }
}
