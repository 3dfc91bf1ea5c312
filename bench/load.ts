import { type ChildProcess, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cpuMicroseconds, residentMegabytes, start } from './process.js';
import { fromRoot } from './root.js';

/** What the load generator is to do; see bench/load/lineload.c. */
export interface Load {
  readonly port: number;
  readonly connections?: number;
  readonly depth?: number;
  /** measured seconds, after the warm-up */
  readonly seconds?: number;
  readonly warmUp?: number;
  /** with its line end */
  readonly request?: string;
  /** first word of the line that ends a reply */
  readonly end?: string;
  /** first word of the line that ends a reply which is an error */
  readonly fail?: string;
  /** requests a second, on a timetable instead of a closed loop */
  readonly rate?: number;
  /** all connections at once, one request each */
  readonly storm?: boolean;
  /** sent first on every connection, e.g. a login; kept out of the process list */
  readonly setup?: string;
  /** called when the set-ups have been answered and the load begins */
  readonly onReady?: () => void;
}

/** What it measured. Latencies in µs. */
export interface LoadResult {
  readonly replies: number;
  /** with those of the warm-up */
  readonly allReplies: number;
  readonly failures: number;
  readonly lost: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly rps: number;
  readonly p50us: number;
  readonly p99us: number;
  readonly p999us: number;
  readonly maxus: number;
  /** of a timetable: by how much the generator's own clock woke it too late; no latency on this machine means more than that */
  readonly lateP99us: number;
  readonly stormMs: number;
}

/** A load together with what it cost the server. */
export interface Measured extends LoadResult {
  /** server CPU a request, µs; of the warm-up too */
  readonly cpuUs: number;
  /** server memory while the connections are still open, MB */
  readonly rssMb: number;
}

/** Compiles the generator where this version of it has not been compiled yet; returns its path. */
export function buildLoadGenerator(): string {
  const source = fromRoot('bench', 'load', 'lineload.c');
  const version = createHash('sha256').update(readFileSync(source)).update(process.arch).digest('hex').slice(0, 12);
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'argo-bench');
  const program = join(folder, `lineload-${version}`);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const half = `${program}.${process.pid}`;
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-std=gnu11', '-o', half, source]);
  renameSync(half, program);
  return program;
}

const flags = (load: Load): string[] => Object.entries({
  port: load.port, connections: load.connections, depth: load.depth, seconds: load.seconds,
  'warm-up': load.warmUp, request: load.request, end: load.end, fail: load.fail, rate: load.rate,
}).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]));

function startLoad(load: Load): ChildProcess {
  return start(buildLoadGenerator(), [...flags(load), '--hold', ...(load.storm ? ['--storm'] : [])], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: load.setup === undefined ? process.env : { ...process.env, LINELOAD_SETUP: load.setup },
  });
}

/** Its one line of result, which may follow a line `ready`; the connections stay open until its stdin ends. */
async function resultOf(child: ChildProcess, onReady: (() => void) | undefined): Promise<LoadResult> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.startsWith('ready\n')) {
      text = text.slice('ready\n'.length);
      onReady?.();
    }
    if (text.endsWith('\n')) return JSON.parse(text) as LoadResult;
  }
  throw new Error('the load generator failed');
}

/**
 * Loads a server and measures it.
 * @param pid the server's process
 * @throws when a request failed or a connection was lost: such a run measures nothing
 */
export async function measure(pid: number, load: Load): Promise<Measured> {
  const before = cpuMicroseconds(pid);
  const child = startLoad(load);
  const ended = once(child, 'exit');
  try {
    const result = await resultOf(child, load.onReady);
    const cpuUs = (cpuMicroseconds(pid) - before) / Math.max(1, result.allReplies);
    const rssMb = residentMegabytes(pid);
    if (result.failures > 0 || result.lost > 0) {
      throw new Error(`${result.failures} requests failed, ${result.lost} connections were lost: ${JSON.stringify(load.request)}`);
    }
    return { ...result, cpuUs, rssMb };
  } finally {
    child.stdin?.end();
    await ended;
  }
}
