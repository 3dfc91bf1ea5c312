import { ArgoError } from '../kit/errors.js';
import type { PlanRun } from './plan-run.js';
import type { RunClock } from './run-clock.js';
import type { RunRecord } from './run-record.js';

/** Which runs stand in each other's way. */

/** A run that has not ended. */
export interface Active {
  readonly record: RunRecord;
  /** undefined while it waits for another of its group, or for somebody's word */
  work: PlanRun | undefined;
  /** its time-limit, which counts also while it waits for another */
  time: RunClock;
  /** of one that asks: somebody has said what becomes of it, and that is being written down */
  isDecided: boolean;
  /** of one that asks: it is not known whether the journal says so */
  isDoubtful: boolean;
}

const isSameGroup = (one: Active, other: Active): boolean =>
  one.record.plan.exclusive !== undefined && one.record.plan.exclusive === other.record.plan.exclusive;

/** Whether somebody has ended it, and something of it is still under way. */
export const isEnding = ({ work }: Active): boolean => work?.ending !== undefined;

/**
 * What has to end before a run may begin: of its group who came earlier or is at work; its own undoing; and what it
 * undoes, where that is being ended, since only then it is known what that has switched off.
 * @param earlier those that came before it, without those that ask
 */
export const obstacleTo = (active: Active, all: Iterable<Active>, earlier: readonly Active[]): Active | undefined =>
  [...all].find((other) => other !== active && (
    (other.work !== undefined && other.record.plan.name === active.record.plan.undo)
    || (isEnding(other) && other.record.plan.undo === active.record.plan.name)
    || (isSameGroup(other, active) && (other.work !== undefined || earlier.includes(other)))));

/** Which of those that came before a run its beginning ends: what undoes it and, where so configured, those of its group. */
export const endedBy = (active: Active, earlier: Iterable<Active>): Active[] =>
  [...earlier].filter((other) => other !== active && (
    other.record.plan.name === active.record.plan.undo || (active.record.plan.whenBusy === 'cancel' && isSameGroup(other, active))));

/** Those that the beginning of a later one was to end, where a kill came in between: with that later one. @param oldest in the order of their beginning */
export const endedByLater = (oldest: readonly Active[]): (readonly [ended: Active, by: Active])[] =>
  oldest.flatMap((by, index) => endedBy(by, oldest.slice(0, index)).map((ended) => [ended, by] as const));

/** What is told to whoever would have to wait for its end. */
export const stillEnding = ({ record: { id, plan } }: Active): ArgoError => new ArgoError('BUSY', `run ${id} of ${plan.name} was ended, and something of it is still under way`);
