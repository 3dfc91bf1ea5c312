import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { lacksZabbix } from '../peers/zabbix.js';
import { INTERFACE, ITEM, VALUE } from '../peers/zabbix/api.js';
import { fillDisk, logIn, LONG, NOP, RAW_REPLY } from '../support/faults.js';
import { until } from '../support/until.js';
import { ACCOUNTS, active, behindRelay, isSeen, SIM, startArgo, startWorld, type Ledger } from './support/zabbix.js';

/** That no value is lost while the disk of the state folder is full, and all else goes on. */

/** Items of one instance, each once a second. */
const ITEMS = 200;
/** How long the disk stays full after it was told to be. */
const FULL_MS = 8000;
/** Seconds between two values of an item: they are taken once a second, by a machine that may be busy. */
const LONGEST_GAP = 4;

/** A small file system as the state folder of a daemon. */
function mountState(t: Test, folder: string): string {
  const state = join(folder, 'state');
  mkdirSync(state, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16384k,mode=700', 'tmpfs', state]);
  t.after(() => { spawnSync('umount', ['-l', state]); });
  return state;
}

/** The longest time between two values of the same item, seconds. */
function longestGap({ values }: Ledger): number {
  const clocks = new Map<string, number[]>();
  for (const value of values.values()) {
    const [itemid = '', clock] = value.split(' ');
    clocks.set(itemid, [...clocks.get(itemid) ?? [], Number(clock)]);
  }
  return Math.max(...[...clocks.values()].flatMap((all) => all.sort((one, other) => one - other).slice(1).map((clock, index) => clock - all[index]!)));
}

await t.test('a full disk', { skip: lacksZabbix('fping', 'mount', 'umount'), timeout: 170_000 }, async (t) => {
  const world = await startWorld(t);
  const { zabbix: { api } } = world;
  const { relay, ledger, proxyid, folder, hostid } = await behindRelay(t, world, 'disk');
  const interfaceid = await api.interfaceOf(hostid, INTERFACE.agent);
  await api.items(hostid, Array.from({ length: ITEMS }, (_, index) => ({ key: `argo.rx[${' '.repeat(index)}lj]`, valueType: VALUE.unsigned, type: ITEM.simple, delay: '1s', interfaceid })));
  const filler = join(mountState(t, folder), 'filler');
  const daemon = await startArgo(t, { config: `${ACCOUNTS}${SIM}${active('disk', relay.port)}`, folder });
  await isSeen(world, proxyid);
  const client = await logIn(daemon);
  const watcher = await logIn(daemon);
  const more = (): Promise<void> => {
    const wanted = ledger.values.size + 2 * ITEMS;
    return until(() => ledger.values.size >= wanted, LONG, 'further values');
  };
  await more();
  t.equal((await client.ask('start --force web1')).code, 300, 'an order before');

  fillDisk(filler);
  await daemon.logs('values for Zabbix cannot be kept');
  const end = performance.now() + FULL_MS;
  let refused = 0;
  for (let at = 0; performance.now() < end; at += 1) {
    watcher.line('nop');
    t.equal(await watcher.expect(RAW_REPLY), NOP, 'nop');
    // what SQLite keeps ready may still take some entries
    const reply = await client.ask(`${at % 2 === 0 ? 'stop' : 'start'} --force web2`);
    if (reply.code === 400) {
      t.match(reply.comment, /^AUDIT UNAVAILABLE(: |$)/);
      refused += 1;
    }
    await sleep(200);
  }
  t.ok(refused > 0, 'what cannot be recorded is not done');
  t.equal((await client.ask('status lj')).code, 300, 'reads go on');
  const sent = ledger.values.size;

  unlinkSync(filler);
  await daemon.logs('values for Zabbix are kept again');
  await until(async () => (await client.ask('stop --force web1')).code === 300, LONG, 'orders to be taken again');
  await more();
  t.ok(ledger.values.size > sent + ITEMS * FULL_MS / 2000, 'the values of that time arrive');
  t.ok(longestGap(ledger) <= LONGEST_GAP, `no item has a gap of more than ${LONGEST_GAP} s: ${longestGap(ledger)} s`);
  t.same([...ledger.values.keys()].sort((one, other) => one - other), Array.from({ length: ledger.values.size }, (_, index) => index + 1), 'numbers without gaps');
  t.same(ledger.clashes, [], 'no number was used twice');
  const values = [...ledger.values.values()];
  t.equal(new Set(values).size, values.length, 'no value has two numbers');
  t.equal(ledger.sessions.size, 1, 'one session');
  let missing: readonly string[] = values;
  await until(async () => { missing = await ledger.missing(world, values); return missing.length === 0; }, LONG, 'all values in the tables of the server')
    .catch((error: unknown) => t.fail(`${missing.length} of ${values.length} are missing: ${(error as Error).message}`));
  t.notMatch(daemon.stderr(), /the clock went back|values are lost|values for Zabbix were dropped/);
  t.notMatch(daemon.stderr(), /INTERNAL ERROR|unhandled|uncaught/i, 'no fault of its own');
  client.destroy();
  watcher.destroy();
});
