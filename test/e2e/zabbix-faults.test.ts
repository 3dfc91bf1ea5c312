import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { lacksZabbix } from '../peers/zabbix.js';
import { INTERFACE, ITEM, VALUE } from '../peers/zabbix/api.js';
import { LONG } from '../support/faults.js';
import { until } from '../support/until.js';
import { lowPort } from '../peers/zabbix/confined.js';
import { Relay } from '../peers/zabbix/relay.js';
import { ACCOUNTS, active, behindRelay, isSeen, passive, SIM, startArgo, startWorld, storedOf, type World } from './support/zabbix.js';

/** That no value is lost and none is there twice, whatever dies. */

/** Items of one instance, each once a second. */
const ITEMS = 200;
/** How long a server may take to write what it has, on a busy machine. */
const WRITTEN_WITHIN_MS = 25_000;
/** How long nothing can be sent, so that there is a backlog. */
const BACKLOG_MS = 8000;

async function manyItems({ zabbix: { api } }: World, hostid: string): Promise<void> {
  const interfaceid = await api.interfaceOf(hostid, INTERFACE.agent);
  // parameters beyond the name of the instance make no other item: blanks in front of it do
  await api.items(hostid, Array.from({ length: ITEMS }, (_, index) => ({ key: `argo.rx[${' '.repeat(index)}lj]`, valueType: VALUE.unsigned, type: ITEM.simple, delay: '1s', interfaceid })));
}

/** Lets the server write no values. @returns what ends that */
async function lockTable({ zabbix: { database } }: World): Promise<() => Promise<void>> {
  const locked = database.execute('begin; lock table history_uint in access exclusive mode; select pg_sleep(100); commit;').catch(() => undefined);
  const sleeping = "pg_stat_activity where query like 'select pg_sleep(100)%'";
  await until(async () => Number(await database.value(`select count(*) from ${sleeping}`)) > 0, LONG, 'the lock');
  return async () => {
    await database.execute(`select pg_terminate_backend(pid) from ${sleeping}`);
    await locked;
  };
}

// each has a server of its own, and they mostly wait
t.jobs = 2;

void t.test('no value is lost', { skip: lacksZabbix('fping'), timeout: 170_000 }, async (t) => {
  const world = await startWorld(t, { settings: { HistoryCacheSize: '128K' } });
  const { zabbix } = world;
  const { relay, ledger, proxyid, folder, hostid } = await behindRelay(t, world, 'values');
  await manyItems(world, hostid);
  const config = `${ACCOUNTS}${SIM}${active('values', relay.port)}`;
  const daemon = await startArgo(t, { config, folder });
  await isSeen(world, proxyid);
  const more = (): Promise<void> => {
    const wanted = ledger.values.size + 2 * ITEMS;
    return until(() => ledger.values.size >= wanted, LONG, 'further values');
  };
  /** All that was sent so far is in the server's tables. */
  const nothingIsMissing = async (t: Test, message: string): Promise<void> => {
    const values = [...ledger.values.values()];
    let missing: readonly string[] = values;
    await until(async () => { missing = await ledger.missing(world, values); return missing.length === 0; }, LONG, message).catch((error: unknown) => t.fail(`${missing.length} of ${values.length} are missing: ${(error as Error).message}`));
    t.same(ledger.clashes, [], 'no number was used twice');
    t.equal(new Set(values).size, values.length, 'no value has two numbers');
  };
  await more();
  await nothingIsMissing(t, 'without a fault');

  await t.test('dropped answers', async (t) => {
    const before = ledger.again;
    relay.set('drop-answers', 5);
    await until(() => relay.dropped >= 5, LONG, 'answers to be dropped');
    await more();
    t.ok(ledger.again > before, 'values went again');
    await nothingIsMissing(t, 'after dropped answers');
  });

  await t.test('kill -9 of the server in the middle of a backlog', async (t) => {
    relay.set('refuse');
    await sleep(BACKLOG_MS);
    // what the server takes from here on it cannot write: it is in its memory alone
    const unlock = await lockTable(world);
    const [sizeBefore, again] = [ledger.values.size, ledger.again];
    relay.set('pass');
    await until(() => ledger.values.size > sizeBefore + 2 * ITEMS, LONG, 'the backlog to go');
    await zabbix.killServer();
    await unlock();
    t.ok((await ledger.missing(world)).length > 0, 'the server has lost what it had taken');
    await zabbix.startServer();
    await more();
    t.ok(ledger.again > again, 'acknowledged values went again');
    await nothingIsMissing(t, 'after kill -9 of the server');
    t.equal(ledger.sessions.size, 1, 'one session');
  });

  await t.test('the server takes no values for a while', async (t) => {
    const throttled = ledger.throttled;
    const unlock = await lockTable(world);
    await until(() => ledger.throttled > throttled + 5, LONG, 'the server to say so, for some seconds');
    await unlock();
    await more();
    await nothingIsMissing(t, 'after that');
  });

  await t.test('kill -9 of argo-server', async (t) => {
    daemon.signal('SIGKILL');
    await daemon.exited;
    await startArgo(t, { config, folder });
    await more();
    await nothingIsMissing(t, 'after kill -9 of argo-server');
    t.equal(ledger.sessions.size, 1, 'the session goes on');
  });
});

void t.test('a server that is killed and started again between two polls of a passive proxy', { skip: lacksZabbix('fping'), timeout: 170_000 }, async (t) => {
  const world = await startWorld(t);
  const { zabbix, groupid } = world;
  const port = await lowPort();
  const relay = await Relay.start(port);
  t.after(() => relay.stop());
  const proxyid = await zabbix.api.proxy({ name: 'asked', port: relay.port });
  const hostid = await zabbix.api.host('lj', groupid, proxyid, { interfaces: [INTERFACE.agent] });
  await manyItems(world, hostid);
  const handed = new Set<string>();
  relay.onMessage = ({ from, message }) => {
    if (from !== 'server') return;
    for (const { itemid, clock, ns, state } of (message['history data'] ?? []) as readonly { itemid: string; clock: number; ns: number; state?: number }[]) if (state !== 1) handed.add(`${itemid} ${clock} ${ns}`);
  };
  await startArgo(t, { config: `${ACCOUNTS}${SIM}${passive('asked', port)}` });
  for (let kill = 1; kill <= 4; kill += 1) {
    const wanted = handed.size + 2 * ITEMS;
    await until(() => handed.size >= wanted, LONG, 'values');
    // it has said that it has them, and had no time to write them
    await zabbix.killServer();
    await zabbix.startServer();
    const all = [...handed];
    let missing = all;
    await until(async () => {
      const there = await storedOf(world);
      missing = all.filter((one) => !there.has(one));
      return missing.length === 0;
    }, WRITTEN_WITHIN_MS, 'all of them').catch((error: unknown) => t.comment((error as Error).message));
    t.equal(missing.length, 0, `after kill ${kill} nothing of ${all.length} values is missing`);
  }
});
