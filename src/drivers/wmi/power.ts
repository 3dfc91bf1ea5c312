import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import type { WmiParameters } from '../../protocols/wmi/connection.js';
import { KINDS_BY_HRESULT, WmiAnswerError } from '../../protocols/wmi/errors.js';
import { beforeSending } from '../../kit/within.js';
import { CIMV2 } from './readings.js';
import type { WmiLink } from './link.js';
import { count } from './values.js';

/** Orders to a Windows host, by Win32_OperatingSystem.Win32Shutdown; and by Win32_Process.Create for what that cannot. */

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

/** How a host is put to rest. */
export const SUSPENSIONS = ['hibernate', 'sleep'] as const;
export type Suspension = (typeof SUSPENSIONS)[number];

/**
 * WMI has no method for it, so a program of Windows' own is started: shutdown.exe for hibernation
 * (documentation of `shutdown`, /h), and for sleep .NET's Application.SetSuspendState, whose last two
 * arguments let it be woken. Not `rundll32 powrprof.dll,SetSuspendState`: rundll32 passes no such
 * arguments, so that it hibernates wherever hibernation is on.
 */
const PROGRAMS: Readonly<Record<Suspension, string>> = {
  hibernate: 'shutdown.exe /h',
  sleep: 'powershell.exe -NoProfile -NonInteractive -Command "Add-Type -AssemblyName System.Windows.Forms; [void][System.Windows.Forms.Application]::SetSuspendState(\'Suspend\', $false, $false)"',
};
/** Until a host that is told to has gone silent, ms: hibernation writes all of its memory. */
const SUSPENDS_WITHIN_MS = 180_000;

/** What it returns: Windows' own error numbers (winerror.h). */
type Refusals = Readonly<Record<number, () => ArgoError>>;
const REFUSALS: Refusals = {
  5: () => new ArgoError('ACCESS DENIED', 'the account may not shut the host down'),
  21: () => new ArgoError('FAILED', 'Windows is not ready to shut down; --force does not ask'),
  1115: () => new ArgoError('BUSY', 'it is shutting down or rebooting already'),
  1191: () => new ArgoError('FAILED', 'other users are logged on to it; --force logs them off, and what they have not saved is lost'),
  1271: () => new ArgoError('FAILED', 'it is locked; --force does not ask'),
  1314: () => new ArgoError('ACCESS DENIED', 'the account lacks the right to shut the host down from elsewhere (SeRemoteShutdownPrivilege)'),
};

/** What Win32_Process.Create returns (its documentation). 8, "unknown failure", is said before there is a process. */
const NOT_STARTED: Refusals = {
  2: () => new ArgoError('ACCESS DENIED', 'the account may not start programs on the host'),
  3: () => new ArgoError('ACCESS DENIED', 'the account lacks a privilege to start programs on the host'),
  9: () => new ArgoError('NOT SUPPORTED', 'this Windows has no such program'),
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
  const before = await beforeSending(signal, () => context.bootMark(signal)).catch((error: unknown) => {
    if (error instanceof ArgoError && error.phrase === 'FAILED') return undefined;
    throw error;
  });
  const doubt = await call(context.link, {
    className: 'Win32_OperatingSystem', method: 'Win32Shutdown', parameters: { Flags: String(FLAGS[order]), Reserved: '0' }, refusals: REFUSALS,
  }, signal);
  if (!doubt) return;
  // What answered was there to answer, be it a proxy: the host is not about to tell more, so nobody is kept waiting.
  const isAnswered = doubt.cause instanceof WmiAnswerError;
  if (isAnswered || !await showsObedience(context, before, signal)) throw doubt;
}

interface Call {
  readonly className: string;
  readonly method: string;
  readonly parameters: WmiParameters;
  readonly refusals: Refusals;
}

/**
 * Calls a method by which the host goes away.
 * @returns why it is not known whether it does it; undefined where it has accepted
 * @throws ArgoError where it has not
 */
async function call(link: WmiLink, { className, method, parameters, refusals }: Call, signal: AbortSignal): Promise<ArgoError | undefined> {
  let code: number | undefined;
  try {
    code = count((await link.use('acts', () => link.invoke({ namespace: CIMV2, className, keys: {} }, method, parameters, signal))).ReturnValue);
  } catch (error) {
    if (error instanceof ArgoError && error.phrase === 'UNCERTAIN') return error;
    throw error;
  }
  if (code === 0) return undefined;
  if (code === undefined) return new ArgoError('UNCERTAIN', 'Windows answers without saying whether it does it');
  const kind = KINDS_BY_HRESULT.get(code);
  if (kind === 'timed-out' || kind === 'interrupted') return new ArgoError('UNCERTAIN', `Windows broke it off with error ${code}`);
  throw refusals[code]?.() ?? new ArgoError('FAILED', `Windows refuses it with error ${code}`);
}

/**
 * Puts a host to rest. That the program has begun says nothing yet: it is done when the host has gone silent.
 * @throws ArgoError UNCERTAIN where it does not
 */
export async function suspendHost(context: OrderContext, suspension: Suspension, signal: AbortSignal): Promise<void> {
  const doubt = await call(context.link, {
    className: 'Win32_Process', method: 'Create', parameters: { CommandLine: PROGRAMS[suspension] }, refusals: NOT_STARTED,
  }, signal);
  const { silentWithin, every } = context.pace ?? { ...PACE, silentWithin: SUSPENDS_WITHIN_MS };
  const began = performance.now();
  while (!(doubt?.cause instanceof WmiAnswerError) && performance.now() - began < silentWithin) {
    if (await isOff(context, signal)) return;
    await pause(every, undefined, { signal });
  }
  throw doubt ?? new ArgoError('UNCERTAIN', `it was told to ${suspension}, and has not gone silent; does it let itself be put to rest (powercfg /a)?`);
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
