import * as v from 'valibot';

/** The kinds of values that argo-server.conf knows, as schemas for the daemon's and the drivers' tables. */

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A duration such as `500ms`, `30s`, `10m`, in milliseconds.
 * @returns undefined for anything else
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * (UNIT_MS[match[2]!] ?? 0) : undefined;
}

/** `"30s"` in the file, milliseconds in the program. */
export const duration = v.pipe(
  v.string('a duration in quotes is expected, such as "30s"'),
  v.check((text) => parseDuration(text) !== undefined, 'not a duration; write "500ms", "30s", "10m", "2h" or "7d"'),
  v.transform((text) => parseDuration(text) ?? 0),
);

/** A whole number within limits, both included. */
export const whole = (least: number, most: number) => v.pipe(
  v.number('a number is expected'),
  v.integer('a whole number is expected'),
  v.minValue(least, `must be at least ${least}`),
  v.maxValue(most, `must be at most ${most}`),
);

/** Text that is not empty. */
export const text = v.pipe(v.string('text in quotes is expected'), v.minLength(1, 'must not be empty'));

export const texts = v.array(text, 'a list of texts is expected, such as ["a", "b"]');

export const flag = v.boolean('true or false is expected');
