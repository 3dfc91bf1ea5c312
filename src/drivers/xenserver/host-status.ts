import { isAbort, within } from '../../kit/within.js';
import { ArgoError } from '../../kit/errors.js';
import { XapiError } from '../../protocols/xapi/errors.js';
import { CannotTell } from '../../protocols/ping/outcome.js';
import { probeTcp } from '../../protocols/ping/tcp.js';
import { ConnectionLostError } from '../../protocols/tls/errors.js';
import type { PoolContext } from './context.js';

/** Whether a host is on: the pool is asked, and the host itself, since each of them may be silent of one that runs. */

/** For the pool's word, ms: a pool whose master is off does not answer at all. */
const POOL_WORD_MS = 3000;

/** What one of those who are asked can tell. `off`: not a sign of life. */
export type Word = 'on' | 'off' | 'unknown';
export type Witness = (signal: AbortSignal) => Promise<Word>;

/** Refusals by which a host is not in touch with the pool, or the pool not to be had. */
const SILENT = ['HOST_OFFLINE', 'HOST_NOT_LIVE', 'HOST_IS_SLAVE', 'HOST_STILL_BOOTING', 'UUID_INVALID', 'HANDLE_INVALID'];

/**
 * @param witnesses reject where they cannot tell
 * @returns `on` as soon as one of them says so; `off` only where all are silent
 * @throws what one of them throws, where the others are silent; the signal's reason
 */
export async function stateOfHost(witnesses: readonly Witness[], signal: AbortSignal): Promise<Word> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const end = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  const words = witnesses.map((ask) => ask(stop.signal));
  try {
    return await Promise.any(words.map(async (word) => onlyOn(await word)));
  } catch {
    signal.throwIfAborted();
    const said = await Promise.allSettled(words);
    if (said.some((each) => each.status === 'fulfilled' && each.value === 'unknown')) return 'unknown';
    const failed = said.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
    return 'off';
  } finally {
    signal.removeEventListener('abort', end);
    stop.abort();
  }
}

function onlyOn(word: Word): Word {
  if (word === 'on') return word;
  throw new Error('no sign of life');
}

/** Where xapi listens: a host that drops pings may answer there. */
export async function askPort(address: string, port: number, timeout: number | undefined, signal: AbortSignal): Promise<Word> {
  try {
    const probe = await probeTcp(address, port, { signal, ...(timeout !== undefined && { timeout }) });
    if (!probe.alive) return 'off';
    // A refusal may be a router's as well as the host's.
    return probe.open ? 'on' : 'unknown';
  } catch (error) {
    if (error instanceof CannotTell) return 'off';
    throw error;
  }
}

/**
 * The pool's word on a host, which outlives the host for minutes where it lost its power: so the pool
 * is made to ask the host as well: get_servertime is passed on to it (xapi's message forwarding).
 * @param findUuid rejects with NO SUCH INSTANCE where the pool has no such host
 */
export async function askPool(context: PoolContext, findUuid: (signal: AbortSignal) => Promise<string>, signal: AbortSignal): Promise<Word> {
  let isCountedOn = false;
  try {
    return await within(POOL_WORD_MS, [signal], async (limit) => {
      const handle = await context.handle('host', await findUuid(limit), limit);
      if (await context.isHostLost(handle, limit)) return 'off';
      isCountedOn = true;
      await context.pool.call('host.get_servertime', [handle], { signal: limit });
      return 'on';
    });
  } catch (error) {
    signal.throwIfAborted();
    return wordOf(error, isCountedOn);
  }
}

function wordOf(error: unknown, isCountedOn: boolean): Word {
  if (error instanceof XapiError && error.code === 'MESSAGE_METHOD_UNKNOWN' && isCountedOn) return 'on';
  if (error instanceof XapiError && SILENT.includes(error.code)) return 'off';
  if (isCountedOn) return 'unknown';
  const isSilence = isAbort(error) || error instanceof ConnectionLostError || (error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE');
  // A pool that answers, but not us, knows more than it says.
  return isSilence ? 'off' : 'unknown';
}
