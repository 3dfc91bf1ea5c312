import { ArgoError, type Phrase } from '../kit/errors.js';
import type { Machine, PowerState } from '../drivers/driver.js';
import type { PowerAction } from './operation-table.js';
import { isForced, softTime, type PowerOrder } from './order.js';

/** The power actions of the line protocol: what each is to achieve, and by which step from which state. */

/** The methods of a machine that change its power state. */
export const STEPS = ['start', 'shutdown', 'powerOff', 'reboot', 'reset', 'pause', 'unpause', 'suspend', 'resume'] as const;
export type Step = (typeof STEPS)[number];

/** What to do from a state: send a step, nothing because it is so already, or nothing because it is under way. */
export type Way = Step | 'already' | 'under way';

interface ActionRow {
  /** the state in which the action has been achieved */
  readonly goal: PowerState;
  /** states that are not named here are WRONG STATE */
  readonly ways: Readonly<Partial<Record<PowerState, Way>>>;
  /** with --force; states that are not named here go by `ways` */
  readonly forced?: Readonly<Partial<Record<PowerState, Way>>>;
}

const ACTIONS: Readonly<Record<PowerAction, ActionRow>> = {
  start: {
    goal: 'on',
    ways: { on: 'already', off: 'start', crashed: 'start', paused: 'unpause', suspended: 'resume', starting: 'under way', unknown: 'start' },
  },
  stop: {
    goal: 'off',
    ways: { off: 'already', on: 'shutdown', starting: 'shutdown', stopping: 'under way', unknown: 'shutdown' },
    forced: { on: 'powerOff', starting: 'powerOff', stopping: 'powerOff', paused: 'powerOff', suspended: 'powerOff', crashed: 'powerOff', unknown: 'powerOff' },
  },
  reboot: {
    goal: 'on',
    ways: { on: 'reboot', unknown: 'reboot' },
    forced: { on: 'reset', paused: 'reset', crashed: 'reset', unknown: 'reset' },
  },
  pause: { goal: 'paused', ways: { on: 'pause', paused: 'already', unknown: 'pause' } },
  unpause: { goal: 'on', ways: { paused: 'unpause', on: 'already', unknown: 'unpause' } },
  suspend: { goal: 'suspended', ways: { on: 'suspend', paused: 'suspend', suspended: 'already', unknown: 'suspend' } },
  resume: { goal: 'on', ways: { suspended: 'resume', on: 'already', unknown: 'resume' } },
};

/** Steps that may help where an action cannot be done in a state, told to the user. */
const HINTS: Readonly<Partial<Record<PowerState, string>>> = {
  paused: 'unpause it first',
  suspended: 'resume it first',
  crashed: 'it has crashed',
};

export const goalOf = (action: PowerAction): PowerState => ACTIONS[action].goal;

/**
 * What an action means for a machine in a state.
 * @param force whether the hard way was asked for
 * @throws ArgoError WRONG STATE, or NOT SUPPORTED where the machine lacks the step
 */
export function decide(action: PowerAction, name: string, machine: Machine, state: PowerState, force: boolean): Way {
  const row = ACTIONS[action];
  const way = (force ? row.forced?.[state] : undefined) ?? row.ways[state];
  if (way === undefined) {
    const hint = row.forced?.[state] ? 'use --force' : HINTS[state];
    throw new ArgoError('WRONG STATE', `${name} is ${state}${hint ? `; ${hint}` : ''}`);
  }
  if (way !== 'already' && way !== 'under way' && !machine[way]) throw notSupported(name, way);
  return way;
}

/** `--force` with `--timeout`: clean first, where there is a clean way from this state; then the plug. */
export function cleanWay(order: PowerOrder, machine: Machine, state: PowerState): 'shutdown' | 'under way' | undefined {
  if (order.action !== 'stop' || softTime(order) === undefined) return undefined;
  if (state === 'stopping') return 'under way';
  return (state === 'on' || state === 'starting' || state === 'unknown') && machine.shutdown ? 'shutdown' : undefined;
}

/** Whether a machine has to be asked what its state leaves open, before an order. */
export const mustBeChecked = (order: PowerOrder, machine: Machine, state: PowerState): boolean =>
  order.mode !== 'hard' && machine.checkOrder !== undefined && (state === 'starting' || state === 'stopping' || state === 'unknown');

