/** How long what has failed is left alone. When it counts as good again is for each to say: that differs. */

/**
 * The wait after the last of some failures in a row: twice as long after each, up to the longest.
 * @param failures at least one
 * @param first after a single one; in its unit, and that of the longest, is the wait
 */
export const afterFailures = (failures: number, first: number, longest: number): number => Math.min(first * 2 ** (failures - 1), longest);

/** The pause before the next look, after one of so many milliseconds. */
export const longer = (wait: number, longest: number): number => Math.min(wait * 2, longest);
