import { ZABBIX_CLOCK_BACK } from '../../../kit/zabbix-gateway-limits.js';
import type { NewValue } from '../contract.js';

/**
 * Of an item a server takes one value for each `clock` and `ns`, and drops any other with the same without a word. So
 * that none is ever used twice: times of an item only grow, by microseconds, and what is below a microsecond is the
 * number of the epoch. Another epoch begins at each start, and where the clock was set back.
 */
export class Stamps {
  #epoch: number;
  /** of values that are kept: by item, microseconds since 1970 */
  readonly #last = new Map<string, number>();

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  /** Whether the clock was set back since an item's last value. */
  wentBack(values: readonly NewValue[]): boolean {
    return values.some((value) => (this.#last.get(value.itemid) ?? 0) - micros(value) > ZABBIX_CLOCK_BACK * 1000);
  }

  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#last.clear();
  }

  /** Items that are gone need no memory. */
  keep(has: (itemid: string) => boolean): void {
    for (const itemid of this.#last.keys()) if (!has(itemid)) this.#last.delete(itemid);
  }

  /**
   * Gives each value a time of its own. Those that cannot be kept come again, and then get the same ones: nothing is noted
   * of them before.
   * @returns the same values, `itemid` the first member of each; and what is to be called when they are kept
   */
  of(given: readonly NewValue[]): { readonly stamped: readonly NewValue[]; readonly kept: () => void } {
    const latest = new Map<string, number>();
    const stamped = given.map((one) => {
      const { itemid, value, state } = one;
      const stamp = Math.max(micros(one), (latest.get(itemid) ?? this.#last.get(itemid) ?? -1) + 1);
      latest.set(itemid, stamp);
      return { itemid, value, ...(state !== undefined && { state }), clock: Math.floor(stamp / 1e6), ns: stamp % 1e6 * 1000 + this.#epoch % 1000 };
    });
    return { stamped, kept: () => latest.forEach((stamp, itemid) => this.#last.set(itemid, stamp)) };
  }
}

const micros = ({ clock, ns }: NewValue): number => clock * 1e6 + Math.floor(ns / 1000);
