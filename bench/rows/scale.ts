import { repeat } from '../background.js';
import { measure } from '../load.js';
import { LOGIN, startOurs } from '../ours.js';
import { type Server, stopServers } from '../peers/bare.js';
import { probe, waitRow } from '../probe.js';
import { below, type Row } from '../report.js';
import { compareFigures, type Scenario, type Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';

/** Requests a second by which `nop` probes whether the server stalls. */
/** How much dearer a name may be in a list of 100,000 than in one of 1,000: "constant", with the machine's noise. */
const CONSTANT = 1.5;

const simulated = (name: string, count: number, further = ''): string =>
  `[providers.${name}]\ntype = "sim"\ncount = ${count}\n${further}\n`;

/** µs that `list` takes a name. */
async function costOfAName(settings: Settings, server: Server, names: number): Promise<number> {
  const result = await measure(server.pid,
    { port: server.port, request: 'list\n', seconds: 2 * settings.seconds, warmUp: settings.warmUp });
  return 1e6 / result.rps / names;
}

/** `list` of ever more instances: what a name costs must not grow with their number. */
export const listCost: Scenario = async function* (settings): AsyncGenerator<Row> {
  const least = 1000;
  const few = await startOurs(simulated('many', least));
  try {
    for (const names of [10_000, 100_000]) {
      const many = await startOurs(simulated('many', names));
      try {
        yield await compareFigures(settings, `list of ${names.toLocaleString('en-GB')}, cost a name`, 'µs/name',
          () => costOfAName(settings, many, names),
          { name: `ours, ${least.toLocaleString('en-GB')} names`, measure: () => costOfAName(settings, few, least) },
          (_, ratio) => below(ratio, CONSTANT, '×'));
      } finally {
        await stopServers(many);
      }
    }
  } finally {
    await stopServers(few);
  }
};

/** `status slow/*`: how long it takes at the median, and `nop` beside it. */
async function* globRows(settings: Settings, server: Server, beside: string, most: { readonly glob: number; readonly nop: number }): AsyncGenerator<Row> {
  const selection = 'slow/*';
  const glob = async (): Promise<number> => (await measure(server.pid, {
    port: server.port, setup: LOGIN, request: `status ${selection}\n`, seconds: 3 * settings.seconds, warmUp: settings.warmUp,
  })).p50us / 1000;
  const [times = []] = await interleave(settings.rounds, [glob]);
  const figure = summarise(times);
  yield { what: `status of 1,000 × 5 ms${beside}`, unit: 'ms', ours: figure, target: below(figure.median, most.glob, ' ms') };
  const load = await repeat(server.port, LOGIN, `status ${selection}\n`);
  try {
    const [latencies = []] = await interleave(settings.rounds, [() => probe(settings, server)]);
    yield waitRow(`nop p99 during it${beside}`, latencies, most.nop);
  } finally {
    load.stop();
  }
}

const SLOW = simulated('slow', 1000, 'latency = "5ms"');
const HUNG = 200;
const vm = (i: number): string => `vm${String(i).padStart(5, '0')}`;
const hangs = `faults = { ${Array.from({ length: HUNG }, (_, i) => `${vm(i + 1)} = "hang"`).join(', ')} }`;

/** 10,000 instances, 1,000 of them slow: a glob over these, and `nop` meanwhile. */
export const glob: Scenario = async function* (settings): AsyncGenerator<Row> {
  const server = await startOurs(simulated('many', 9000) + SLOW);
  try {
    yield* globRows(settings, server, '', { glob: 60, nop: 4 });
    const load = await repeat(server.port, LOGIN, 'list\n');
    const [latencies = []] = await interleave(settings.rounds, [() => probe(settings, server)]);
    load.stop();
    yield waitRow('nop p99 during list of 10,000', latencies);
  } finally {
    await stopServers(server);
  }
};

/** The same with 200 instances that never answer and are being asked all the time. */
export const hung: Scenario = async function* (settings): AsyncGenerator<Row> {
  const server = await startOurs(simulated('many', 9000) + SLOW + simulated('dead', HUNG, hangs));
  try {
    const dead = await repeat(server.port, LOGIN, 'status dead/*\n');
    try {
      yield* globRows(settings, server, `, ${HUNG} hung beside`, { glob: 100, nop: 5 });
    } finally {
      dead.stop();
    }
  } finally {
    await stopServers(server);
  }
};

/** Polls of ever more instances, one a second: `nop` beside them must not notice, and a million must fit. */
export const polls: Scenario = async function* (settings): AsyncGenerator<Row> {
  for (const [count, mostMs] of [[100_000, 5], [1_000_000, 10]] as const) {
    const server = await startOurs(simulated('many', count, 'poll-interval = "1s"'));
    try {
      const names = count.toLocaleString('en-GB');
      const [waits = []] = await interleave(settings.rounds, [() => probe(settings, server, { seconds: 3 })]);
      yield waitRow(`nop p99 beside polls of ${names}`, waits, mostMs);
      const resident = summarise(waits.map(({ memory }) => memory));
      yield { what: `resident memory with ${names}`, unit: 'MB', ours: resident, target: below(resident.median, 600, ' MB') };
    } finally {
      await stopServers(server);
    }
  }
};
