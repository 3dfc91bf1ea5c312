/** Times and sizes as people read them. */

const STEPS: readonly (readonly [number, string])[] = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1000, 's']];

/** How long something has lasted: `13 s`, `2 d`. @param ms below zero, as of a clock that was set, is nothing */
export function span(ms: number): string {
  const [unit, name] = STEPS.find(([least]) => ms >= least) ?? [1000, 's'];
  return `${Math.max(0, Math.floor(ms / unit))} ${name}`;
}

/** As {@link span}, with the next smaller unit where it tells something: `3 d 4 h`. */
export function longSpan(ms: number): string {
  const index = STEPS.findIndex(([least]) => ms >= least);
  const next = STEPS[index + 1];
  if (index === -1 || next === undefined) return span(ms);
  const rest = Math.floor((ms % STEPS[index]![0]) / next[0]);
  return rest === 0 ? span(ms) : `${span(ms)} ${rest} ${next[1]}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(count: number): string {
  const power = count < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

export const number = (count: number): string => count.toLocaleString('en');

export const plural = (count: number, one: string): string => `${number(count)} ${one}${count === 1 ? '' : 's'}`;

const two = (value: number): string => String(value).padStart(2, '0');

/** The time of day, `14:03`. */
export function clock(ms: number, withSeconds = false): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}${withSeconds ? `:${two(date.getSeconds())}` : ''}`;
}

/** The time, with the date where it is another day than `now`. */
export function moment(ms: number, now: number): string {
  const date = new Date(ms);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return date.toDateString() === new Date(now).toDateString() ? clock(ms, true) : `${day} ${clock(ms, true)}`;
}
