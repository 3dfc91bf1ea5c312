import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSqlite } from '../../src/store/sqlite.js';
import { lacksZabbix, Zabbix, zabbixUser } from '../../test/peers/zabbix.js';
import { INTERFACE, ITEM, VALUE } from '../../test/peers/zabbix/api.js';
import { OfficialProxy } from '../../test/peers/zabbix/official-proxy.js';
import { startDaemon, type Daemon } from '../../test/support/daemon.js';
import { ADMIN } from '../../test/support/faults.js';
import { until } from '../../test/support/until.js';
import { atLeast, below, type Row } from '../report.js';
import { FULL, type Settings } from '../scenario.js';
import { summarise } from '../stats.js';

/**
 * A backlog that goes to a real server: ours beside Zabbix's own proxy, with the same server. Both have it in their SQLite
 * files when they start.
 */

const ITEMS = 500;
const BACKLOG = { full: 300_000, quick: 50_000 };
const WITHIN_MS = 170_000;
const LOOK_MS = 250;
/** For a configuration to come. */
const CONFIGURED_MS = 10_000;
/** How long the server's table does not grow until nothing more is awaited: what it has already comes again first, and is slow to refuse. */
const STILL_MS = 45_000;

/** One of the two. */
interface Side {
  readonly name: string;
  readonly itemids: readonly number[];
  readonly proxyid: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  pids(): readonly number[];
  /** Puts values into its file while it does not run: one for each item and second. */
  fill(count: number, clock: number): Promise<void>;
}

/** Proportional memory of processes, MB of 10^6 bytes; 0 for one that has ended. */
function proportional(pids: readonly number[]): number {
  const kib = pids.map((pid) => {
    try {
      return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0;
    }
  });
  return kib.reduce((sum, one) => sum + one, 0) * 1024 / 1e6;
}

async function provision({ api }: Zabbix, groupid: string, name: string) {
  const proxyid = await api.proxy({ name });
  const hostid = await api.host(name, groupid, proxyid, { interfaces: [INTERFACE.agent] });
  const interfaceid = await api.interfaceOf(hostid, INTERFACE.agent);
  // blanks before a parameter make it another item about the same
  const wishes = Array.from({ length: ITEMS }, (_, index) => ({ name: `item ${index}`, key: `argo.rx[${' '.repeat(index)}lj]`, type: ITEM.simple, valueType: VALUE.unsigned, delay: '1d', interfaceid }));
  return { name, proxyid, itemids: (await api.items(hostid, wishes)).map(Number) };
}

async function ours(zabbix: Zabbix, groupid: string, folder: string): Promise<Side> {
  const config = `${ADMIN}[providers.demo]\ntype = "sim"\ninstances = ["lj"]\n[gateways.zabbix]\ntype = "zabbix"\nmode = "active"\naccount = "admin"\nproxy-name = "ours"\nserver = ["127.0.0.1:${zabbix.port}"]\nconfig-frequency = "5s"\n`;
  const known = await provision(zabbix, groupid, 'ours');
  let daemon: Daemon;
  return {
    ...known,
    start: async () => { daemon = await startDaemon({ config, folder }); },
    stop: async () => void await daemon.stop(),
    pids: () => [daemon.pid],
    fill: async (count, clock) => {
      const database = await openSqlite(join(folder, 'state', 'history.sqlite'), { readOnly: false, timeout: WITHIN_MS });
      database.exec(`insert into value (stream, id, written, row)
        with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${count})
        select number, last + 1 + i, written, json_object('itemid', ${known.itemids[0]} + i % ${ITEMS}, 'clock', ${clock} + i / ${ITEMS}, 'ns', i, 'value', cast(i as text)) from n, stream`);
      database.exec(`update stream set last = last + ${count}`);
      database.close();
    },
  };
}

async function official(zabbix: Zabbix, groupid: string): Promise<Side> {
  const known = await provision(zabbix, groupid, 'official');
  let proxy: OfficialProxy | undefined;
  let filled = 0;
  return {
    ...known,
    start: async () => {
      if (proxy === undefined) proxy = await OfficialProxy.start({ name: 'official', serverPort: zabbix.port, user: zabbixUser() });
      else await proxy.restart();
    },
    stop: async () => proxy?.end(),
    pids: () => proxy?.pids ?? [],
    fill: async (count, clock) => {
      const database = await openSqlite(proxy!.buffer, { readOnly: false, timeout: WITHIN_MS });
      database.exec(`insert into proxy_history (id, itemid, clock, ns, value, write_clock)
        with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${count})
        select ${1_000_000 + filled} + i, ${known.itemids[0]} + i % ${ITEMS}, ${clock} + i / ${ITEMS}, i, i, strftime('%s') from n`);
      filled += count;
      database.close();
    },
  };
}

