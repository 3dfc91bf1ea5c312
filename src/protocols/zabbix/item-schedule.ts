/** The next moment after one, seconds since 1970; undefined where there is none within four years (29 February). */
export type Schedule = (after: number) => number | undefined;

/** The parts of a scheduling interval, in the order in which they must come, with the least and the most of each. */
const PARTS = { md: [1, 31], wd: [1, 7], h: [0, 23], m: [0, 59], s: [0, 59] } as const;

type Part = keyof typeof PARTS;
type Allowed = Readonly<Record<Part, ReadonlySet<number>>>;

const ORDER = Object.keys(PARTS) as readonly Part[];
const MOST_DAYS = 4 * 366;

/**
 * Reads a scheduling interval: `h9m0`, `wd1-5h9-17/2`, `md1,15h0`, `m/5`; what is smaller than the smallest part is 0,
 * what is larger than the largest is any.
 * @returns undefined where it is none
 */
export function parseSchedule(text: string): Schedule | undefined {
  const found = /^(?:md([\d,/-]+))?(?:wd([\d,/-]+))?(?:h([\d,/-]+))?(?:m([\d,/-]+))?(?:s([\d,/-]+))?$/.exec(text);
  const written = found?.slice(1) ?? [];
  if (written.every((part) => part === undefined)) return undefined;
  const smallest = written.findLastIndex((part) => part !== undefined);
  const allowed: Partial<Record<Part, ReadonlySet<number>>> = {};
  for (const [at, part] of ORDER.entries()) {
    const words = written[at];
    const set = words === undefined ? implied(part, at > smallest) : numbers(words, PARTS[part]);
    if (set === undefined) return undefined;
    allowed[part] = set;
  }
  return (after) => nextMoment(allowed as Allowed, after);
}

/** What a part is that is not written. */
function implied(part: Part, isSmaller: boolean): ReadonlySet<number> {
  const [least, most] = PARTS[part];
  return new Set(isSmaller && part !== 'wd' ? [least] : range(least, most, 1));
}

const range = (from: number, to: number, step: number): number[] => Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => from + at * step);

/** `1-5`, `0/5`, `/5`, `9-17/2`, and several with commas between them. */
function numbers(words: string, [least, most]: readonly [number, number]): ReadonlySet<number> | undefined {
  const all = new Set<number>();
  for (const word of words.split(',')) {
    const [, first, last, every] = /^(?:(\d{1,2})(?:-(\d{1,2}))?)?(?:\/(\d{1,2}))?$/.exec(word) ?? [];
    if (first === undefined && every === undefined) return undefined;
    const from = Number(first ?? least);
    const to = last !== undefined ? Number(last) : first !== undefined && every === undefined ? from : most;
    const step = Number(every ?? 1);
    if (from < least || to > most || from > to || step < 1 || step > most) return undefined;
    range(from, to, step).forEach((number) => all.add(number));
  }
  return all;
}

function nextMoment({ md, wd, h, m, s }: Allowed, after: number): number | undefined {
  const begin = new Date((after + 1) * 1000);
  const hours = [...h].sort(byNumber);
  const minutes = [...m].sort(byNumber);
  const seconds = [...s].sort(byNumber);
  for (let days = 0; days <= MOST_DAYS; days++) {
    const day = new Date(begin.getFullYear(), begin.getMonth(), begin.getDate() + days);
    if (!md.has(day.getDate()) || !wd.has(day.getDay() || 7)) continue;
    const at = ofDay(day, hours, minutes, seconds, after);
    if (at !== undefined) return at;
  }
  return undefined;
}

const byNumber = (one: number, other: number): number => one - other;

function ofDay(day: Date, hours: readonly number[], minutes: readonly number[], seconds: readonly number[], after: number): number | undefined {
  for (const hour of hours) {
    const inHour = (minute: number, second: number): number =>
      new Date(day.getFullYear(), day.getMonth(), day.getDate(), hour, minute, second).getTime() / 1000;
    if (inHour(59, 59) <= after) continue;
    for (const minute of minutes) {
      if (inHour(minute, 59) <= after) continue;
      const second = seconds.find((each) => inHour(minute, each) > after);
      if (second !== undefined) return inHour(minute, second);
    }
  }
  return undefined;
}
