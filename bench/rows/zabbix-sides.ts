import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSqlite } from '../../src/store/sqlite.js';
import { zabbixUser, type Zabbix } from '../../test/peers/zabbix.js';
import { INTERFACE, ITEM, VALUE } from '../../test/peers/zabbix/api.js';
import { OfficialProxy } from '../../test/peers/zabbix/official-proxy.js';
import { Relay } from '../../test/peers/zabbix/relay.js';
import { startDaemon, type Daemon } from '../../test/support/daemon.js';
import { ADMIN } from '../../test/support/faults.js';

/** The two proxies of the bench, each behind a network that can be cut. */

export const ITEMS = 500;
/** How long a file that is in use is waited for. */
const LOCKED_MS = 30_000;

/** One of the two. */
export interface Side {
  readonly name: string;
  readonly itemids: readonly number[];
  readonly proxyid: string;
  readonly network: Relay;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** As a crash. */
  kill(): Promise<void>;
  /** Values in its file that the server has not acknowledged. */
  waiting(): Promise<number>;
  pids(): readonly number[];
  /** Puts values into its file while it does not run: one for each item and second. */
  fill(count: number, clock: number): Promise<void>;
}

/** Proportional memory of processes, MB of 10^6 bytes; 0 for one that has ended. */
export function proportional(pids: readonly number[]): number {
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

export async function ours(zabbix: Zabbix, groupid: string, folder: string): Promise<Side> {
  const network = await Relay.start(zabbix.port);
  const config = `${ADMIN}[providers.demo]\ntype = "sim"\ninstances = ["lj"]\n[gateways.zabbix]\ntype = "zabbix"\nmode = "active"\naccount = "admin"\nproxy-name = "ours"\nserver = ["127.0.0.1:${network.port}"]\nconfig-frequency = "5s"\n`;
  const known = await provision(zabbix, groupid, 'ours');
  const file = join(folder, 'state', 'history.sqlite');
  let daemon: Daemon;
  return {
    ...known, network,
    start: async () => { daemon = await startDaemon({ config, folder }); },
    stop: async () => void await daemon.stop(),
    kill: async () => {
      process.kill(daemon.pid, 'SIGKILL');
      await daemon.exited;
    },
    waiting: () => read(file, 'select sum(last - acknowledged) as waiting from stream'),
    pids: () => [daemon.pid],
    fill: async (count, clock) => {
      const database = await openSqlite(file, { readOnly: false, timeout: LOCKED_MS });
      // as after keep-acknowledged: else those of the backlog before would all be sent again first
      database.exec(`delete from value where id <= (select acknowledged from stream where number = value.stream);
        delete from acknowledgement; update stream set gone = acknowledged`);
      database.exec(`insert into value (stream, id, written, row)
        with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${count})
        select number, last + 1 + i, written, json_object('itemid', ${known.itemids[0]} + i % ${ITEMS}, 'clock', ${clock} + i / ${ITEMS}, 'ns', i, 'value', cast(i as text)) from n, stream`);
      database.exec(`update stream set last = last + ${count}`);
      database.close();
    },
  };
}

export async function official(zabbix: Zabbix, groupid: string): Promise<Side> {
  const network = await Relay.start(zabbix.port);
  const known = await provision(zabbix, groupid, 'official');
  let proxy: OfficialProxy | undefined;
  let filled = 0;
  return {
    ...known, network,
    start: async () => {
      if (proxy === undefined) proxy = await OfficialProxy.start({ name: 'official', serverPort: network.port, user: zabbixUser() });
      else await proxy.restart();
    },
    stop: async () => proxy?.end(),
    kill: async () => proxy?.kill(),
    waiting: () => read(proxy!.buffer, "select count(*) as waiting from proxy_history where id > (select nextid from ids where table_name = 'proxy_history' and field_name = 'history_lastid')"),
    pids: () => proxy?.pids ?? [],
    fill: async (count, clock) => {
      const database = await openSqlite(proxy!.buffer, { readOnly: false, timeout: LOCKED_MS });
      database.exec(`insert into proxy_history (id, itemid, clock, ns, value, write_clock)
        with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${count})
        select ${1_000_000 + filled} + i, ${known.itemids[0]} + i % ${ITEMS}, ${clock} + i / ${ITEMS}, i, i, strftime('%s') from n`);
      filled += count;
      database.close();
    },
  };
}

async function read(file: string, query: string): Promise<number> {
  const database = await openSqlite(file, { readOnly: true, timeout: LOCKED_MS });
  try {
    return Number((database.prepare(query).get() as { waiting: number }).waiting);
  } finally {
    database.close();
  }
}
