import { setImmediate as nextTurn } from 'node:timers/promises';
import { Events } from '../../src/instances/events.js';
import { EventSubscription } from '../../src/instances/subscription.js';
import { measure } from '../load.js';
import { LOGIN, startOurs } from '../ours.js';
import { stopServers } from '../peers/bare.js';
import { atLeast, type Row } from '../report.js';
import type { Scenario, Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';
import { Watcher } from '../watcher.js';
import { probe, waitRow } from '../probe.js';

/** Events of one run of the ring, and how many are added in one turn of the event loop. */
const EVENTS = 400_000;
const A_TURN = 256;
const HISTORY = 65_536;
/** Least events a second that one watcher is to get. */
const RING_LEAST = 200_000;

const WATCHERS = 1000;
/** Logins at a time. */
const LOGINS = 8;
/** Actions a second beside the watchers: each is told twice, at its beginning and at its end. */
const ACTIONS = 50;

/** Events a second through the ring to one who watches all of them. */
async function ringRate(): Promise<number> {
  const events = new Events(HISTORY);
  const everybody = {
    name: 'bench', sees: () => true, allows: () => true, allowsProvider: () => true, reaches: () => true,
    coversProvider: () => true, allowsSomewhere: () => true, coversName: () => true,
  };
  const identity = { name: 'bench', principal: everybody, onTakenAway: () => () => undefined };
  const stop = new AbortController();
  const subscription = new EventSubscription({
    events, identity, patterns: undefined, types: undefined, after: undefined, mostOfAccount: 1, mayKnow: () => Promise.resolve(false), isOver: () => false,
  });
  const subject = { provider: 'lab', name: 'vm1', fullName: 'lab/vm1', state: 'on' as const };
  const began = performance.now();
  const adding = (async () => {
    for (let added = 0; added < EVENTS; added += A_TURN) {
      for (let i = 0; i < A_TURN; i += 1) events.state(subject, 'off');
      await nextTurn();
    }
  })();
  let got = 0;
  for await (const batch of subscription.batches(stop.signal)) {
    got += batch.events.length;
    if (got >= EVENTS) break;
  }
  await adding;
  return 1000 * got / (performance.now() - began);
}

/** `nop` beside a thousand who watch a hundred events a second. */
async function* thousand(settings: Settings): AsyncGenerator<Row> {
  const server = await startOurs('[providers.machines]\ntype = "sim"\ncount = 100\n');
  const watchers: Watcher[] = [];
  const seconds = 4 * settings.seconds + 2;
  try {
    // each logs in, which is two cores' work for some minutes
    for (let i = 0; i < WATCHERS; i += LOGINS) watchers.push(...await Promise.all(Array.from({ length: LOGINS }, () => Watcher.open(server, 'watch --types=action'))));
    const [latencies = []] = await interleave(settings.rounds, [async () => {
      let load: Promise<unknown> | undefined;
      await new Promise<void>((resolve, reject) => {
        load = measure(server.pid, { port: server.port, setup: LOGIN, request: 'reboot --force machines/vm00001\n', rate: ACTIONS, seconds, warmUp: settings.warmUp, onReady: resolve });
        load.catch(reject);
      });
      const before = watchers[0]!.lines;
      const latency = await probe(settings, server);
      await load;
      if (watchers.some(({ lines }) => lines === 0) || watchers[0]!.lines === before) throw new Error('the watchers are told nothing');
      return latency;
    }]);
    yield waitRow(`nop p99 beside ${WATCHERS.toLocaleString('en-GB')} watchers of ${2 * ACTIONS} events/s`, latencies);
  } finally {
    watchers.forEach((watcher) => watcher.close());
    await stopServers(server);
  }
}

/** The ring by itself, and many who watch. */
export const watch: Scenario = async function* (settings): AsyncGenerator<Row> {
  const [rates = []] = await interleave(settings.rounds, [ringRate]);
  const figure = summarise(rates);
  yield { what: 'events through the ring to one watcher, a second', unit: 'req/s', ours: figure, target: atLeast(figure.median, RING_LEAST) };
  yield* thousand(settings);
};
