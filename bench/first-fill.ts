import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { measure } from './load.js';
import { LOGIN, prepareOurs } from './ours.js';
import { ARGO_END } from './peers/bare.js';
import { answered, ask, pidOf, residentMegabytes, start, stop } from './process.js';
import { probe, waitRow, type Wait } from './probe.js';
import { below, type Row } from './report.js';
import type { Settings } from './scenario.js';
import { interleave, summarise } from './stats.js';

/** What it costs to read all machines of a large provider for the first time. */

/** How long the daemon may take to have listed them, ms. */
const LISTED_WITHIN = 60_000;
/** Targets: MB, ms. */
const GROWTH_LIMIT = 40;
const NOP_LIMIT = 5;
/** `nop`s a second while the provider is read, and for how many seconds: the reading is well within them. */
const PROBE_RATE = 1000;
const PROBE_SECONDS = 0.5;

export interface Filled {
  /** a [providers.NAME] table */
  readonly provider: string;
  /** a configuration with which a daemon has loaded beforehand what it needs; else that is part of the fill */
  readonly before?: string;
  /** how many it lists at least */
  readonly machines: number;
}

interface Figures {
  readonly fill: number;
  readonly growth: number;
  readonly nop: Wait;
  readonly list: number;
}

/** A daemon at work is given its first provider of a kind: what it needs is loaded, everything is read, and the list is there. */
async function fillOnce(settings: Settings, { provider, machines, before: loaded = '' }: Filled): Promise<Figures> {
  const { port, command } = await prepareOurs(loaded);
  const child = start(process.execPath, command);
  const config = command.at(-1)!;
  try {
    await answered(child, port, 'nop\n', ARGO_END);
    const pid = pidOf(child);
    // as one that is at work: the garbage of its start is collected
    await measure(pid, { port, setup: LOGIN, request: 'list\n', connections: 16, seconds: settings.seconds, warmUp: settings.warmUp });
    await measure(pid, { port, seconds: settings.seconds, rate: PROBE_RATE, warmUp: settings.warmUp });
    const before = residentMegabytes(pid);
    const probing = probe(settings, { pid, port }, { rate: PROBE_RATE, seconds: PROBE_SECONDS, warmUp: 0 });
    await pause(PROBE_SECONDS * 100);
    const began = performance.now();
    appendFileSync(config, provider);
    child.kill('SIGHUP');
    await listed(port, machines);
    const fill = performance.now() - began;
    const nop = await probing;
    const growth = residentMegabytes(pid) - before;
    const { p50us } = await measure(pid, { port, setup: LOGIN, request: 'list\n', seconds: settings.seconds, warmUp: settings.warmUp });
    return { fill, growth, nop, list: p50us / 1000 };
  } finally {
    await stop(child);
  }
}

async function listed(port: number, machines: number): Promise<void> {
  const deadline = Date.now() + LISTED_WITHIN;
  while ((await ask(port, 'list\n', ARGO_END)).split('\n').length < machines) {
    if (Date.now() > deadline) throw new Error(`the daemon does not list the ${machines} machines`);
    await pause(10);
  }
}

/** @param limits ms */
export async function* firstFillRows(settings: Settings, what: string, filled: Filled, limits: { fill: number; list: number }): AsyncGenerator<Row> {
  const [runs = []] = await interleave(settings.rounds, [() => fillOnce(settings, filled)]);
  const row = (name: string, unit: 'ms' | 'MB', pick: (run: Figures) => number, limit: number): Row => {
    const figure = summarise(runs.map(pick));
    return { what: `${what}: ${name}`, unit, ours: figure, target: below(figure.median, limit, ` ${unit}`) };
  };
  yield row('first fill', 'ms', ({ fill }) => fill, limits.fill);
  yield waitRow(`${what}: nop p99 during it`, runs.map(({ nop }) => nop), NOP_LIMIT);
  yield row('RSS growth', 'MB', ({ growth }) => growth, GROWTH_LIMIT);
  yield row('list', 'ms', ({ list }) => list, limits.list);
}
