import type { Log } from '../../../kit/log.js';
import { UNSERVED_GATHERED } from '../../../kit/zabbix-collecting-limits.js';
import type { Entry } from './entry.js';

/**
 * What people have to mend, in a key, a host's name, a grant or a table. Others pass by themselves: of a machine that is off,
 * or a provider that does not answer, which has a line of its own in the log.
 */
const TO_MEND = /^(?:NOT SUPPORTED|NOT ALLOWED|NO SUCH INSTANCE|AMBIGUOUS|USAGE)\b/;

/**
 * Says in the log that items are not supported, for those who do not look into Zabbix: many in one line, with the first of them.
 * Parameters of its key, and what the reason says of them, stay out: they may be the values of secret macros.
 */
export class Unserved {
  readonly #log: Log;
  readonly #gatheredFor: number;
  #count = 0;
  #first: Record<string, string> = {};
  #timer: NodeJS.Timeout | undefined;

  /** @param gatheredFor milliseconds; others in tests */
  constructor(log: Log, gatheredFor = UNSERVED_GATHERED) {
    this.#log = log;
    this.#gatheredFor = gatheredFor;
  }

  /** An item has become unsupported, or is for another reason than before. */
  add({ item, host }: Entry, reason: string): void {
    const [code] = TO_MEND.exec(reason) ?? [];
    if (code === undefined) return;
    this.#count += 1;
    if (this.#count > 1) return;
    this.#first = { item: item.key.replace(/\[.*/s, ''), itemid: item.itemid, host: host.host, reason: code };
    this.#timer = setTimeout(() => this.#tell(), this.#gatheredFor).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    if (this.#count > 0) this.#tell();
  }

  #tell(): void {
    this.#log('warn', 'items of Zabbix are not supported', { items: this.#count, ...this.#first });
    this.#count = 0;
  }
}
