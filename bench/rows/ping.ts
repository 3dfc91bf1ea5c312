import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { repeat } from '../background.js';
import { deadAddress, deadNetworkLacks, makeDeadNetwork, removeDeadNetwork } from '../dead-network.js';
import { measure } from '../load.js';
import { LOGIN, startOurs } from '../ours.js';
import { fpingLacks, runFping, targetsFile } from '../peers/fping.js';
import { ask, residentMegabytes, scratchFolder, stop } from '../process.js';
import { below, type Row } from '../report.js';
import type { Scenario } from '../scenario.js';
import { interleave, pairedRatio, summarise } from '../stats.js';
import { probe, waitRow } from '../probe.js';

const FEW = 1000;
const MANY = 10_000;
/** ms between two packets: what the daemon keeps to, and what fping is told. */
const INTERVAL = 0.2;
/** The reply to the login, then that to `status` with its last line. */
const BOTH_REPLIES = /^300\b[^]*^(?:300|400)\b.*\n/m;
/** Resident memory of a daemon that asks 10,000 hosts again and again, MB. It swings with Node's collector, and must not grow. */
const MEMORY_LIMIT = 400;
/** How long the first listing, which pings every host, may take, ms. */
const LISTING_DEADLINE = 60_000;

/** All of 127.0.0.0/8 answers. */
const liveAddress = (index: number): string => `127.1.${index >> 8}.${index & 255}`;

/** A provider of hosts at these addresses, that is not listed again while it is measured. */
function hostsProvider(addresses: readonly string[]): string {
  const file = join(scratchFolder('hosts'), 'hosts');
  writeFileSync(file, addresses.map((address, index) => `h${index} ${address}\n`).join(''));
  return `[providers.lab]\ntype = "linux"\nuser = "nobody"\nhosts-file = "${file}"\npoll-interval = "1d"\n`;
}

/** Waits until the daemon knows its hosts. */
async function listed(port: number, hosts: number): Promise<void> {
  const deadline = Date.now() + LISTING_DEADLINE;
  while ((await ask(port, 'list\n', /^(?:300|400)\b.*\n/m)).split('\n').length < hosts) {
    if (Date.now() > deadline) throw new Error('the hosts are not listed');
    await pause(100);
  }
}

/** `status` of 1,000 hosts that answer, beside fping with the same pace and retries. */
export const pingSweep: Scenario = async function* (settings): AsyncGenerator<Row> {
  const what = `ping of ${FEW.toLocaleString('en-GB')}, ${INTERVAL} ms apart`;
  const lacks = fpingLacks();
  if (lacks !== undefined) return void (yield { what, unit: 'ms', note: lacks });
  const addresses = Array.from({ length: FEW }, (_, index) => liveAddress(index));
  const targets = targetsFile(addresses);
  const server = await startOurs(hostsProvider(addresses));
  const sweep = async () => {
    const result = await measure(server.pid, {
      port: server.port, setup: LOGIN, request: 'status lab/*\n', seconds: 3 * settings.seconds, warmUp: settings.warmUp,
    });
    return { ms: result.p50us / 1000, cpuUs: result.cpuUs };
  };
  try {
    await listed(server.port, FEW);
    const [ours = [], theirs = []] = await interleave(settings.rounds, [sweep, () => Promise.resolve(runFping(targets, INTERVAL))]);
    const row = (name: string, pick: (run: { ms: number; cpuUs: number }) => number, limit: number): Row => {
      const [mine, peers] = [ours.map(pick), theirs.map(pick)];
      const ratio = pairedRatio(mine, peers);
      return {
        what: name, unit: 'ms', ours: summarise(mine), peer: { name: 'fping (C)', figure: summarise(peers) }, ratio, target: below(ratio, limit, '×'),
      };
    };
    yield row(what, ({ ms }) => ms, 1.2);
    yield row('CPU of it', ({ cpuUs }) => cpuUs / 1000, 3);
  } finally {
    await stop(server.child);
  }
};

/** `status` of 10,000 hosts of which half are silent, and what others notice of it. */
export const pingMany: Scenario = async function* (settings): AsyncGenerator<Row> {
  const what = `ping of ${MANY.toLocaleString('en-GB')}, half of them silent`;
  const lacks = deadNetworkLacks();
  if (lacks !== undefined) return void (yield { what, unit: 'ms', note: lacks });
  makeDeadNetwork();
  const server = await startOurs(hostsProvider(
    Array.from({ length: MANY }, (_, index) => (index % 2 === 0 ? liveAddress(index) : deadAddress(index))),
  ));
  try {
    await listed(server.port, MANY);
    const began = performance.now();
    await ask(server.port, `${LOGIN}status lab/*\n`, BOTH_REPLIES);
    yield { what, unit: 'ms', ours: summarise([performance.now() - began]) };
    const load = await repeat(server.port, LOGIN, 'status lab/*\n');
    try {
      const [latencies = []] = await interleave(settings.rounds, [() => probe(settings, server)]);
      yield waitRow('nop p99 during it', latencies);
      const memory = residentMegabytes(server.pid);
      yield { what: 'RSS during it', unit: 'MB', ours: summarise([memory]), target: below(memory, MEMORY_LIMIT, ' MB') };
    } finally {
      load.stop();
    }
  } finally {
    await stop(server.child);
    removeDeadNetwork();
  }
};
