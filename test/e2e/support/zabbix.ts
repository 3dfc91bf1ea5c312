import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Zabbix } from '../../peers/zabbix.js';
import { INTERFACE } from '../../peers/zabbix/api.js';
import { Relay, type Passed } from '../../peers/zabbix/relay.js';
import { startDaemon, type Daemon, type DaemonOptions } from '../../support/daemon.js';
import { ADMIN, LONG } from '../../support/faults.js';
import { until } from '../../support/until.js';

/** argo-server as a proxy of a real server, and what comes of it in the server's own tables. */

/** The account that decides what Zabbix sees and may do: `builder` it may only look at, `hidden` not even that. */
export const ACCOUNTS = `${ADMIN}
[accounts.zabbix]
${/^password = .*$/m.exec(ADMIN)![0]}
from = []
grants = [{ instances = ["lj", "web*"], commands = ["read", "power"] }, { instances = ["builder"], commands = ["read"] }]
`;

export const SIM = `[providers.demo]
type = "sim"
instances = ["lj", "builder", { name = "web1", state = "off" }, "web2", "hidden"]
`;

/** A table of the gateway. @param keys further lines; what is not said is as often as it can be */
export const active = (name: string, port: number, keys = ''): string => `[gateways.zabbix]
type = "zabbix"
mode = "active"
server = ["127.0.0.1:${port}"]
proxy-name = "${name}"
account = "zabbix"
config-frequency = "1s"
heartbeat-frequency = "1s"
data-frequency = "1s"
${keys}
`;

export const passive = (name: string, port: number, keys = ''): string => `[gateways.zabbix]
type = "zabbix"
mode = "passive"
server = ["127.0.0.1"]
listen = ["127.0.0.1:${port}"]
proxy-name = "${name}"
account = "zabbix"
${keys}
`;

export interface World {
  readonly zabbix: Zabbix;
  /** of hosts */
  readonly groupid: string;
}

export async function startWorld(t: Test, options: Parameters<typeof Zabbix.start>[0] = {}): Promise<World> {
  const zabbix = await Zabbix.start(options);
  t.after(() => zabbix.stop());
  return { zabbix, groupid: await zabbix.api.group('Power') };
}

export async function startArgo(t: Test, options: DaemonOptions): Promise<Daemon> {
  const daemon = await startDaemon(options);
  t.after(() => daemon.stop());
  return daemon;
}

/** Tables of values by the type of an item. */
const TABLES = ['history', 'history_str', 'history_log', 'history_uint', 'history_text'] as const;

/** The values of an item, oldest first, as its table has them. @param valueType as the API counts them */
export async function valuesOf({ zabbix }: World, itemid: string, valueType: number): Promise<readonly string[]> {
  const rows = await zabbix.database.rows<{ value: string }>(`select value::text as value from ${TABLES[valueType]} where itemid = ${itemid} order by clock, ns`);
  return rows.map(({ value }) => value);
}

/** Waits for a first value. */
export async function firstValue(world: World, itemid: string, valueType: number): Promise<string> {
  await until(async () => (await valuesOf(world, itemid, valueType)).length > 0, LONG, `a value of item ${itemid}`);
  return (await valuesOf(world, itemid, valueType))[0]!;
}

/** Waits until a query has a row. @returns the first one */
export async function row<T extends Readonly<Record<string, unknown>>>({ zabbix }: World, query: string): Promise<T> {
  let rows: readonly T[] = [];
  await until(async () => {
    rows = await zabbix.database.rows<T>(query);
    return rows.length > 0;
  }, LONG, query);
  return rows[0]!;
}

/** When the server heard of a proxy last, seconds since 1970. */
export const lastAccess = ({ zabbix }: World, proxyid: string): Promise<number> => zabbix.lastAccess(proxyid);

/** Waits until the server hears of a proxy. */
export const isSeen = (world: World, proxyid: string): Promise<void> => until(async () => await lastAccess(world, proxyid) > 0, LONG, 'the server to hear of the proxy');

interface SentRow {
  readonly id: number;
  readonly itemid: number;
  readonly clock: number;
  readonly ns: number;
  readonly value?: string;
  readonly state?: number;
}

/** All numbers that the server has stored, as `itemid clock ns`. */
export async function storedOf({ zabbix }: World): Promise<ReadonlySet<string>> {
  const stored = await zabbix.database.rows<{ v: string }>(`select concat_ws(' ', itemid, clock, ns) as v from history_uint union all select concat_ws(' ', itemid, clock, ns) from history`);
  return new Set(stored.map(({ v }) => v));
}

/** All values that went to the server, whether they arrived or not. */
export class Ledger {
  /** by their number */
  readonly values = new Map<number, string>();
  /** numbers that were used for two values */
  readonly clashes: number[] = [];
  /** messages that told the proxy to wait */
  throttled = 0;
  /** messages that began with the first value once more: with each go those of the last seconds, these only after a fault */
  again = 0;
  readonly sessions = new Set<unknown>();
  /** tasks that were given out */
  readonly tasks: Readonly<Record<string, unknown>>[] = [];

  constructor(relay: Relay) {
    relay.onMessage = (passed) => this.#take(passed);
  }

  #take({ from, message }: Passed): void {
    if (from === 'server') {
      if (message.upload === 'disabled') this.throttled += 1;
      if (Array.isArray(message.tasks)) this.tasks.push(...message.tasks as Readonly<Record<string, unknown>>[]);
      return;
    }
    const rows = (message['history data'] ?? []) as readonly SentRow[];
    // what asks for the configuration has a session of its own
    if (rows.length > 0) this.sessions.add(message.session);
    const [first] = this.values.keys();
    if (first !== undefined && rows[0]?.id === first) this.again += 1;
    for (const { id, itemid, clock, ns, value, state } of rows) {
      if (state === 1 || value === undefined) continue;
      const text = `${itemid} ${clock} ${ns}`;
      const before = this.values.get(id);
      if (before !== undefined && before !== text) this.clashes.push(id);
      this.values.set(id, text);
    }
  }

  /** Those that the server has not stored, of the values up to now. */
  async missing(world: World, values = [...this.values.values()]): Promise<readonly string[]> {
    const there = await storedOf(world);
    return values.filter((one) => !there.has(one));
  }
}

/** A proxy behind a network that can be cut. */
export async function behindRelay(t: Test, world: World, name: string) {
  const { zabbix: { api, port }, groupid } = world;
  const relay = await Relay.start(port);
  t.after(() => relay.stop());
  const ledger = new Ledger(relay);
  const proxyid = await api.proxy({ name });
  const folder = mkdtempSync(join(tmpdir(), 'argo-zabbix-e2e-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const hostid = await api.host(`lj ${name}`, groupid, proxyid, { interfaces: [INTERFACE.agent], name: `lj of ${name}` });
  return { relay, ledger, proxyid, folder, hostid };
}