/** What an order begins with for a machine in a state. @throws ArgoError as {@link decide} */
export const wayOf = (order: PowerOrder, name: string, machine: Machine, state: PowerState): Way =>
  cleanWay(order, machine, state) ?? decide(order.action, name, machine, state, isForced(order));

/** In what words a step is told to people. */
export const STEP_WORDS: Readonly<Record<Step, string>> = {
  start: 'start',
  shutdown: 'clean shutdown',
  powerOff: 'power off',
  reboot: 'clean reboot',
  reset: 'reset',
  pause: 'pause',
  unpause: 'unpause',
  suspend: 'suspend to disk',
  resume: 'resume from disk',
};

export function notSupported(name: string, what: string): ArgoError {
  return new ArgoError('NOT SUPPORTED', `${name} has no ${what in STEP_WORDS ? STEP_WORDS[what as Step] : what}`);
}

/** Only what each boot changes tells a reboot that somebody waits for. @throws ArgoError */
export function requireVerifiable({ action, wait }: PowerOrder, name: string, machine: Machine): void {
  if (action !== 'reboot' || wait === false || machine.bootMark) return;
  throw new ArgoError('NOT SUPPORTED', `a reboot of ${name} cannot be verified; leave out --wait`);
}

/** The steps that an action takes from the usual state: without any of them it is not supported at all. */
const USUAL_STEPS: Readonly<Record<PowerAction, { readonly clean: Step; readonly forced: Step }>> = {
  start: { clean: 'start', forced: 'start' },
  stop: { clean: 'shutdown', forced: 'powerOff' },
  reboot: { clean: 'reboot', forced: 'reset' },
  pause: { clean: 'pause', forced: 'pause' },
  unpause: { clean: 'unpause', forced: 'unpause' },
  suspend: { clean: 'suspend', forced: 'suspend' },
  resume: { clean: 'resume', forced: 'resume' },
};

/** The power actions that a machine has, as they are typed: `stop`, `stop --force`. */
export function supportedActions(machine: Machine): string[] {
  return Object.entries(USUAL_STEPS).flatMap(([action, { clean, forced }]) => [
    ...(machine[clean] ? [action] : []),
    ...(forced !== clean && machine[forced] ? [`${action} --force`] : []),
  ]);
}

/** @throws ArgoError NOT SUPPORTED where the machine can never do that, whatever its state */
export function requireSupport(action: PowerAction, name: string, machine: Machine, force: boolean): void {
  const step = USUAL_STEPS[action][force ? 'forced' : 'clean'];
  if (!machine[step]) throw notSupported(name, step);
}

/**
 * Two copies of one machine on one disk destroy it: a machine that has moved, or that another manager has as well, is
 * not started a second time unless that is forced.
 * @param placeElsewhere where the same machine is on already, in words
 * @throws ArgoError WRONG STATE
 */
export function refuseSecond(order: PowerOrder, way: Way, name: string, placeElsewhere: (() => string | undefined) | undefined): void {
  if ((way !== 'start' && way !== 'resume') || isForced(order)) return;
  const place = placeElsewhere?.();
  if (place !== undefined) throw new ArgoError('WRONG STATE', `${name} ${place}; --force starts it here all the same`);
}

/** Whether a clean stop ended in a way that pulling the plug must not follow: it was not even tried in vain. */
export function isRefusal(thrown: unknown): boolean {
  return thrown instanceof ArgoError && (thrown.phrase === 'UNREACHABLE' || thrown.phrase === 'ACCESS DENIED' || thrown.phrase === 'BUSY');
}

/** They say that an order was sent. */
const SAY_SENT: ReadonlySet<Phrase> = new Set(['TIMEOUT', 'UNCERTAIN']);

/** What is known of a clean stop in vain: whether it may still be at work. */
export type CleanEnd = 'sent' | 'doubtful' | 'not sent';

export function cleanEnd(thrown: unknown): CleanEnd {
  if (!(thrown instanceof ArgoError)) return 'doubtful';
  if (SAY_SENT.has(thrown.phrase)) return 'sent';
  return thrown.phrase === 'UNREACHABLE' ? 'not sent' : 'doubtful';
}

/** A machine's word against the plug. It says nothing of the clean stop before it, which the machine had taken on. */
export function afterClean(clean: CleanEnd, thrown: ArgoError, name: string): ArgoError {
  if (clean !== 'sent' || SAY_SENT.has(thrown.phrase)) return thrown;
  return new ArgoError(thrown.phrase, `${thrown.detail}; ${name} was told to shut down before, and may do so yet`, { cause: thrown });
}
