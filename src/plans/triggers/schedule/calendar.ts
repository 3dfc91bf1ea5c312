import { Cron } from 'croner';
import { FIXED_TIMES } from '../../../kit/trigger-limits.js';

/**
 * When something is due, by a line of cron and a time zone. It only calculates: timers are not its part.
 * In the hour that spring leaves out, a fixed time is due when that hour would have ended; in the one
 * that comes twice in autumn, a fixed time is due the first time, and every so many minutes goes on through both.
 */
export class Calendar {
  readonly #crons: readonly Cron[];

  /** @throws Error that says what is wrong with the line */
  constructor(readonly line: string, readonly zone: string) {
    const cronOf = (one: string): Cron => new Cron(one, { paused: true, timezone: zone, mode: '5-part' });
    const whole = cronOf(line);
    const times = fixedTimes(line);
    this.#crons = times.length > 1 ? times.map(cronOf) : [whole];
  }

  /** The first time that is later, in milliseconds since 1970; undefined where none comes. */
  next(after: number): number | undefined {
    let first: number | undefined;
    for (const cron of this.#crons) {
      const time = cron.nextRun(new Date(after))?.getTime();
      if (time !== undefined && (first === undefined || time < first)) first = time;
    }
    return first;
  }
}

const NUMBERS = /^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/;

function numbersIn(field: string): number[] {
  const ranges = field.split(',').map((part) => part.split('-').map(Number));
  return ranges.flatMap(([from = 0, to = from]) => Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at));
}

/** A line for each of several fixed times, `10,50 2 * * *`: Cron takes a list for every so many minutes, of which nothing is due in the hour that spring leaves out. */
function fixedTimes(line: string): string[] {
  const [minutes = '', hours = '', ...days] = line.trim().split(/\s+/);
  if (!NUMBERS.test(minutes) || !NUMBERS.test(hours)) return [];
  const lines = numbersIn(hours).flatMap((hour) => numbersIn(minutes).map((minute) => [minute, hour, ...days].join(' ')));
  return lines.length > FIXED_TIMES ? [] : lines;
}

/** Five fields: names such as `@daily` would hide when that is. */
const FIVE_FIELDS = /^\S+(?:[ \t]+\S+){4}$/;

/** Why this is no line of cron, in words; undefined where it is one. */
export function cronFault(line: string, zone: string, now: number): string | undefined {
  if (!FIVE_FIELDS.test(line.trim())) {
    const count = line.trim().split(/\s+/).length;
    return `five fields are expected (minute, hour, day, month, weekday), not ${count}${count === 6 ? ': there are no seconds' : ''}`;
  }
  try {
    return new Calendar(line, zone).next(now) === undefined ? 'it is never due' : undefined;
  } catch (error) {
    return (error as Error).message.replace(/^CronPattern: /, '');
  }
}

export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

export const ownTimeZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `2026-11-30T22:30:00+01:00` */
export function timeIn(zone: string, time: number): string {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZoneName: 'longOffset',
  }).formatToParts(time);
  const { year, month, day, hour, minute, second, timeZoneName = '' } = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${timeZoneName.slice('GMT'.length) || 'Z'}`;
}
