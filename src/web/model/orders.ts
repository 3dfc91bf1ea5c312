import type { OrderMode, OrderRow, PreviewRow, TaskTarget } from '../../gateways/web/messages.js';
import type { PowerAction } from '../../instances/operation-table.js';

/** Orders in words, and how far one has come. */

interface Words { readonly does: string; readonly will: string; readonly primary: string }

export const ACTIONS: Readonly<Record<PowerAction, Words>> = {
  start: { does: 'Start', will: 'will be started', primary: 'Start' },
  stop: { does: 'Stop', will: 'will be stopped', primary: 'Shut down' },
  reboot: { does: 'Reboot', will: 'will be rebooted', primary: 'Reboot' },
  pause: { does: 'Pause', will: 'will be paused', primary: 'Pause' },
  unpause: { does: 'Unpause', will: 'will go on', primary: 'Unpause' },
  suspend: { does: 'Suspend', will: 'will be suspended', primary: 'Suspend' },
  resume: { does: 'Resume', will: 'will be resumed', primary: 'Resume' },
};

/** In the order in which they are offered. */
export const ALL_ACTIONS = Object.keys(ACTIONS) as PowerAction[];

/** What a machine must be able to do, and an account allowed, for a way of stopping. */
export const hasWays = (action: PowerAction): boolean => action === 'stop' || action === 'reboot';

export interface Way { readonly id: 'soft' | 'both' | 'hard'; readonly title: string; readonly text: string }

export function waysOf(action: PowerAction, seconds: number): readonly Way[] {
  if (action === 'reboot') {
    return [
      { id: 'soft', title: 'Reboot cleanly', text: 'Asks each system to reboot.' },
      { id: 'hard', title: 'Reset now', text: 'Like the reset button: what is not written to disk is lost.' },
    ];
  }
  return [
    { id: 'soft', title: 'Shut down cleanly', text: 'Asks each system to shut down, and waits for it.' },
    { id: 'both', title: `Cleanly, then pull the plug after ${seconds} s`, text: 'What has not shut down by then is powered off.' },
    { id: 'hard', title: 'Pull the plug now', text: 'Like a power cut: what is not written to disk is lost.' },
  ];
}

export const modeOf = (way: Way['id'], seconds: number): OrderMode => (way === 'both' ? { softFor: seconds * 1000 } : way);

/** What the button says that sends it. */
export function buttonOf(action: PowerAction, way: Way['id']): string {
  if (way === 'hard') return action === 'reboot' ? 'Reset' : 'Power off';
  return way === 'both' ? 'Stop' : ACTIONS[action].primary;
}

const ORDER: Readonly<Record<PreviewRow['effect'], number>> = { refused: 0, order: 1, nothing: 2 };

/** What one should look at first, first. */
export const sortedPreview = (rows: readonly PreviewRow[]): readonly PreviewRow[] => [...rows].sort((one, other) => ORDER[one.effect] - ORDER[other.effect]);

export function sums(rows: readonly PreviewRow[]): Readonly<Record<PreviewRow['effect'], number>> {
  const counts = { order: 0, nothing: 0, refused: 0 };
  for (const { effect } of rows) counts[effect] += 1;
  return counts;
}

/** `done`: is as it should be now, `already` before or not */
export interface Progress { readonly all: number; readonly over: number; readonly done: number; readonly failed: number; readonly already: number }

const isUnderWay = ({ state }: TaskTarget): boolean => state === 'waiting' || state === 'sent';
/** Did not end well: somebody should read why. */
export const hasFailed = ({ state }: TaskTarget): boolean => state === 'failed' || state === 'uncertain';

export const progressOf = ({ targets }: OrderRow): Progress => ({
  all: targets.length, over: targets.filter((one) => !isUnderWay(one)).length, done: targets.filter(({ state }) => state === 'done' || state === 'already').length,
  failed: targets.filter(hasFailed).length, already: targets.filter(({ state }) => state === 'already').length,
});

const TARGET_ORDER: Readonly<Record<TaskTarget['state'], number>> = { failed: 0, uncertain: 0, sent: 1, waiting: 2, cancelled: 3, done: 4, already: 5 };

/** Failed ones first, then those under way. */
export const sortedTargets = (targets: readonly TaskTarget[]): readonly TaskTarget[] =>
  [...targets].sort((one, other) => TARGET_ORDER[one.state] - TARGET_ORDER[other.state]);

/** An order in a line: `Stop 14 machines`, `Stop web1 by force`. */
export function titleOf(action: PowerAction, names: readonly string[], mode: OrderMode = 'soft'): string {
  const what = names.length === 1 ? names[0]! : `${names.length.toLocaleString('en')} machines`;
  return `${ACTIONS[action].does} ${what}${mode === 'hard' ? ' by force' : ''}`;
}

/** The failures as lines for somebody to be sent. */
export const failuresAsText = ({ targets }: OrderRow): string => targets.filter(hasFailed).map(({ instance, detail }) => `${instance}: ${detail}`).join('\n');
