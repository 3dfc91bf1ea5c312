import { ZABBIX_DELAY } from '../../kit/zabbix-limits.js';
import { parseSchedule, type Schedule } from './item-schedule.js';

/** When an item is due, as `delay` of the server's tables says it. All times are whole seconds since 1970. */
export interface ItemInterval {
  /** seconds; 0: only as the other two say */
  readonly every: number;
  /** other intervals at certain times of the week */
  readonly flexible: readonly FlexibleInterval[];
  /** certain moments */
  readonly schedules: readonly Schedule[];
}

interface FlexibleInterval {
  /** seconds; 0: not at all */
  readonly every: number;
  /** days of the week, 1 is Monday */
  readonly firstDay: number;
  readonly lastDay: number;
  /** seconds of the day; the end is not within */
  readonly from: number;
  readonly to: number;
}

/** Why a text is no interval. */
export class ItemIntervalError extends Error {
  override readonly name = 'ItemIntervalError';
}

const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const DAY = 86_400;
/** Beyond a year it is not looked for, as the server does. */
const HORIZON = 365 * DAY;

/** `90`, `90s`, `5m`, `1h`, `1d`, `1w` as seconds; undefined for anything else. */
export function parseSeconds(text: string): number | undefined {
  const found = /^(\d{1,9})([smhdw]?)$/.exec(text);
  return found ? Number(found[1]) * UNITS[found[2]!]! : undefined;
}

/**
 * Reads an interval: `1m`, `1m;30s/1-5,9:00-18:00` with another interval in the hours of work, `0;wd1-5h9m0` at nine
 * o'clock (https://www.zabbix.com/documentation/6.0/en/manual/config/items/item/custom_intervals).
 * @throws ItemIntervalError with the reason, for people
 */
export function parseInterval(delay: string): ItemInterval {
  if (delay.length > ZABBIX_DELAY) throw new ItemIntervalError(`longer than ${ZABBIX_DELAY} characters`);
  const [simple = '', ...custom] = delay.split(';');
  const every = parseSeconds(simple);
  if (every === undefined) throw new ItemIntervalError(`${JSON.stringify(simple)} is not an interval`);
  if (every > DAY) throw new ItemIntervalError(`${simple} is more than a day`);
  const flexible = custom.filter((part) => /^\d/.test(part)).map((part) => parseFlexible(part, every));
  const schedules = custom.filter((part) => !/^\d/.test(part)).map((part) => {
    const schedule = parseSchedule(part);
    if (schedule === undefined) throw new ItemIntervalError(`${JSON.stringify(part)} is not a scheduling interval`);
    return schedule;
  });
  return { every, flexible, schedules };
}

const FLEXIBLE = /^([^/]+)\/([1-7])(?:-([1-7]))?,(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)$/;

function parseFlexible(part: string, simple: number): FlexibleInterval {
  const [, delay = '', first, last = first, fromHour, fromMinute, toHour, toMinute] = FLEXIBLE.exec(part) ?? [];
  const every = parseSeconds(delay);
  const from = Number(fromHour) * 3600 + Number(fromMinute) * 60;
  const to = Number(toHour) * 3600 + Number(toMinute) * 60;
  const isRight
    = every !== undefined
      && every <= DAY
      && Number(first) <= Number(last)
      && Number(fromMinute) < 60
      && Number(toMinute) < 60
      && from < to
      && to <= DAY;
  if (!isRight || (every === 0 && simple === 0)) throw new ItemIntervalError(`${JSON.stringify(part)} is not a flexible interval`);
  return { every, firstDay: Number(first), lastDay: Number(last), from, to };
}

/**
 * When an item is due next. Each item has its own second within its interval, taken of its id as the server does it, so
 * that not all are due at once and that the same are after a new start.
 * @param after seconds since 1970: it is due later than then
 * @returns seconds since 1970; undefined: never, or not within a year
 */
export function nextDue(interval: ItemInterval, itemid: string, after: number): number | undefined {
  const regular = nextRegular(interval, BigInt(/^\d+$/.test(itemid) ? itemid : 0), after);
  const moments = interval.schedules.map((schedule) => schedule(after)).filter((moment) => moment !== undefined);
  const all = regular === undefined ? moments : [regular, ...moments];
  return all.length === 0 ? undefined : Math.min(...all);
}

function nextRegular({ every, flexible }: ItemInterval, seed: bigint, after: number): number | undefined {
  for (let from = after, isFirst = true; from < after + HORIZON; isFirst = false) {
    const now = delayAt(every, flexible, from);
    const due = now === 0 ? undefined : inPhase(now, seed, isFirst ? from + 1 : from);
    const change = nextChange(flexible, from);
    if (due !== undefined && (change === undefined || due < change)) return due;
    if (change === undefined) return undefined;
    from = change;
  }
  return undefined;
}

/** The first moment from `from` on that is the item's own in such an interval. */
function inPhase(every: number, seed: bigint, from: number): number {
  const own = Number(seed % BigInt(every));
  const due = Math.floor(from / every) * every + own;
  return due < from ? due + every : due;
}

interface LocalTime {
  /** 1 is Monday */
  readonly day: number;
  /** seconds of the day */
  readonly second: number;
}

function localTime(moment: number): LocalTime {
  const date = new Date(moment * 1000);
  return { day: date.getDay() || 7, second: date.getHours() * 3600 + date.getMinutes() * 60 + date.getSeconds() };
}

const isWithin = ({ firstDay, lastDay, from, to }: FlexibleInterval, { day, second }: LocalTime): boolean =>
  day >= firstDay && day <= lastDay && second >= from && second < to;

/** Of several that are in force the shortest counts. */
function delayAt(every: number, flexible: readonly FlexibleInterval[], moment: number): number {
  if (flexible.length === 0) return every;
  const now = localTime(moment);
  const inForce = flexible.filter((interval) => isWithin(interval, now)).map((interval) => interval.every);
  return inForce.length === 0 ? every : Math.min(...inForce);
}

/** When another interval begins or ends next, after a moment. */
function nextChange(flexible: readonly FlexibleInterval[], moment: number): number | undefined {
  if (flexible.length === 0) return undefined;
  const date = new Date(moment * 1000);
  // a day more than a week: the one that it is now may be over
  for (let days = 0; days <= 7; days++) {
    const midnight = new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);
    const day = midnight.getDay() || 7;
    const ofDay = flexible.filter(({ firstDay, lastDay }) => day >= firstDay && day <= lastDay).flatMap(({ from, to }) => [from, to]);
    const later = ofDay.map((second) => atSecond(midnight, second)).filter((edge) => edge > moment);
    if (later.length > 0) return Math.min(...later);
  }
  return undefined;
}

/** A second of a day by the clock on the wall, which is set forward and back. */
function atSecond(midnight: Date, second: number): number {
  return new Date(midnight.getFullYear(), midnight.getMonth(), midnight.getDate(), 0, 0, second).getTime() / 1000;
}