const storedOf = async ({ database }: Zabbix, { itemids }: Side, from: number, to: number): Promise<number> =>
  Number(await database.value(`select count(*) from history_uint where itemid between ${itemids[0]} and ${itemids.at(-1)} and clock >= ${from} and clock < ${to}`));

interface Figures { readonly rate: number; readonly memory: number; readonly heartbeat: number; readonly lost: number }

/** @param base of the clocks of the values, s */
async function measure(zabbix: Zabbix, side: Side, count: number, base: number): Promise<Figures> {
  const { database } = zabbix;
  await side.start();
  const heard = async (after: number): Promise<boolean> => Number(await database.value(`select lastaccess from hosts where hostid = ${side.proxyid}`)) > after;
  await until(() => heard(0), WITHIN_MS, 'a first word of the proxy');
  await sleep(CONFIGURED_MS);
  await side.stop();
  const stored = (from: number): Promise<number> => storedOf(zabbix, side, from, from + count / ITEMS);

  await side.fill(count, base);
  await database.execute(`update hosts set lastaccess = 0 where hostid = ${side.proxyid}`);
  const started = performance.now();
  await side.start();
  const heartbeat = until(() => heard(0), WITHIN_MS, 'a word').then(() => performance.now() - started);
  await until(async () => await stored(base) > 0, WITHIN_MS, 'the first values');
  const [began, first] = [performance.now(), await stored(base)];
  let memory = 0;
  await until(async () => {
    memory = Math.max(memory, proportional(side.pids()));
    await sleep(LOOK_MS);
    return await stored(base) >= count;
  }, WITHIN_MS, 'all values');
  const rate = (count - first) / (performance.now() - began) * 1000;
  await side.stop();

  const second = base + 2 * count / ITEMS;
  await side.fill(count, second);
  await side.start();
  await until(async () => await stored(second) > count / 4, WITHIN_MS, 'a quarter of them');
  await zabbix.killServer();
  await zabbix.startServer();
  let [most, since] = [0, performance.now()];
  await until(async () => {
    const now = await stored(second);
    if (now > most) [most, since] = [now, performance.now()];
    await sleep(LOOK_MS);
    return now >= count || performance.now() - since > STILL_MS;
  }, WITHIN_MS, 'the end of the backlog');
  await side.stop();
  return { rate, memory, heartbeat: await heartbeat, lost: count - most };
}

export async function* zabbix(settings: Settings): AsyncGenerator<Row> {
  const lacking = lacksZabbix('fping');
  if (lacking !== false) return void (yield { what: 'Zabbix: drain of a backlog', unit: 'req/s', note: lacking });
  const count = settings.rounds === FULL.rounds ? BACKLOG.full : BACKLOG.quick;
  const folder = mkdtempSync(join(tmpdir(), 'argo-bench-zabbix-'));
  const server = await Zabbix.start({ settings: { HistoryCacheSize: '64M', HistoryIndexCacheSize: '16M', StartDBSyncers: 4 } });
  try {
    const groupid = await server.api.group('Power');
    const base = Math.floor(Date.now() / 1000) - 4 * count / ITEMS - 60;
    const theirs = await measure(server, await official(server, groupid), count, base);
    const mine = await measure(server, await ours(server, groupid, folder), count, base);
    const row = (what: string, unit: Row['unit'], key: keyof Figures): Row =>
      ({ what: `Zabbix, ${count} values that waited: ${what}`, unit, ours: summarise([mine[key]]), peer: { name: 'zabbix_proxy', figure: summarise([theirs[key]]) } });
    yield { ...row('stored a second', 'req/s', 'rate'), ratio: mine.rate / theirs.rate, memory: { ours: mine.memory, peer: theirs.memory }, target: atLeast(mine.rate / theirs.rate, 1) };
    yield { ...row('proportional memory', 'MB', 'memory'), target: below(mine.memory, 97, ' MB') };
    yield { ...row('from its start until the server hears of it', 'ms', 'heartbeat'), target: below(mine.heartbeat, Math.round(2 * theirs.heartbeat), ' ms') };
    yield { ...row('lost by kill -9 of the server', 'values', 'lost'), target: { text: '0', met: mine.lost === 0 } };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
