import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { which } from '../../test/support/peers.js';
import { measure } from '../load.js';
import { LOGIN, prepareOurs } from '../ours.js';
import { ARGO_END } from '../peers/bare.js';
import { answered, ask, pidOf, residentMegabytes, start, stop } from '../process.js';
import { below, type Row } from '../report.js';
import { fromRoot } from '../root.js';
import type { Scenario, Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';

const VMS = 1000;
/** How long the daemon may take to have listed them, ms. */
const LISTED_WITHIN = 30_000;
/** Targets: ms, MB, ms. */
const FILL_LIMIT = 2000;
const GROWTH_LIMIT = 40;
const LIST_LIMIT = 20;
/** `nop`s a second while the pool is read, and for how many seconds: the reading is well within them. */
const PROBE_RATE = 1000;
const PROBE_SECONDS = 0.5;

interface Figures {
  readonly fill: number;
  readonly growth: number;
  readonly nop: number;
  readonly list: number;
}

interface Double {
  readonly child: ChildProcess;
  readonly provider: string;
}

async function startDouble(): Promise<Double> {
  const child = start(process.execPath, [fromRoot('dist', 'bench', 'peers', 'xapi-server.js'), String(VMS)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { url, fingerprint } = JSON.parse(String((await once(child.stdout!, 'data') as [Buffer])[0])) as { url: string; fingerprint: string };
  return {
    child,
    provider: `\n[providers.pool]\ntype = "xenserver"\nurl = "${url}"\nuser = "root"\npassword = "pw"\nfingerprint = "SHA256:${fingerprint}"\n`,
  };
}

/** A daemon at work is given its first pool: what it needs for pools is loaded, the pool is read, and the list is there. */
async function fillOnce(settings: Settings, { provider }: Double): Promise<Figures> {
  const { port, command } = await prepareOurs('');
  const child = start(process.execPath, command);
  const config = command.at(-1)!;
  try {
    await answered(child, port, 'nop\n', ARGO_END);
    const pid = pidOf(child);
    await measure(pid, { port, seconds: settings.seconds, rate: PROBE_RATE, warmUp: settings.warmUp });
    const before = residentMegabytes(pid);
    const probing = measure(pid, { port, rate: PROBE_RATE, seconds: PROBE_SECONDS, warmUp: 0 });
    await pause(PROBE_SECONDS * 100);
    const began = performance.now();
    appendFileSync(config, provider);
    child.kill('SIGHUP');
    await listed(port);
    const fill = performance.now() - began;
    const { p99us } = await probing;
    const growth = residentMegabytes(pid) - before;
    const { p50us } = await measure(pid, { port, setup: LOGIN, request: 'list\n', seconds: settings.seconds, warmUp: settings.warmUp });
    return { fill, growth, nop: p99us / 1000, list: p50us / 1000 };
  } finally {
    await stop(child);
  }
}

async function listed(port: number): Promise<void> {
  const deadline = Date.now() + LISTED_WITHIN;
  while ((await ask(port, 'list\n', ARGO_END)).split('\n').length < VMS) {
    if (Date.now() > deadline) throw new Error(`the daemon does not list the ${VMS} VMs of the pool`);
    await pause(10);
  }
}

/** A double of a pool with a thousand VMs, over TLS. */
export const xenserver: Scenario = async function* (settings): AsyncGenerator<Row> {
  const what = `xenserver: ${VMS.toLocaleString('en-GB')} VMs`;
  if (which('openssl') === undefined) return void (yield { what, unit: 'ms', note: 'not installed: openssl' });
  const double = await startDouble();
  try {
    const [runs = []] = await interleave(settings.rounds, [() => fillOnce(settings, double)]);
    const row = (name: string, unit: 'ms' | 'MB', pick: (run: Figures) => number, limit: number): Row => {
      const figure = summarise(runs.map(pick));
      return { what: `${what}: ${name}`, unit, ours: figure, target: below(figure.median, limit, ` ${unit}`) };
    };
    yield row('first fill', 'ms', ({ fill }) => fill, FILL_LIMIT);
    yield row('nop p99 during it', 'ms', ({ nop }) => nop, 5);
    yield row('RSS growth', 'MB', ({ growth }) => growth, GROWTH_LIMIT);
    yield row('list', 'ms', ({ list }) => list, LIST_LIMIT);
  } finally {
    await stop(double.child);
  }
};
