import type { Log } from '../../../kit/log.js';
import { ITEM_LINES_GATHERED } from '../../../kit/zabbix-collecting-limits.js';
import type { Entry } from './entry.js';

/**
 * What people have to mend, in a key, a host's name, a grant or a table. Others pass by themselves: of a machine that is off,
 * or a provider that does not answer, which has a line of its own in the log.
 */
const TO_MEND = /^(?:NOT SUPPORTED|NOT ALLOWED|NO SUCH INSTANCE|AMBIGUOUS|USAGE)\b/;

/** What can go wrong with items, by what the log says of it. */
const LEVELS = {
  'items of Zabbix are not supported': 'warn',
  'items of Zabbix could not be read': 'warn',
  'values for Zabbix could not be worked on': 'error',
} as const;

type Trouble = keyof typeof LEVELS;

interface Gathered {
  count: number;
  readonly first: Readonly<Record<string, unknown>>;
  readonly timer: NodeJS.Timeout;
}

/**
 * Says in the log what goes wrong with items, for those who do not look into Zabbix: of ten thousand it may be the same, so many
 * go into one line, with the first of them. The parameters of its key stay out, since they may be the values of secret macros.
 */
export class ItemLog {
  readonly #log: Log;
  readonly #gatheredFor: number;
  readonly #gathered = new Map<Trouble, Gathered>();

  /** @param gatheredFor milliseconds; others in tests */
  constructor(log: Log, gatheredFor = ITEM_LINES_GATHERED) {
    this.#log = log;
    this.#gatheredFor = gatheredFor;
  }

  /** An item has become unsupported, or is for another reason than before. */
  unserved(entry: Entry, reason: string): void {
    // what the reason says beyond that may be of the parameters
    const [code] = TO_MEND.exec(reason) ?? [];
    if (code !== undefined) this.add('items of Zabbix are not supported', entry, { reason: code });
  }

  /** @param why of the first: `reason` in words, or the `error` */
  add(trouble: Trouble, { item, host }: Entry, why: { readonly reason: string } | { readonly error: unknown }): void {
    const gathered = this.#gathered.get(trouble);
    if (gathered !== undefined) {
      gathered.count += 1;
      return;
    }
    const first = { item: item.key.replace(/\[.*/s, ''), itemid: item.itemid, host: host.host, ...why };
    this.#gathered.set(trouble, { count: 1, first, timer: setTimeout(() => this.#tell(trouble), this.#gatheredFor).unref() });
  }

  close(): void {
    for (const trouble of this.#gathered.keys()) this.#tell(trouble);
  }

  #tell(trouble: Trouble): void {
    const { count, first, timer } = this.#gathered.get(trouble)!;
    clearTimeout(timer);
    this.#gathered.delete(trouble);
    this.#log(LEVELS[trouble], trouble, { items: count, ...first });
  }
}
