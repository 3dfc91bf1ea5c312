import { Slices } from '../../../kit/slices.js';
import { ITEM_FAULT_AGAIN } from '../../../kit/zabbix-collecting-limits.js';
import { ZABBIX_DEPENDENT_DEPTH } from '../../../kit/zabbix-limits.js';
import type { Income, Outcome } from '../../../protocols/zabbix/preprocessing/pipeline.js';
import { CannotPreprocess, type Variant } from '../../../protocols/zabbix/preprocessing/variant.js';
import { fitValue } from '../../../protocols/zabbix/value-type.js';
import type { Entry } from './entry.js';
import { isNumeric } from '../items/items.js';
import type { ValueSink } from './value-sink.js';

interface OutcomesParts {
  readonly sink: ValueSink;
  /** items whose values are made of those of this one */
  dependents(itemid: string): readonly Entry[];
  /** of a dependent item: too many values wait already */
  skipped(): void;
  /** an item has become unsupported, or is for another reason than before */
  unserved(entry: Entry, reason: string): void;
}

/** Tells what came of reading items: works on their values first, and on those of the items that depend on them. */
export class Outcomes {
  readonly #parts: OutcomesParts;

  constructor(parts: OutcomesParts) {
    this.#parts = parts;
  }

  /**
   * A value, or why there is none.
   * @param ms when it is of, milliseconds since 1970
   * @param depth how many items it is from the one that was read
   */
  async take(entry: Entry, income: Income, ms: number, depth = 0): Promise<void> {
    // it has become another while it was read, also for those that depend on it
    if (entry.isGone) return;
    entry.renew(ms / 1000);
    const outcome = worked(entry, income, ms);
    if (outcome.kind === 'error') return this.refuse(entry, outcome.error, ms);
    if (outcome.kind === 'discarded') return;
    const { value, fault } = fitted(entry, outcome.text);
    if (fault !== undefined) return this.refuse(entry, fault, ms);
    entry.supported();
    this.#put(entry, ms, { value });
    if (depth < ZABBIX_DEPENDENT_DEPTH) await this.#tellDependents(entry, outcome.value, ms, depth + 1);
  }

  /** Tells why there is no value, where that is news. Items that depend on it stay as they are, as those of other proxies do. */
  refuse(entry: Entry, reason: string, ms: number): void {
    entry.renew(ms / 1000);
    const isOther = !entry.isGone && !entry.isSaid(reason);
    if (!entry.isNews(reason, performance.now(), ITEM_FAULT_AGAIN)) return;
    if (isOther) this.#parts.unserved(entry, reason);
    // the server does not know the last value for a good one any more: the next one is told even if it is the same
    entry.pipeline?.forgetTold();
    this.#put(entry, ms, { value: reason, state: 1 });
  }

  async #tellDependents({ item }: Entry, value: Variant, ms: number, depth: number): Promise<void> {
    const slices = new Slices();
    for (const dependent of this.#parts.dependents(item.itemid)) {
      if (slices.isOverNow()) await slices.pause();
      if (dependent.isGone) continue;
      if (dependent.fault !== undefined) this.refuse(dependent, dependent.fault, ms);
      else if (this.#parts.sink.isFull) this.#parts.skipped();
      else await this.take(dependent, { value }, ms, depth);
    }
  }

  #put(entry: Entry, ms: number, value: { readonly value: string; readonly state?: 1 }): void {
    if (entry.isGone) return;
    // that no two of an item have the same time is the buffer's part, as is a clock that was set back
    this.#parts.sink.add({ itemid: entry.item.itemid, clock: Math.floor(ms / 1000), ns: Math.floor(ms % 1000 * 1e6), ...value });
  }
}

function worked({ pipeline }: Entry, income: Income, ms: number): Outcome {
  try {
    if (pipeline !== undefined) return pipeline.run(income, ms / 1000);
  } catch (error) {
    if (error instanceof CannotPreprocess) return { kind: 'error', error: `NOT SUPPORTED: ${error.message}` };
    throw error;
  }
  return income.error === undefined ? { kind: 'value', text: String(income.value), value: income.value } : { kind: 'error', error: income.error };
}

/**
 * A value that the server takes: one that it does not, it drops, and says that all is well. What a low-level discovery
 * finds is not stored there, so it may be longer than other texts: half of it would be no JSON.
 */
function fitted({ item: { valueType, isRule }, served }: Entry, text: string): ReturnType<typeof fitValue> {
  if (!isNumeric(valueType) && (isRule || (served.fault === undefined && served.row.from === 'server'))) return { value: text };
  const { value, fault } = fitValue(text, valueType);
  return fault === undefined ? { value } : { fault: `NOT SUPPORTED: ${fault}` };
}
