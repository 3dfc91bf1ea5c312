import { join } from 'node:path';
import { openSqlite } from '../../src/store/sqlite.js';
import { measure } from '../load.js';
import { LOGIN, startOurs } from '../ours.js';
import { type Server, stopServers } from '../peers/bare.js';
import { scratchFolder } from '../process.js';
import { atLeast, type Row } from '../report.js';
import { compareFigures, type Scenario, type Settings } from '../scenario.js';
import { interleave } from '../stats.js';
import { probe, waitRow, type Wait } from '../probe.js';

/** An action that is always carried out; each connection has a machine of its own. */
const ACTION = 'reboot --force machines/vm#####\n';
const MACHINES = '[providers.machines]\ntype = "sim"\ncount = 100\n';

/** Actions a second at so many connections, and the least that is wanted. */
const RATES = [{ connections: 1, least: 1000 }, { connections: 10, least: 4000 }, { connections: 100, least: 9000 }] as const;

/** Connections whose actions `nop` stands beside. */
const BESIDE = 20;

/** SQLite by itself: a commit an entry, each brought to the disk, in a folder beside the server's own. */
async function bareCommits(seconds: number): Promise<number> {
  const database = await openSqlite(join(scratchFolder('commits'), 'bare.sqlite'), { readOnly: false, timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE entries (at TEXT, account TEXT, peer TEXT, command TEXT, instance TEXT)');
    const insert = database.prepare('INSERT INTO entries VALUES (?, ?, ?, ?, ?)');
    const began = performance.now();
    let count = 0;
    for (; performance.now() - began < 1000 * seconds; count += 1) {
      insert.run(new Date().toISOString(), 'bench', '127.0.0.1:40000', 'reboot', 'machines/vm00001');
    }
    return 1000 * count / (performance.now() - began);
  } finally {
    database.close();
  }
}

async function actions(settings: Settings, server: Server, load: { connections: number; seconds: number; onReady?: () => void }): Promise<number> {
  return (await measure(server.pid, { port: server.port, setup: LOGIN, request: ACTION, warmUp: settings.warmUp, ...load })).rps;
}

/** `nop` on a timetable while many actions are recorded. */
async function nopBeside(settings: Settings, server: Server): Promise<Wait> {
  let load: Promise<number> | undefined;
  await new Promise<void>((resolve, reject) => {
    // from a little before the probe to a little after it
    load = actions(settings, server, { connections: BESIDE, seconds: 3 * settings.seconds + 1, onReady: resolve });
    load.catch(reject);
  });
  const latency = await probe(settings, server);
  await load;
  return latency;
}

/** Actions, each of which is on the disk before its order is sent; and `nop` on another connection beside them. */
export const audit: Scenario = async function* (settings): AsyncGenerator<Row> {
  const server = await startOurs(MACHINES);
  try {
    for (const { connections, least } of RATES) {
      yield await compareFigures(settings, `audited actions, ${connections} connection${connections === 1 ? '' : 's'}`, 'req/s',
        () => actions(settings, server, { connections, seconds: settings.seconds }),
        { name: 'bare SQLite, a commit each', measure: () => bareCommits(settings.seconds) }, (rate) => atLeast(rate, least));
    }
    const [latencies = []] = await interleave(settings.rounds, [() => nopBeside(settings, server)]);
    yield waitRow(`nop p99 beside ${BESIDE} connections of actions`, latencies);
  } finally {
    await stopServers(server);
  }
};
