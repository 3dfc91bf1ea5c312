import { measure, type Load } from './load.js';
import type { Server } from './peers/bare.js';
import { below, type Row } from './report.js';
import type { Settings } from './scenario.js';
import { summarise } from './stats.js';

/** Requests of `nop` a second. */
const RATE = 500;

/** How long `nop` on another connection took while something else went on. Milliseconds. */
export interface Wait {
  readonly p99: number;
  readonly longest: number;
  /** by how much the generator's own clock woke it too late: its 99th percentile */
  readonly late: number;
  /** of the server, MB */
  readonly memory: number;
}

/** Sends `nop` on a timetable, for twice the time of a run of load if nothing else is said. */
export async function probe(settings: Settings, server: Pick<Server, 'pid' | 'port'>, load: Pick<Load, 'seconds' | 'rate' | 'warmUp'> = {}): Promise<Wait> {
  const { p99us, maxus, lateP99us, rssMb } = await measure(server.pid, {
    port: server.port,
    rate: RATE,
    seconds: 2 * settings.seconds,
    warmUp: settings.warmUp,
    ...load,
  });
  return { p99: p99us / 1000, longest: maxus / 1000, late: lateP99us / 1000, memory: rssMb };
}

/** A row of waits, beside what this machine does to a program that only sleeps. @param most ms */
export function waitRow(what: string, waits: readonly Wait[], most = 5, which: 'p99' | 'longest' = 'p99'): Row {
  const figure = summarise(waits.map((wait) => wait[which]));
  return { what, unit: 'ms', ours: figure, peer: { name: 'a clock alone, p99', figure: summarise(waits.map(({ late }) => late)) }, target: below(figure.median, most, ' ms') };
}
