/** Which rows of a long list are in sight, and where they are. All figures in CSS pixels. */

/** Rows beside those in sight, so that a quick turn of the wheel shows no gap. */
const SPARE = 6;

export interface Sight { readonly first: number; /** behind the last one */ readonly end: number }

export function inSight(scrolled: number, height: number, row: number, count: number): Sight {
  const first = Math.min(count, Math.max(0, Math.floor(scrolled / row) - SPARE));
  return { first, end: Math.max(first, Math.min(count, Math.ceil((scrolled + height) / row) + SPARE)) };
}

/** Where the list is to be scrolled so that a row is whole in sight; the same where it is. */
export function scrolledTo(at: number, scrolled: number, height: number, row: number): number {
  if (at * row < scrolled) return at * row;
  return (at + 1) * row > scrolled + height ? (at + 1) * row - height : scrolled;
}

/** Which of `kept` elements shows which row: a row keeps its element for as long as both are in sight. */
export const elementOf = (at: number, kept: number): number => at % kept;
