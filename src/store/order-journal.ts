import type { AskState } from './tasks.js';

/**
 * Orders that came from elsewhere, by keys that stand in the order of their making: each begins once. Beside those that it
 * has, it knows up to which key it may have forgotten some, so that it never takes one that it has forgotten for a new one.
 */

export type OrderKnown =
  /** it begins now */
  | { readonly state: 'new' }
  /** it began, and it is not written how it ended. `by`: which process began it; `about`: as that had it written */
  | { readonly state: 'open'; readonly by: string; readonly about: string }
  | { readonly state: 'ended'; readonly result: string }
  /** it never began here, and was not written down: it is not greater than the first that may begin */
  | { readonly state: 'absent' }
  /** it is not greater than one that was forgotten, or than the first that this journal can know: nobody knows whether it began */
  | { readonly state: 'forgotten' };

/** At most FLEET_ORDERS_REMEMBERED: further ones push out those of the least keys, but for what the same process has under way. May throw StateError. */
export interface OrderJournal {
  /**
   * On the disk when it resolves, so do what it is about only then. Where it throws, it may have begun all the same.
   * @param first only a greater key may begin now. In a journal that is empty, greater ones cannot have begun anywhere before
   * @param by the process that asks
   * @param about a text of the caller's, for whoever finds it open
   */
  begin(key: string, first: string, by: string, about: string): Promise<OrderKnown>;
  /** Survives the end of the process, though it is written a little later than the rest (STORE_PATIENCE); a power cut may lose it, and leaves the order open. The first result stays. */
  end(key: string, result: string): Promise<void>;
}

export function orderJournal(ask: AskState): OrderJournal {
  // Should the file be lost while the server runs, the next one must not take what has begun already for new.
  let greatest = '';
  return {
    begin: async (key, first, by, about) => {
      const known = await ask('order.begin', [key, first, greatest, by, about], true) as OrderKnown;
      if (known.state === 'new' && key > greatest) greatest = key;
      return known;
    },
    end: async (key, result) => void await ask('order.end', [key, result], false, true),
  };
}
