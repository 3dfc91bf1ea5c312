import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { beforeSending } from '../before-sending.js';
import { CIMV2 } from './readings.js';
import type { WmiLink } from './link.js';
import { oneLine } from './errors.js';
import { count } from './values.js';

/** Orders to a Windows host, by Win32_OperatingSystem.Win32Shutdown. */

/**
 * Its flags: 8 powers off, 2 reboots, 4 more forces (documentation of Win32Shutdown). The plain
 * shutdown, 1, goes no further than "it is now safe to turn off".
 */
const FLAGS = { shutdown: 8, powerOff: 12, reboot: 2, reset: 6 } as const;
export type HostOrder = keyof typeof FLAGS;

/** After an order whose answer was lost, how long it is looked for signs that it is obeyed, and how often, ms. */
const SIGNS_WITHIN_MS = 20_000;
const SIGNS_EVERY_MS = 500;
/** The same while its service is gone: Windows ends its services well before it is down. */
const SIGNS_OF_SILENT_WITHIN_MS = 90_000;
/** For one look. */
const LOOK_TIMEOUT_MS = 2000;

/** What it returns: Windows' own error numbers (winerror.h). */
const REFUSALS: Readonly<Record<number, () => ArgoError>> = {
  5: () => new ArgoError('ACCESS DENIED', 'the account may not shut the host down'),
  21: () => new ArgoError('FAILED', 'Windows is not ready to shut down; --force does not ask'),
  1115: () => new ArgoError('BUSY', 'it is shutting down or rebooting already'),
  1191: () => new ArgoError('FAILED', 'other users are logged on to it; --force logs them off, and what they have not saved is lost'),
  1271: () => new ArgoError('FAILED', 'it is locked; --force does not ask'),
  1314: () => new ArgoError('ACCESS DENIED', 'the account lacks the right to shut the host down from elsewhere (SeRemoteShutdownPrivilege)'),
};

/** How long it is looked for signs, and how often, ms. */
export interface Pace {
  readonly within: number;
  /** where the service does not answer at the end of that */
  readonly silentWithin: number;
  readonly every: number;
}
const PACE: Pace = { within: SIGNS_WITHIN_MS, silentWithin: SIGNS_OF_SILENT_WITHIN_MS, every: SIGNS_EVERY_MS };

/** What an order needs. */
export interface OrderContext {
  readonly link: WmiLink;
  /** differs after each boot. @throws ArgoError */
  bootMark(signal: AbortSignal): Promise<string>;
  /** whether the host itself has been silent for long enough. @throws ArgoError */
  isOff(signal: AbortSignal): Promise<boolean>;
  readonly pace?: Pace | undefined;
}

/**
 * Gives an order. A host that obeys may be gone before it has answered: then what it does is looked
 * at, and the order counts as accepted only where it shows.
 * @throws ArgoError UNCERTAIN where it does not
 */
export async function orderHost(context: OrderContext, order: HostOrder, signal: AbortSignal): Promise<void> {
  const { link } = context;
  const before = await beforeSending(signal, () => context.bootMark(signal)).catch((error: unknown) => {
    if (error instanceof ArgoError && error.phrase === 'FAILED') return undefined;
    throw error;
  });
  let code: number | undefined;
  try {
    const answer = await link.use('acts', () => link.invoke(
      { namespace: CIMV2, className: 'Win32_OperatingSystem', keys: {} }, 'Win32Shutdown', { Flags: String(FLAGS[order]), Reserved: '0' }, signal,
    ));
    code = count(answer.ReturnValue);
  } catch (error) {
    if (!(error instanceof ArgoError) || error.phrase !== 'UNCERTAIN') throw error;
    if (await showsObedience(context, before, signal)) return;
    throw error;
  }
  if (code === 0) return;
  throw REFUSALS[code ?? -1]?.() ?? new ArgoError('FAILED', oneLine(`Windows refuses it with error ${code ?? 'unknown'}`));
}

/** Whether the host goes away, not only its service, which may be restarted, or comes back from another boot. */
async function showsObedience(context: OrderContext, before: string | undefined, signal: AbortSignal): Promise<boolean> {
  const { within, silentWithin, every } = context.pace ?? PACE;
  const began = performance.now();
  for (let isListening = true; performance.now() - began < (isListening ? within : silentWithin); await pause(every, undefined, { signal })) {
    isListening = await context.link.isListening(signal, LOOK_TIMEOUT_MS);
    if (!isListening && await isOff(context, signal)) return true;
    if (isListening && before !== undefined && await hasOtherBoot(context, before, signal)) return true;
  }
  return false;
}

async function isOff(context: OrderContext, signal: AbortSignal): Promise<boolean> {
  try {
    return await context.isOff(signal);
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function hasOtherBoot(context: OrderContext, before: string, signal: AbortSignal): Promise<boolean> {
  try {
    return await context.bootMark(signal) !== before;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
