import { lastIdAt } from '../ids.js';

/** Milliseconds. */
export interface Clocks {
  /** since 1970: what people set, and what others' times are compared with */
  now(): number;
  /** that nobody sets */
  steady(): number;
}

/**
 * The greatest id that can have been made up to a moment of the steady clock, by the other clock as it is set now: one that
 * was wrong at that moment may have been put right since.
 */
export const lastIdBefore = ({ now, steady }: Clocks, moment: number): string => lastIdAt(now() - (steady() - moment));
