import type { Log } from '../../../kit/log.js';
import { ZABBIX_REASONS_TOLD, ZABBIX_STRANGERS_AGAIN } from '../../../kit/zabbix-gateway-limits.js';

/** What is spoken of: each goes well or not by itself. A server may take heartbeats and no values. */
export type Matter = 'heartbeat' | 'configuration' | 'values' | 'request';

interface ContactParts {
  readonly log: Log;
  count(result: 'answered' | 'failed'): void;
  /** told of each failure: it may have been the end of a server */
  doubt(): void;
}

/** Whether a server is there, told once for each change. */
export class Contact {
  readonly #parts: ContactParts;
  /** what does not work at present; undefined: nothing was tried yet */
  #faults: Set<Matter> | undefined;
  /** why, as was told since all went well */
  #told: string[] = [];
  /** when it was last told of strangers why, on the clock of performance.now() */
  readonly #toldStrange = new Map<string, number>();
  #lastAt = 0;
  #failed = 0;

  constructor(parts: ContactParts) {
    this.#parts = parts;
  }

  /** when a server last answered, milliseconds since 1970; 0: not yet */
  get lastAt(): number {
    return this.#lastAt;
  }

  answered(server: string, matter: Matter): void {
    this.#parts.count('answered');
    this.#lastAt = Date.now();
    const isFirst = this.#faults === undefined;
    const faults = this.#faults ??= new Set();
    if ((!faults.delete(matter) || faults.size > 0) && !isFirst) return;
    this.#parts.log('info', 'the Zabbix server answers', { server, ...(this.#failed > 0 && { failed: this.#failed }) });
    this.#told = [];
    this.#failed = 0;
  }

  /** @param reason in words; told where it was not since all went well, or since the table has changed */
  failed(server: string, matter: Matter, reason: string): void {
    const { count, doubt, log } = this.#parts;
    count('failed');
    doubt();
    this.#failed += 1;
    this.#faults = (this.#faults ?? new Set()).add(matter);
    if (this.#told.includes(reason)) return;
    this.#told = [...this.#told.slice(1 - ZABBIX_REASONS_TOLD), reason];
    log('warn', 'the Zabbix server cannot be used', { server, reason });
  }

  /** No server has asked anything for long, where it is the server that asks. */
  absent(): void {
    this.#faults = (this.#faults ?? new Set()).add('request');
    this.#parts.log('warn', 'no Zabbix server asks', this.#lastAt === 0 ? {} : { last: new Date(this.#lastAt).toISOString() });
  }

  /** The server is not asked that any more. */
  needless(matter: Matter): void {
    this.#faults?.delete(matter);
  }

  /** The table has changed: whoever changed it looks for what goes wrong now, so that is told again where it is the same. */
  tellAgain(): void {
    this.#told = [];
    this.#toldStrange.clear();
  }

  /** Somebody has connected who never came to a request: it may be the server with another key, or anybody. */
  strange(address: string, reason: string): void {
    this.#parts.count('failed');
    const now = performance.now();
    const told = this.#toldStrange.get(reason);
    if (told !== undefined && now - told < ZABBIX_STRANGERS_AGAIN) return;
    this.#toldStrange.delete(reason);
    this.#toldStrange.set(reason, now);
    if (this.#toldStrange.size > ZABBIX_REASONS_TOLD) this.#toldStrange.delete(this.#toldStrange.keys().next().value!);
    this.#parts.log('warn', 'a connection of the Zabbix server came to nothing', { address, reason });
  }
}
