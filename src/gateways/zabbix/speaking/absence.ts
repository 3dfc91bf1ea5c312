import { ZABBIX_ABSENT } from '../../../kit/zabbix-gateway-limits.js';

/** Passive mode: notices that no server asks any more, or never did. A server asks for tasks each second, however seldom it fetches values. */
export class Absence {
  readonly #timer: NodeJS.Timeout;

  /** @param tell called once for each absence @param after milliseconds; others in tests */
  constructor(tell: () => void, after = ZABBIX_ABSENT) {
    this.#timer = setTimeout(tell, after).unref();
  }

  /** A server asks. */
  heard(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
