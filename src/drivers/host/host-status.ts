import { onAbort } from '../../kit/within.js';
import type { PowerState } from '../driver.js';

/** Whether a physical host is on, where several can be asked: its manager and the network. Each may be silent of a host that runs. */

/** What one of those who are asked can tell. `off`: not a sign of life. */
export type Word = Extract<PowerState, 'on' | 'off' | 'suspended' | 'stopping' | 'unknown'>;
/** Asks one of them. Rejects where it cannot tell. */
export type Witness = (signal: AbortSignal) => Promise<Word>;

/**
 * Asks all of them at the same time.
 * @param witnesses each with a time limit of its own; of two that say more than `off`, the first counts
 * @returns `on` as soon as one of them says so; `off` only where all are silent
 * @throws what one of them throws where the others are silent; the signal's reason
 */
export async function stateOfHost(witnesses: readonly Witness[], signal: AbortSignal): Promise<Word> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const forget = onAbort(signal, (reason) => stop.abort(reason));
  const words = witnesses.map(async (ask) => ask(stop.signal));
  try {
    return await Promise.any(words.map(async (word) => onlyOn(await word)));
  } catch {
    signal.throwIfAborted();
    return verdict(await Promise.allSettled(words));
  } finally {
    forget();
    stop.abort();
  }
}

function onlyOn(word: Word): Word {
  if (word === 'on') return word;
  throw new Error('no sign of life');
}

/** Of those of which none says `on`. */
function verdict(said: readonly PromiseSettledResult<Word>[]): Word {
  const words = said.filter((each) => each.status === 'fulfilled').map(({ value }) => value);
  const certain = words.find((word) => word !== 'off' && word !== 'unknown');
  if (certain !== undefined) return certain;
  if (words.includes('unknown')) return 'unknown';
  const failed = said.find((each) => each.status === 'rejected');
  if (failed) throw failed.reason;
  return 'off';
}
