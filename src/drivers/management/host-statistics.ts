import { present } from '../../kit/present.js';
import { outputOf, type HostCommands } from './host-commands.js';
import { parseReport, reportCommand, type Counters, type HostReport } from './host-report.js';
import { SharedSample } from './shared-sample.js';
import type { HostFigure, HostFigures, Statistics } from './statistics.js';

/** Milliseconds for which a sample is told again: callers within them are one question to the host. */
const FRESH = 1000;
/** Milliseconds of one sample. */
const LIMIT = 20_000;
/** Bytes of one: a host with a thousand guests has as many interfaces. */
const MAX_REPORT = 2 * 1024 * 1024;

/** Seconds between two readings of counters that make a rate: over less it leaps, and over more it says nothing of now. */
const SHORTEST = 1;
const LONGEST = 60;

/** What is a rate, and needs two readings. */
const RATES: ReadonlySet<HostFigure> = new Set(['cpu', 'bandwidth', 'iowait']);

/** Where the figures stand, other than under their own name. */
const FIELDS: Readonly<Partial<Record<HostFigure, readonly (keyof HostFigures)[]>>> = { kernel: ['kernel', 'release'] };

/**
 * Figures of one Linux host, of which all callers get the same sample. Each is one command on the host. Rates are since
 * the sample before where that is of the last minute, else over a second.
 */
export class HostStatistics {
  readonly #commands: Pick<HostCommands, 'run'>;
  #last: { readonly counters: Counters; readonly at: number } | undefined;
  readonly #quick = new SharedSample((signal) => this.#sample(false, signal), { freshFor: FRESH, limit: LIMIT });
  readonly #rated = new SharedSample((signal) => this.#sample(true, signal), { freshFor: FRESH, limit: LIMIT });

  constructor(commands: Pick<HostCommands, 'run'>) {
    this.#commands = commands;
  }

  /** As {@link Statistics.host}. */
  readonly host: Statistics['host'] = async ({ figures }, { signal }) => {
    const all = await (figures.some((figure) => RATES.has(figure)) ? this.#rated : this.#quick).take(signal);
    const wanted = new Set<string>(figures.flatMap((figure): readonly string[] => FIELDS[figure] ?? [figure]));
    return Object.fromEntries(Object.entries(all).filter(([field]) => wanted.has(field)));
  };

  async #sample(needsRates: boolean, signal: AbortSignal): Promise<HostFigures> {
    const known = this.#known();
    const report = await this.#report(needsRates && known === undefined, signal);
    const base = report.before ?? known;
    // One that was started anew meanwhile counts from the beginning.
    if (needsRates && !isBefore(base, report.now)) return figuresOf(await this.#report(true, signal));
    return figuresOf({ ...report, before: base });
  }

  /** Counters of a sample that is neither too young nor too old. */
  #known(): Counters | undefined {
    const age = this.#last === undefined ? 0 : (performance.now() - this.#last.at) / 1000;
    return age >= SHORTEST && age <= LONGEST ? this.#last?.counters : undefined;
  }

  async #report(twice: boolean, signal: AbortSignal): Promise<HostReport> {
    const options = { signal, effect: 'reads', timeout: LIMIT, maxOutput: MAX_REPORT } as const;
    const report = parseReport(await outputOf(this.#commands, ['sh', '-c', reportCommand(twice)], options));
    this.#last = { counters: report.now, at: performance.now() };
    return report;
  }
}

const isBefore = (one: Counters | undefined, other: Counters): boolean => one !== undefined && one.uptime < other.uptime;

function figuresOf({ before, now, interface: card, speeds, processor, memory, df, kernel, release, swap }: HostReport): HostFigures {
  const share = before === undefined ? undefined : shareOf(before, now);
  const speed = card === undefined ? undefined : speeds.get(card.name);
  const rates = before === undefined || card === undefined ? undefined : ratesOf(before, now, card.name);
  const address = card?.ips.find((ip) => !ip.includes(':')) ?? card?.ips[0];
  return present<HostFigures>({
    cpu: share === undefined ? undefined : { percent: share.busy, ...processor },
    memory,
    df,
    uptime: now.uptime,
    kernel,
    release,
    network: card === undefined || address === undefined ? undefined : { interface: card.name, address },
    bandwidth: rates === undefined ? undefined : present<NonNullable<HostFigures['bandwidth']>>({ ...rates, maximum: speed === undefined ? undefined : speed * 125_000 }),
    swap,
    iowait: share?.iowait,
  });
}

/** Per cent of all CPUs between two readings. */
function shareOf({ cpu: before }: Counters, { cpu: now }: Counters): { readonly busy: number; readonly iowait: number } | undefined {
  if (before === undefined || now === undefined || now.total <= before.total) return undefined;
  const all = now.total - before.total;
  // The kernel's count of waiting may go back a little (proc_stat(5)).
  const part = (ticks: number): number => Math.min(100, Math.max(0, (ticks / all) * 100));
  const iowait = part(now.iowait - before.iowait);
  return { busy: Math.max(0, 100 - part(now.idle - before.idle) - iowait), iowait };
}

function ratesOf(before: Counters, now: Counters, name: string): { readonly received: number; readonly sent: number } | undefined {
  const [first, second] = [before.traffic.get(name), now.traffic.get(name)];
  const seconds = now.uptime - before.uptime;
  if (first === undefined || second === undefined || seconds <= 0 || second.rx < first.rx || second.tx < first.tx) return undefined;
  return { received: Number(second.rx - first.rx) / seconds, sent: Number(second.tx - first.tx) / seconds };
}
